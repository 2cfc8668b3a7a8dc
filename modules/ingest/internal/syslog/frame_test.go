package syslog

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

type cut struct {
	Text      string
	Truncated bool
}

// frames reads everything, with reads cut by r.
func frames(t interface{ Fatal(...any) }, r io.Reader, maxMessage int) (got []cut) {
	f := newFramer(maxMessage)
	for {
		err := f.fill(r)
		for {
			frame, truncated, ok := f.next(err != nil)
			if !ok {
				break
			}
			got = append(got, cut{string(frame), truncated})
		}
		if limit := max(busyBuffer, maxMessage+2*maxCountHeader); len(f.buf) > limit {
			t.Fatal("the buffer grew beyond its limit")
		}
		if err != nil {
			if f.r != f.w && f.skip == 0 {
				t.Fatal("bytes were left at the end")
			}
			return got
		}
		if f.w == len(f.buf) && f.r == 0 && len(f.buf) == max(busyBuffer, maxMessage+2*maxCountHeader) {
			t.Fatal("no progress with a full buffer")
		}
	}
}

// whole cuts a stream that is all there, by the rules as written: the model for the framer.
func whole(s string, maxMessage int) (got []cut) {
	counted := false
	for {
		s = strings.TrimLeft(s, "\n\r\x00")
		if s == "" {
			return got
		}
		n, header := modelCount(s, counted)
		if header > 0 {
			counted = true
			body := s[header:]
			have := min(n, len(body))
			if take := min(have, maxMessage); take > 0 {
				got = append(got, cut{body[:take], take < n})
			}
			s = body[have:]
			continue
		}
		end, next := modelLine(s, counted && s[0] != '<')
		if end <= maxMessage {
			got = append(got, cut{s[:end], false})
			s = s[next:]
			continue
		}
		got = append(got, cut{s[:maxMessage], true})
		rest := s[maxMessage:]
		_, next = modelLine(rest, counted)
		s = rest[next:]
	}
}

func modelCount(s string, counted bool) (n, header int) {
	i := 0
	for i < len(s) && s[i] >= '0' && s[i] <= '9' {
		n, i = n*10+int(s[i]-'0'), i+1
		if i > 7 {
			return 0, 0
		}
	}
	if i == 0 || s[0] == '0' || i == len(s) || s[i] != ' ' || !counted && !strings.HasPrefix(s[i:], " <") {
		return 0, 0
	}
	return n, i + 1
}

func modelLine(s string, resync bool) (end, next int) {
	for i := range len(s) {
		if s[i] == '\n' || s[i] == 0 {
			return i, i + 1
		}
		if resync {
			if n, _ := modelCount(s[i:], false); n > 0 {
				return i, i
			}
		}
	}
	return len(s), len(s)
}

func TestFrames(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		in   string
		want []cut
	}{
		"lines":                          {"<1>a\n<2>b\r\n<3>c", []cut{{"<1>a", false}, {"<2>b\r", false}, {"<3>c", false}}},
		"NUL":                            {"<1>a\x00<2>b\x00\n", []cut{{"<1>a", false}, {"<2>b", false}}},
		"counted":                        {"4 <1>a5 <2>bc", []cut{{"<1>a", false}, {"<2>bc", false}}},
		"counted with LF after":          {"4 <1>a\n5 <2>bc\n", []cut{{"<1>a", false}, {"<2>bc", false}}},
		"counted multi-line":             {"9 <1>a\nb\nc\n3 <2>", []cut{{"<1>a\nb\nc\n", false}, {"<2>", false}}},
		"mixed":                          {"4 <1>a<2>line\n4 <3>b", []cut{{"<1>a", false}, {"<2>line", false}, {"<3>b", false}}},
		"counted without PRI later":      {"4 <1>a5 hello3 <2>", []cut{{"<1>a", false}, {"hello", false}, {"<2>", false}}},
		"a line that begins with digits": {"2026 Mar 1 boot\n7 dwarfs\n", []cut{{"2026 Mar 1 boot", false}, {"7 dwarfs", false}}},
		"last counted frame is short":    {"4 <1>a9 <2>", []cut{{"<1>a", false}, {"<2>", true}}},
		"over-long line":                 {"<1>" + strings.Repeat("x", 40) + "\n<2>b\n", []cut{{"<1>" + strings.Repeat("x", 29), true}, {"<2>b", false}}},
		"longest line":                   {strings.Repeat("x", 32) + "\n<2>b\n", []cut{{strings.Repeat("x", 32), false}, {"<2>b", false}}},
		"over-long counted":              {"43 <1>" + strings.Repeat("x", 40) + "4 <2>b", []cut{{"<1>" + strings.Repeat("x", 29), true}, {"<2>b", false}}},
		"absurd count":                   {"123456789 <1>a\n<2>b\n", []cut{{"123456789 <1>a", false}, {"<2>b", false}}},
		"wrong count, resynced":          {"4 <1>ab!c4 <2>d", []cut{{"<1>a", false}, {"b!c", false}, {"<2>d", false}}},
		"long garbage, resynced":         {"4 <1>a" + strings.Repeat("y", 50) + "4 <2>d", []cut{{"<1>a", false}, {strings.Repeat("y", 32), true}, {"<2>d", false}}},
		"empty lines":                    {"\n\n\r\n\x00<1>a\n\n", []cut{{"<1>a", false}}},
		"nothing":                        {"", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if d := cmp.Diff(c.want, frames(t, strings.NewReader(c.in), 32)); d != "" {
				t.Error(d)
			}
			if d := cmp.Diff(c.want, whole(c.in, 32)); d != "" {
				t.Error("the model differs", d)
			}
			for at := range len(c.in) { // a read that ends at every byte
				r := io.MultiReader(strings.NewReader(c.in[:at]), strings.NewReader(c.in[at:]))
				if d := cmp.Diff(c.want, frames(t, r, 32)); d != "" {
					t.Error("cut at", at, d)
				}
			}
		})
	}
}

// chunked reads pieces of the given sizes in turn.
type chunked struct {
	s     string
	sizes []byte
	i     int
}

func (c *chunked) Read(p []byte) (int, error) {
	if c.s == "" {
		return 0, io.EOF
	}
	n := len(c.s)
	if len(c.sizes) > 0 {
		n = int(c.sizes[c.i%len(c.sizes)])%19 + 1
		c.i++
	}
	n = copy(p, c.s[:min(n, len(c.s))])
	c.s = c.s[n:]
	return n, nil
}

// FuzzFrame compares with the model, under any cutting of the stream.
func FuzzFrame(f *testing.F) {
	for _, s := range []string{"4 <1>a5 <2>bc", "<1>a\n<2>b", "4 <1>ab!c4 <2>d", "43 <1>" + strings.Repeat("x", 90), "12345678 <1>\n", "4 <1>axx00012 <", "4 <1>a\x0099"} {
		f.Add([]byte(s), []byte{0, 3})
	}
	f.Add([]byte("4 <1>a"+strings.Repeat("z", 31)+"1234567 <x"), []byte{18, 0})
	f.Fuzz(func(t *testing.T, stream, sizes []byte) {
		want := whole(string(stream), 32)
		if d := cmp.Diff(want, frames(t, &chunked{s: string(stream), sizes: sizes}, 32)); d != "" {
			t.Fatalf("%q: %s", stream, d)
		}
		if d := cmp.Diff(want, frames(t, iotest.OneByteReader(bytes.NewReader(stream)), 32)); d != "" {
			t.Fatalf("%q by single bytes: %s", stream, d)
		}
	})
}

// What a well-behaved sender frames comes out as it went in, however it is cut and whatever its framing.
func TestFramesRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var stream strings.Builder
		var want []cut
		text := rapid.StringMatching(`<[0-9]{1,3}>[ -~]{0,300}`)
		counted := rapid.Bool().Draw(t, "counted")
		for _, m := range rapid.SliceOfN(text, 0, 200).Draw(t, "messages") {
			want = append(want, cut{m, false})
			if counted {
				fmt.Fprintf(&stream, "%d %s", len(m), m)
			} else {
				stream.WriteString(m + "\n")
			}
		}
		sizes := rapid.SliceOfN(rapid.Byte(), 0, 9).Draw(t, "sizes")
		if d := cmp.Diff(want, frames(t, &chunked{s: stream.String(), sizes: sizes}, 512)); d != "" {
			t.Fatal(d)
		}
	})
}

// A peer that never ends a line, or never ends a frame, costs one buffer.
func TestFramesBoundMemory(t *testing.T) {
	t.Parallel()
	for _, begin := range []string{"<1>", "9999999 <1>", "4 <1>agarbage"} {
		stream := io.MultiReader(strings.NewReader(begin), io.LimitReader(endless{}, 4<<20), iotest.ErrReader(errors.New("reset")))
		got := frames(t, stream, Defaults().MaxMessageBytes)
		if last := got[len(got)-1]; !last.Truncated || len(last.Text) != Defaults().MaxMessageBytes {
			t.Errorf("%s: %d frames, the last of %d bytes", begin, len(got), len(last.Text))
		}
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

func BenchmarkFrame(b *testing.B) {
	for name, one := range map[string]string{"lines": benchLines[0] + "\n", "counted": fmt.Sprintf("%d %s", len(benchLines[0]), benchLines[0])} {
		b.Run(name, func(b *testing.B) {
			stream := []byte(strings.Repeat(one, 1000))
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				f, r := newFramer(Defaults().MaxMessageBytes), bytes.NewReader(stream)
				for err := error(nil); err == nil; {
					err = f.fill(r)
					for _, _, ok := f.next(err != nil); ok; _, _, ok = f.next(err != nil) {
						n++
					}
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/frame")
		})
	}
}
