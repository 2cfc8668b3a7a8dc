package terminal_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"testing/iotest"
	"unicode"
	"unicode/utf8"

	"github.com/muttproject/mutt/platform/terminal"
)

// obeyed finds what a terminal may obey, by the tables of Unicode and not by the rule of the package.
func obeyed(text string, but string) string {
	if !utf8.ValidString(text) {
		return "invalid UTF-8"
	}
	for _, r := range text {
		if unicode.In(r, unicode.Cc, unicode.Bidi_Control, unicode.Zl, unicode.Zp) && !strings.ContainsRune(but, r) {
			return string(r)
		}
	}
	return ""
}

func TestHostile(t *testing.T) {
	t.Parallel()
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if want := unicode.In(r, unicode.Cc, unicode.Bidi_Control, unicode.Zl, unicode.Zp); terminal.Hostile(r) != want {
			t.Errorf("%U: %v", r, !want)
		}
	}
}

func TestLine(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":                           "",
		"sw-1":                       "sw-1",
		"Zürich 東京 😀 é":              "Zürich 東京 😀 é",
		"\x1b]0;PWNED\x07\x1b[2J":    `\u001b]0;PWNED\u0007\u001b[2J`,
		"a\r\nforged\tb":             "a  forged b",
		"\u009b31m\u202etxt.exe\x7f": `\u009b31m\u202etxt.exe\u007f`,
		"a\xff\x9bb":                 "a\ufffd\ufffdb",
		"l\u2028p\u2029":             `l\u2028p\u2029`,
	} {
		if got := terminal.Line(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestCut(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		in      string
		columns int
		want    string
	}{
		{"short", 5, "short"}, {"longer", 5, "long…"}, {"東京都", 6, "東京都"}, {"東京都庁", 6, "東京…"}, {"東京都庁", 5, "東京…"},
		{"e\u0301e\u0301e\u0301", 3, "e\u0301e\u0301e\u0301"}, {"abc", 1, "…"}, {"abc", 0, "…"}, {"", 0, ""},
	} {
		if got := terminal.Cut(c.in, c.columns); got != c.want {
			t.Errorf("%q to %d: %q, want %q", c.in, c.columns, got, c.want)
		}
	}
	if got := terminal.Pad("東京", 6); got != "東京  " {
		t.Errorf("%q", got)
	}
}

// FuzzLine: a line has nothing that a terminal obeys, and text without such characters stays as it is.
func FuzzLine(f *testing.F) {
	for _, seed := range []string{"sw-1", "\x1b[2J", "\u202e\u2028\u009b", "\xc2", "\xff\xfe", "a\nb"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := terminal.Line(text)
		if bad := obeyed(got, ""); bad != "" {
			t.Errorf("%q: %q has %q", text, got, bad)
		}
		if obeyed(text, "") == "" && got != text {
			t.Errorf("%q became %q", text, got)
		}
		if cut := terminal.Cut(got, 20); terminal.Width(cut) > 20 || obeyed(cut, "") != "" {
			t.Errorf("%q: cut to %q", text, cut)
		}
	})
}

// FuzzWriter: whatever is written in whichever pieces, only line feeds and tabs come out as control characters.
func FuzzWriter(f *testing.F) {
	f.Add([]byte("a\tb\n\x1b[2J\u009b\u202e"), uint8(3))
	f.Add([]byte("\xc2\x9b\xe2\x80\xae\xe2\x80"), uint8(1))
	f.Fuzz(func(t *testing.T, text []byte, piece uint8) {
		var out, whole bytes.Buffer
		w := terminal.NewWriter(&out)
		for rest := text; len(rest) > 0; {
			n := min(len(rest), int(piece)%7+1)
			if _, err := w.Write(rest[:n]); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		if bad := obeyed(out.String(), "\n\t"); bad != "" {
			t.Errorf("%q: %q has %q", text, out.String(), bad)
		}
		_, _ = terminal.NewWriter(&whole).Write(text)
		if whole.String() != out.String() {
			t.Errorf("%q: in pieces %q, whole %q", text, out.String(), whole.String())
		}
		if obeyed(string(text), "\n\t") == "" && out.String() != string(text) {
			t.Errorf("%q became %q", text, out.String())
		}
	})
}

func TestWriterReportsErrors(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	w := terminal.NewWriter(iotest.TruncateWriter(&out, 3))
	if n, err := w.Write([]byte("\x1bab")); n != 3 || err != nil || w.Unwrap() == nil {
		t.Errorf("%d %v", n, err)
	}
	broken := terminal.NewWriter(brokenPipe{})
	for _, text := range []string{"plain", "\x1b"} {
		if n, err := broken.Write([]byte(text)); n != 0 || err == nil {
			t.Errorf("%q: %d %v", text, n, err)
		}
	}
}

type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }
