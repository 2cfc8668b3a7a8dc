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
)

type cut struct {
	Text      string
	Truncated bool
}

func (c cut) String() string { return fmt.Sprintf("%q (truncated %v)", c.Text, c.Truncated) }

// frames reads everything, with reads cut by r.
func frames(t interface{ Fatal(...any) }, r io.Reader, maxMessage int) []cut {
	got, _ := framesAndDrops(t, r, maxMessage)
	return got
}

// framesAndDrops returns the bytes that were dropped, too.
func framesAndDrops(t interface{ Fatal(...any) }, r io.Reader, maxMessage int) (got []cut, dropped [dropCauses]int) {
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
		if limit := bufferLimit(maxMessage); len(f.buf) > limit {
			t.Fatal("the buffer grew beyond its limit")
		}
		if err != nil {
			if f.r != f.w && f.skip == 0 {
				t.Fatal("bytes were left at the end")
			}
			return got, f.dropped
		}
		if f.w == len(f.buf) && f.r == 0 && len(f.buf) == bufferLimit(maxMessage) {
			t.Fatal("no progress with a full buffer")
		}
	}
}

func TestFrames(t *testing.T) {
	t.Parallel()
	x := func(n int) string { return strings.Repeat("x", n) }
	for name, c := range map[string]struct {
		in      string
		want    []cut
		dropped [dropCauses]int // padding, garbage, oversize
	}{
		"lines":                            {in: "<1>a\n<2>b\r\n<3>c", want: []cut{{"<1>a", false}, {"<2>b\r", false}, {"<3>c", false}}},
		"NUL":                              {in: "<1>a\x00<2>b\x00\n", want: []cut{{"<1>a", false}, {"<2>b", false}}},
		"counted":                          {in: "4 <1>a5 <2>bc", want: []cut{{"<1>a", false}, {"<2>bc", false}}},
		"counted with LF after":            {in: "4 <1>a\n5 <2>bc\n", want: []cut{{"<1>a", false}, {"<2>bc", false}}},
		"counted multi-line":               {in: "9 <1>a\nb\nc\n3 <2>", want: []cut{{"<1>a\nb\nc\n", false}, {"<2>", false}}},
		"mixed":                            {in: "4 <1>a<2>line\n4 <3>b", want: []cut{{"<1>a", false}, {"<2>line", false}, {"<3>b", false}}},
		"a line that begins with digits":   {in: "2026 Mar 1 boot\n7 dwarfs\n", want: []cut{{"2026 Mar 1 boot", false}, {"7 dwarfs", false}}},
		"a line without PRI keeps its <n>": {in: "slot <5> is\n<1>a\n", want: []cut{{"slot <5> is", false}, {"<1>a", false}}},
		"last counted frame is short":      {in: "4 <1>a9 <2>", want: []cut{{"<1>a", false}, {"<2>", true}}},
		"over-long line":                   {"<1>" + x(40) + "\n<2>b\n", []cut{{"<1>" + x(29), true}, {"<2>b", false}}, [...]int{0, 0, 11}},
		"longest line":                     {in: x(32) + "\n<2>b\n", want: []cut{{x(32), false}, {"<2>b", false}}},
		"over-long counted":                {"43 <1>" + x(40) + "4 <2>b", []cut{{"<1>" + x(29), true}, {"<2>b", false}}, [...]int{0, 0, 11}},
		"empty lines":                      {in: "\n\n\r\n\x00<1>a\n\n", want: []cut{{"<1>a", false}}},
		"nothing":                          {in: ""},

		"BOM before the first count":       {"\ufeff4 <1>a5 <2>bc", []cut{{"<1>a", false}, {"<2>bc", false}}, [...]int{3, 0, 0}},
		"blank before the first count":     {" 4 <1>a5 <2>bc", []cut{{"<1>a", false}, {"<2>bc", false}}, [...]int{1, 0, 0}},
		"padding everywhere":               {" \ufeff <1>a\n\t4 <1>b \n  \n5 <2>bc  ", []cut{{"<1>a", false}, {"<1>b", false}, {"<2>bc", false}}, [...]int{11, 0, 0}},
		"BOM within each count":            {in: "7 \ufeff<1>a8 \ufeff<2>bc4 <1>d", want: []cut{{"\ufeff<1>a", false}, {"\ufeff<2>bc", false}, {"<1>d", false}}},
		"BOM within a count after garbage": {"stray8 \ufeff<2>bc4 <1>d", []cut{{"\ufeff<2>bc", false}, {"<1>d", false}}, [...]int{0, 5, 0}},
		"half a BOM":                       {"\xef\xbb4 <1>a", []cut{{"<1>a", false}}, [...]int{0, 2, 0}},
		"garbage before the first":         {"stray4 <1>a5 <2>bc", []cut{{"<1>a", false}, {"<2>bc", false}}, [...]int{0, 5, 0}},
		"binary before a line":             {"\x16\x03\x01<1>a\n<2>b\n", []cut{{"<1>a", false}, {"<2>b", false}}, [...]int{0, 3, 0}},
		"text before a line":               {"stray <1>Nov 30 h: a\n<2>b\n", []cut{{"<1>Nov 30 h: a", false}, {"<2>b", false}}, [...]int{0, 6, 0}},
		"an indented line":                 {in: "  at one\n<2>b\n", want: []cut{{"  at one", false}, {"<2>b", false}}},

		"counted without PRI":              {"4 <1>a5 hello3 <2>", []cut{{"<1>a", false}, {"<2>", false}}, [...]int{0, 7, 0}},
		"count of eight digits":            {in: "123456789 <1>a\n<2>b\n", want: []cut{{"123456789 <1>a", false}, {"<2>b", false}}},
		"count below its PRI":              {in: "1 <23>4\n<2>b\n", want: []cut{{"1 <23>4", false}, {"<2>b", false}}},
		"count with a PRI above 191":       {in: "8 <999>ab\n<2>b\n", want: []cut{{"8 <999>ab", false}, {"<2>b", false}}},
		"count too small":                  {"4 <1>ab!c4 <2>d", []cut{{"<1>a", false}, {"<2>d", false}}, [...]int{0, 3, 0}},
		"count too large, counted":         {"7 <1>a5 <2>bc4 <1>d", []cut{{"<1>a", false}, {"<2>bc", false}, {"<1>d", false}}, [3]int{}},
		"count too large, lines":           {"9 <1>a\n<2>bcd\n<3>e\n", []cut{{"<1>a", false}, {"<2>bcd", false}, {"<3>e", false}}, [3]int{}},
		"count above the maximum, lines":   {"9999999 <1>a\n<2>b\n", []cut{{"<1>a", false}, {"<2>b", false}}, [3]int{}},
		"count above the maximum, counted": {"9999999 <1>a4 <2>b4 <3>c", []cut{{"<1>a", false}, {"<2>b", false}, {"<3>c", false}}, [3]int{}},
		"a frame of lines":                 {in: "9 <1>a\n<2>b4 <1>c", want: []cut{{"<1>a\n<2>b", false}, {"<1>c", false}}},
		"a frame of lines at the end":      {in: "9 <1>a\n<2>b", want: []cut{{"<1>a\n<2>b", false}}},
		"digits before a count":            {"14 <1>a5 <2>bc", []cut{{"<1>a", false}, {"<2>bc", false}}, [...]int{0, 1, 0}},
		"zeros before a count":             {"x004 <1>a5 <2>bc", []cut{{"<1>a", false}, {"<2>bc", false}}, [...]int{0, 3, 0}},
		"a line found in garbage":          {"q <1>Nov 30 h a: b4 <2>b", []cut{{"<1>Nov 30 h a: b", false}, {"<2>b", false}}, [...]int{0, 2, 0}},
		"long garbage":                     {"4 <1>a" + strings.Repeat("y", 50) + "4 <2>d", []cut{{"<1>a", false}, {strings.Repeat("y", 32), true}, {"<2>d", false}}, [...]int{0, 0, 18}},
		"long line, then counted":          {"<1>" + x(200) + "4 <2>d4 <3>e", []cut{{"<1>" + x(29), true}, {"<2>d", false}, {"<3>e", false}}, [...]int{0, 0, 171}},
		"wrong count within a long frame":  {"88 <1>" + x(60) + "\n<2>b\n<3>c\n", []cut{{"<1>" + x(29), true}, {"<2>b", false}, {"<3>c", false}}, [...]int{0, 0, 31}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, dropped := framesAndDrops(t, strings.NewReader(c.in), 32)
			if d := cmp.Diff(c.want, got); d != "" {
				t.Error(d)
			}
			if dropped != c.dropped {
				t.Errorf("dropped %v, want %v", dropped, c.dropped)
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

// FuzzFrame holds that frames depend on the bytes alone, that they are pieces of the stream in its order, and that every
// byte between them is a separator, an octet count, or counted as dropped.
func FuzzFrame(f *testing.F) {
	for _, s := range []string{"4 <1>a5 <2>bc", "<1>a\n<2>b", "4 <1>ab!c4 <2>d", "43 <1>" + strings.Repeat("x", 90), "12345678 <1>\n", "4 <1>axx00012 <",
		"4 <1>a\x0099", "\ufeff 94 <1>a5 <2>bc", "9 <1>a\n<2>bcd\n<3>", "zz<1>Nov 30 4 <1>a", "9999999 <1>aaa\n<2>"} {
		f.Add([]byte(s), []byte{0, 3})
	}
	f.Add([]byte("4 <1>a"+strings.Repeat("z", 31)+"1234567 <x"), []byte{18, 0})
	f.Fuzz(func(t *testing.T, stream, sizes []byte) {
		want, dropped := framesAndDrops(t, bytes.NewReader(stream), 32)
		for _, r := range []io.Reader{&chunked{s: string(stream), sizes: sizes}, iotest.OneByteReader(bytes.NewReader(stream))} {
			got, drops := framesAndDrops(t, r, 32)
			if d := cmp.Diff(want, got); d != "" || drops != dropped {
				t.Fatalf("%q cut by %T: %s dropped %v, want %v", stream, r, d, drops, dropped)
			}
		}
		rest, between := string(stream), 0
		for _, frame := range want {
			i := strings.Index(rest, frame.Text)
			if i < 0 || len(frame.Text) > 32 {
				t.Fatalf("%q is not of the stream %q", frame.Text, stream)
			}
			rest, between = rest[i+len(frame.Text):], between+len(strings.Trim(rest[:i], "\n\r\x00"))
		}
		between += len(strings.Trim(rest, "\n\r\x00"))
		lost := dropped[dropPadding] + dropped[dropGarbage] + dropped[dropOversize]
		if lost > len(stream) || between-lost > (maxCountDigits+1)*(len(want)+1)+bytes.Count(stream, []byte{'\n'})+bytes.Count(stream, []byte{0})+bytes.Count(stream, []byte{'\r'}) {
			t.Fatalf("%q: %d bytes are in no frame, %d are counted", stream, between, lost)
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

// BenchmarkFrameHostile reads single bytes of messages that never seem to end; the cost of a byte must not grow with their length.
func BenchmarkFrameHostile(b *testing.B) {
	longest := Defaults().MaxMessageBytes
	for name, s := range map[string]string{"line": "<1>" + strings.Repeat("x", longest-3) + "\n", "garbage": strings.Repeat("7 <x", longest/4-1) + "<1>a\n",
		"count": "65536 <1>" + strings.Repeat("\n<2>", (longest-3)/4) + "?", "over-long count": "9999999 <1>" + strings.Repeat("7 <x", longest/4)} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				f, r := newFramer(longest), iotest.OneByteReader(strings.NewReader(s))
				for err := error(nil); err == nil; {
					err = f.fill(r)
					for _, _, ok := f.next(err != nil); ok; _, _, ok = f.next(err != nil) {
					}
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(s)), "ns/byte")
		})
	}
}
