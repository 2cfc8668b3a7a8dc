package syslog

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestFramesComeOutWhole holds that any sequence of well-formed messages comes out whole, in order and with nothing
// invented, whatever garbage is before and between them and however the stream is cut.
//
// Garbage is any run of bytes that forms no "<PRI>", alone or with its neighbours, and adds no digits to an octet count.
// What of it a terminator ends is a line without a PRI and comes out as such; the rest is dropped and counted.
// MUTT_TEST_FRAMES is the number of sequences, MUTT_TEST_SEED the first seed.
func TestFramesComeOutWhole(t *testing.T) {
	t.Parallel()
	rounds, seed := setting(t, "MUTT_TEST_FRAMES", 20_000), setting(t, "MUTT_TEST_SEED", rand.Uint64N(1<<40))
	s := &sequence{}
	for i := range rounds {
		s.generate(rand.New(rand.NewPCG(seed+i, 0)))
		got, dropped := framesAndDrops(t, s, sequenceMax)
		if !slices.Equal(got, s.want) || dropped[dropGarbage] != s.garbage || dropped[dropOversize] != 0 {
			t.Fatalf("MUTT_TEST_SEED=%d MUTT_TEST_FRAMES=1: stream %q in reads of %v\n got %v, %d bytes of garbage\nwant %v, %d",
				seed+i, s.stream, s.sizes, got, dropped[dropGarbage], s.want, s.garbage)
		}
	}
}

func setting(t *testing.T, name string, otherwise uint64) uint64 {
	t.Helper()
	if text := os.Getenv(name); text != "" {
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatal(name, err)
		}
		return n
	}
	return otherwise
}

const sequenceMax = 600

// sequence is a stream and what should come of it. Reading it returns pieces of random sizes.
type sequence struct {
	stream  []byte
	want    []cut
	garbage int
	sizes   []int
	last    int // end of the last message
	at, i   int
}

func (s *sequence) Read(p []byte) (int, error) {
	if s.at == len(s.stream) {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), s.sizes[s.i%len(s.sizes)])], s.stream[s.at:])
	s.at, s.i = s.at+n, s.i+1
	return n, nil
}

// signed matches what no garbage may contain: a PRI in full (the framer's limit of 191 included in the greater form).
var signed = regexp.MustCompile(`<[0-9]{1,3}>`)

var blanks = regexp.MustCompile("^(?:\ufeff|[ \t])*")

func (s *sequence) generate(r *rand.Rand) {
	*s = sequence{stream: s.stream[:0], want: s.want[:0], sizes: s.sizes[:0]}
	for range r.IntN(8) {
		garbage := ""
		if r.IntN(2) == 0 {
			garbage = draw(r, garbagePieces, r.IntN(6))
		}
		counted := r.IntN(2) == 0
		message := fmt.Sprintf("<%d>", r.IntN(192))
		if counted {
			if r.IntN(8) == 0 {
				message = "\ufeff" + message
			}
			message += strings.Repeat(draw(r, textPieces, r.IntN(9))+draw(r, endPieces, r.IntN(3)), 1+r.IntN(2))
		} else {
			message += [...]string{"Nov 30 08:00:00 ", "Nov  3 ", "1 2026-11-30T", "2026-11-30T", " Mar  1 ", "1 - "}[r.IntN(6)] + draw(r, textPieces, r.IntN(9))
		}
		if len(message) > sequenceMax || !s.fits(garbage, message, counted) {
			continue
		}
		s.spoil(garbage)
		if counted {
			s.stream = fmt.Appendf(s.stream, "%d ", len(message))
		}
		s.stream = append(s.stream, message...)
		s.last = len(s.stream)
		if !counted {
			s.stream = append(s.stream, [...]string{"\n", "\x00", "\n\n", "\n\x00"}[r.IntN(4)]...)
		}
		s.want = append(s.want, cut{message, false})
	}
	for range 1 + r.IntN(4) {
		s.sizes = append(s.sizes, 1+r.IntN(60))
	}
}

var (
	garbagePieces = []string{"x", "stray ", "<", "<1", "13>", ">", "5 ", "77", "12 <", "<192", "<999 >", " ", "\t", "\ufeff", "\xef", "\xef\xbb", "\xff", "\n", "\r\n",
		"\x00", "\x16\x03\x01", "größe", "12345678 ", "Nov 30 ", "%LINK-3-UPDOWN: "}
	textPieces = []string{"host app[7]: ", "a", "text ", "%ASA-4-106023: ", "<", "<x>", "12 ", "7", " <", ">", "{\"a\": 1}", "é", "\xff", "\t", "  ", "\r", "\ufeff", "<1", "4096 <"}
	endPieces  = []string{"\n", "\n\tat line\n", "\x00", "\n7", "\r\n", "\n5 ", " "}
)

func draw(r *rand.Rand, pieces []string, n int) string {
	var b strings.Builder
	for range n {
		b.WriteString(pieces[r.IntN(len(pieces))])
	}
	return b.String()
}

// fits reports whether garbage is garbage between what came before and message, and message holds no other signature.
func (s *sequence) fits(garbage, message string, counted bool) bool {
	before := garbage
	if counted {
		if before != "" && digit(before[len(before)-1]) {
			return false
		}
		before += fmt.Sprint(len(message)) + " "
	} else if trimmed := strings.TrimSuffix(strings.TrimSuffix(before, "\ufeff"), " "); trimmed != before && trimmed != "" && digit(trimmed[len(trimmed)-1]) {
		return false // "5 " and a line are a counted frame
	}
	if tail := string(s.stream[max(0, s.last-4):]); signed.MatchString(tail+before) && !signed.MatchString(tail) {
		return false
	}
	return len(signed.FindAllString(before+message, 2)) == 1
}

// spoil appends garbage: its lines come out, the rest is dropped.
func (s *sequence) spoil(garbage string) {
	s.stream = append(s.stream, garbage...)
	for garbage != "" {
		garbage = strings.TrimLeft(garbage, "\n\r\x00")
		text := garbage[len(blanks.FindString(garbage)):]
		if text == "" {
			return // padding
		}
		if strings.IndexAny(text, "\n\r\x00") == 0 {
			garbage = text
			continue
		}
		end := strings.IndexAny(garbage, "\n\x00")
		if end < 0 {
			s.garbage += len(garbage)
			return
		}
		s.want = append(s.want, cut{garbage[:end], false})
		garbage = garbage[end+1:]
	}
}
