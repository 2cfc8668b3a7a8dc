package intake

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/muttproject/mutt/platform/event"
)

func TestClean(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ in, name, message, fields string }{
		{"", "", "", ""},
		{"é plain ~", "é plain ~", "é plain ~", "é plain ~"},
		{"a\x00b", "ab", "ab", "ab"},
		{"\xff\xfe", "\ufffd\ufffd", "\ufffd\ufffd", "\ufffd\ufffd"},
		{"a\xe2\x82", "a\ufffd\ufffd", "a\ufffd\ufffd", "a\ufffd\ufffd"},
		{"\ufffd", "\ufffd", "\ufffd", "\ufffd"},
		{"a\tb\r\nc", "abc", "a\tb\r\nc", "a\tb\r\nc"},
		{"\x1b[31mred\x07", "[31mred", "␛[31mred␇", `\u001b[31mred\u0007`},
		{"x\x7fy", "xy", "x␡y", `x\u007fy`},
		{"\u009b2J", "2J", `\u009b2J`, `\u009b2J`},
		{"a\u061cb\u200ec\u200fd\u202ae\u202ef\u2066g\u2069h", "abcdefgh", `a\u061cb\u200ec\u200fd\u202ae\u202ef\u2066g\u2069h`,
			`a\u061cb\u200ec\u200fd\u202ae\u202ef\u2066g\u2069h`},
		{"12345678\x1b12345678", "1234567812345678", "12345678␛12345678", `12345678\u001b12345678`},
		{"\u00a0\u2028\ufeff\u2065", "\u00a0\u2028\ufeff\u2065", "\u00a0\u2028\ufeff\u2065", "\u00a0\u2028\ufeff\u2065"},
	} {
		got := []string{clean(c.in, nameKind), clean(c.in, messageKind), clean(c.in, fieldsKind)}
		if d := cmp.Diff([]string{c.name, c.message, c.fields}, got); d != "" {
			t.Errorf("%q: %s", c.in, d)
		}
	}
}

// isHidden is the oracle, by Unicode's own tables.
func isHidden(r rune) bool { return unicode.In(r, unicode.Cc, unicode.Bidi_Control) }

// checkClean holds one text to what is promised of it, reading it character by character.
func checkClean(t interface{ Fatalf(string, ...any) }, s string) {
	var name, message, fields strings.Builder
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		i += size
		switch {
		case r == 0:
			continue
		case !isHidden(r):
			name.WriteRune(r)
		}
		switch {
		case !isHidden(r) || strings.ContainsRune("\t\n\r", r):
			message.WriteRune(r)
			fields.WriteRune(r)
			continue
		case r <= unicode.MaxASCII:
			message.WriteString(map[bool]string{true: "\u2421", false: string('\u2400' + r)}[r == 0x7f])
		default:
			fmt.Fprintf(&message, `\u%04x`, r)
		}
		fmt.Fprintf(&fields, `\u%04x`, r)
	}
	for as, want := range map[kind]string{nameKind: name.String(), messageKind: message.String(), fieldsKind: fields.String()} {
		got := clean(s, as)
		if got != want || !utf8.ValidString(got) || len(got) > 3*len(s) && as != fieldsKind || clean(got, as) != got {
			t.Fatalf("kind %d: %q became %q, want %q", as, s, got, want)
		}
		if isText(s, as) != (s == want) {
			t.Fatalf("kind %d: %q is taken for clean: %v", as, s, isText(s, as))
		}
	}
	if blank := strings.Trim(name.String(), " ") == ""; IsBlank(s) != blank {
		t.Fatalf("%q is blank: %v", s, !blank)
	}
}

func FuzzClean(f *testing.F) {
	for _, s := range []string{"plain", "\x1b]0;x\x07", "12345678\u202e", "\xff\x00\x7f\u0080", "ééééé\t\n", "abcdefg\x1f", "\u2066\u2069\u061c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) { checkClean(t, s) })
}

// TestCleanFollowsUnicode tries every character at every place of a word of eight bytes, and mixtures.
func TestCleanFollowsUnicode(t *testing.T) {
	t.Parallel()
	for r := range rune(0x3000) {
		checkClean(t, string(r))
		checkClean(t, "1234567"[:r%8]+string(r)+"abcdefgh"[r%8:])
		checkClean(t, "12345678abcdefg"+string(r))
	}
	pieces := []string{"a", "12345678", " ", "\t", "\n", "\x00", "\x1b", "\x7f", "\x1f", "é", "\u009b", "\u202e", "\u200d", "\xff", "\xe2\x80", "\ufffd", "日本語"}
	rapid.Check(t, func(t *rapid.T) {
		checkClean(t, strings.Join(rapid.SliceOf(rapid.SampledFrom(pieces)).Draw(t, "pieces"), ""))
	})
}

// TestNamesAreCleanWhateverTheSource: names are cut and cleaned, and what they were is kept; of a message nothing is lost.
func TestNamesAreCleanWhateverTheSource(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("é", 600)
	for _, c := range []struct{ in, want event.Event }{
		{event.Event{Hostname: long}, event.Event{Hostname: long[:254], Fields: `{"hostname":"` + long + `"}`}}, // 255 would cut a character
		{event.Event{Hostname: "h", AppName: long, ProcID: long, MsgID: long},
			event.Event{Hostname: "h", AppName: long[:128], ProcID: long[:128], MsgID: long[:128],
				Fields: `{"msg_id":"` + long + `","proc_id":"` + long + `","app_name":"` + long + `"}`}},
		{event.Event{Hostname: "h", SourceType: long, SourceIP: long},
			event.Event{Hostname: "h", SourceType: long[:1024], SourceIP: long[:1024], Fields: `{"source_type":"` + long + `","source_ip":"` + long + `"}`}},
		{event.Event{Hostname: " h\x1b[2J\u202e ", Fields: `{"a":"\u001b"}`}, event.Event{Hostname: "h[2J", Fields: `{"hostname":" h\u001b[2J\u202e ","a":"\u001b"}`}},
		{event.Event{Hostname: " h "}, event.Event{Hostname: "h"}},
		{event.Event{Hostname: "\x1b\u2066 \x00", SourceIP: "192.0.2.1"}, event.Event{Hostname: "192.0.2.1", SourceIP: "192.0.2.1", Fields: `{"hostname":"\u001b\u2066 "}`}},
		{event.Event{Hostname: "caf\xe9"}, event.Event{Hostname: "caf\ufffd"}},
		{event.Event{Hostname: "h\x00"}, event.Event{Hostname: "h"}},
		{event.Event{Hostname: strings.Repeat("x", 254) + " y"}, event.Event{Hostname: strings.Repeat("x", 254), Fields: `{"hostname":"` + strings.Repeat("x", 254) + ` y"}`}},
		{event.Event{Message: "\x1b", SourceIP: "192.0.2.1"}, event.Event{Message: "␛", SourceIP: "192.0.2.1"}}, // no hostname was given: none is made up
		{event.Event{Hostname: "h", AppName: "\x7f"}, event.Event{Hostname: "h", Fields: `{"app_name":"\u007f"}`}},
		{event.Event{Hostname: "h", Fields: "{\"k\u202e\":\"\u0085\x7f\"}"}, event.Event{Hostname: "h", Fields: `{"k\u202e":"\u0085\u007f"}`}},
		{event.Event{Hostname: "h", TrapOID: "1.\x003", CorrelationID: "c\n", Variables: []event.Variable{{OID: "1\u202e", Type: "\x1bt", Value: "\x1bv\n"}}},
			event.Event{Hostname: "h", TrapOID: "1.3", CorrelationID: "c", Variables: []event.Variable{{OID: "1", Type: "t", Value: "␛v\n"}}}},
	} {
		e := c.in
		if !cleanEvent(&e, MaxEvent) {
			t.Errorf("%+v passes for clean", c.in)
		}
		if d := cmp.Diff(c.want, e); d != "" {
			t.Error(d)
		}
		if e.Fields != "" && !json.Valid([]byte(e.Fields)) {
			t.Errorf("fields %q", e.Fields)
		}
		if cleanEvent(&e, MaxEvent) {
			t.Errorf("%+v is not clean after cleaning", e)
		}
	}
}

// TestOriginalsHaveABound: an event of nothing but absurd names is not refused for their originals.
func TestOriginalsHaveABound(t *testing.T) {
	t.Parallel()
	for _, absurd := range []string{strings.Repeat("\x1b", 64<<10), strings.Repeat("\u009b", 32<<10), strings.Repeat("\xff", 64<<10), strings.Repeat("x", 64<<10)} {
		for _, e := range []event.Event{
			{Hostname: absurd, SourceIP: "192.0.2.1", Message: "m"}, {Hostname: absurd[:len(absurd)/2], SourceIP: "192.0.2.1", AppName: absurd[len(absurd)/2:], Message: "m"},
			{Hostname: "h", Message: absurd}, {Hostname: absurd[:1<<10], SourceIP: "192.0.2.1", Message: absurd[1<<10:]},
		} {
			w := &fakeWriter{}
			in := newIntake(w, Limits{MaxEvent: MaxEvent})
			b := in.NewBatch(event.SourceSyslog)
			b.Add(&e, nil)
			if out, err := in.Submit(t.Context(), b); err != nil || out.Accepted != 1 {
				t.Fatalf("got %+v, %v", out, err)
			}
			got := w.events[0]
			if len(got.Hostname) > maxHostname || len(got.AppName) > maxShort || got.Hostname == "" || got.Fields != "" && !json.Valid([]byte(got.Fields)) {
				t.Errorf("got %.80q, fields of %d bytes", got.Hostname, len(got.Fields))
			}
		}
	}
}

func BenchmarkIsClean(b *testing.B) {
	for name, message := range map[string]string{"ascii": strings.Repeat("m", 200), "lines": strings.Repeat("at line 7 of\n\t", 14), "umlauts": strings.Repeat("größer als m", 14)} {
		b.Run(name, func(b *testing.B) {
			e := event.Event{Hostname: "core-sw-01", SourceIP: "192.0.2.1", Message: message, Fields: `{"a":1}`, AppName: "LINK"}
			b.ReportAllocs()
			for b.Loop() {
				if cleanEvent(&e, MaxEvent) {
					b.Fatal("not clean")
				}
			}
		})
	}
}
