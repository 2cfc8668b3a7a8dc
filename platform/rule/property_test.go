package rule

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/muttproject/mutt/platform/event"
)

// The alphabet is small so that rules and events meet often, and has every trap of case folding: K and the
// Kelvin sign, s and long s, sharp s (which is not ss), Turkish dotted and dotless i, Greek final sigma, the
// three-way orbit of dž, and a four-byte letter (Deseret).
func genWord(label string) *rapid.Generator[string] {
	letters := []string{"a", "A", "b", "k", "K", "\u212a", "s", "S", "ſ", "ß", "ẞ", "ss", "i", "I", "İ", "ı",
		"σ", "ς", "Σ", "dž", "Dž", "DŽ", "\U00010400", "\U00010428", " ", ".", "1", "\ufffd", "é", "É", "å", "\u212b", "日"}
	return rapid.Custom(func(t *rapid.T) string {
		var s string
		for _, l := range rapid.SliceOfN(rapid.SampledFrom(letters), 1, 5).Draw(t, label) {
			s += l
		}
		return s
	})
}

func genRegex() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		w := func() string { return rapid.SampledFrom(regexWords()).Draw(t, "word") }
		switch rapid.IntRange(0, 8).Draw(t, "shape") {
		case 0:
			return w()
		case 1:
			return w() + ".*" + w()
		case 2:
			return "(" + w() + "|" + w() + ")" + w()
		case 3:
			return "^" + w() + "?" + w() + "$"
		case 4:
			return "[" + w() + "]" + w()
		case 5:
			return "(?:" + w() + "){1,2}" + w() + "+"
		case 6:
			return w() + "|" + w() + ".?" + w()
		case 7:
			return "(?-i:" + w() + ")" + w()
		default:
			return `\b` + w() + "*" + w()
		}
	})
}

func regexWords() []string {
	return []string{"a", "ab", "k", "ks", "ß", "ss", "ſ", "ı", "i", "σ", "dž", "1", "abk", "kelvin", "é", " ", "日"}
}

func genOID() *rapid.Generator[string] {
	return rapid.SampledFrom([]string{"1", "1.3", "1.3.6", "1.3.6.1.4.1.9", "1.3.6.1.4.1.99", "1.3.6.1.4.1.9.9", "1.3.6.1.4.1", "1.3.61"})
}

func genSeverity(t *rapid.T, label string) *int {
	v := rapid.IntRange(-6, 7).Draw(t, label)
	if v < 0 {
		return nil
	}
	return &v
}

func genHosts() []string {
	return []string{"", "", "", "core-1", "CORE-*", "core-?", "*", "10.0.0.0/8", "2001:db8::/32", "10.1.2.3/32", "Köln-*", "KÖLN-1"}
}

func genRule(id int64) *rapid.Generator[Rule] {
	return rapid.Custom(func(t *rapid.T) Rule {
		r := Rule{
			ID: id, Name: fmt.Sprintf("r%d", id), IsActive: rapid.IntRange(0, 9).Draw(t, "active") > 0,
			Priority: rapid.IntRange(1, 3).Draw(t, "priority"), ProdHandling: "Page_only", DevHandling: "Ignore", TeamAssignment: "T",
			MatchType: rapid.SampledFrom([]MatchType{Contains, Contains, Regex, Equals, Glob}).Draw(t, "type"),
		}
		if rapid.IntRange(0, 2).Draw(t, "has oid") == 0 {
			r.TrapOID = genOID().Draw(t, "oid")
		}
		if r.TrapOID == "" || rapid.Bool().Draw(t, "has text") {
			switch r.MatchType {
			case Regex:
				r.MatchString = genRegex().Draw(t, "regex")
			case Glob:
				r.MatchString = rapid.SampledFrom([]string{"", "*", "?"}).Draw(t, "head") + genWord("glob").Draw(t, "glob") +
					rapid.SampledFrom([]string{"*", "?", "*?*", ""}).Draw(t, "middle") + genWord("tail").Draw(t, "tail")
			default:
				r.MatchString = genWord("text").Draw(t, "text")
			}
		}
		if rapid.Bool().Draw(t, "has conditions") {
			r.SyslogSeverity = genSeverity(t, "severity")
			r.MinSeverity, r.MaxSeverity = genSeverity(t, "min"), genSeverity(t, "max")
			r.HostPattern = rapid.SampledFrom(genHosts()).Draw(t, "host")
			r.Source = rapid.SampledFrom([]string{"", "http", "syslog"}).Draw(t, "source")
			r.ValidFrom = rapid.SampledFrom([]string{"", "1970-01-01T00:00:01Z"}).Draw(t, "from")
			r.ValidUntil = rapid.SampledFrom([]string{"", "1970-01-01T00:00:02Z"}).Draw(t, "until")
		}
		if r.Validate() != nil { // contradicting severities only
			r.SyslogSeverity, r.MinSeverity, r.MaxSeverity = nil, nil, nil
		}
		return r
	})
}

func genEvent() *rapid.Generator[event.Event] {
	return rapid.Custom(func(t *rapid.T) event.Event {
		e := event.Event{
			Message:  genWord("m1").Draw(t, "m1") + genWord("m2").Draw(t, "m2"),
			Hostname: rapid.SampledFrom([]string{"core-1", "Core-22", "edge", "10.1.2.3", "2001:db8::1", "CORE-1", "2001:DB8::1", "köln-1", "kÖLN-1"}).Draw(t, "hostname"),
			SourceIP: rapid.SampledFrom([]string{"", "10.200.0.1", "192.0.2.1", "bad"}).Draw(t, "ip"),
			Severity: int8(rapid.IntRange(-1, 7).Draw(t, "sev")),
			Source:   rapid.SampledFrom([]event.Source{event.SourceHTTP, event.SourceSyslog}).Draw(t, "src"),
		}
		if rapid.Bool().Draw(t, "ascii") {
			e.Message = rapid.StringMatching(`[abkKsSiI 1.]{0,12}`).Draw(t, "ascii message")
		}
		if rapid.Bool().Draw(t, "trap") {
			e.TrapOID = genOID().Draw(t, "event oid")
		}
		return e
	})
}

// TestMatchEqualsNaive holds contracts.md section 3: the index and the plain model agree on every event, with a
// scratch that is reused, and Explain tells the same story.
func TestMatchEqualsNaive(t *testing.T) {
	t.Parallel()
	sc := &Scratch{}
	rapid.Check(t, func(t *rapid.T) {
		var rules []Rule
		for i := range rapid.IntRange(0, 12).Draw(t, "rules") {
			rules = append(rules, genRule(int64(100-i)).Draw(t, "rule"))
		}
		set, err := Compile(rules, Tables{})
		if err != nil {
			t.Fatalf("compile: %v", err)
		}
		for range 30 {
			e := genEvent().Draw(t, "event")
			now := rapid.SampledFrom([]int64{0, 999_999, 1_000_000, 1_999_999, 2_000_000}).Draw(t, "now")
			want := naiveWinner(rules, &e, now)
			got, ok := set.Match(&e, now, sc)
			if ok != (want >= 0) || ok && got.ID != rules[want].ID {
				t.Fatalf("event %+v: index says %+v, model says %d", e, got, want)
			}
			steps := explain(set, &e, now)
			if won := len(steps) > 0 && steps[len(steps)-1].Matched; won != ok || ok && steps[len(steps)-1].RuleID != got.ID {
				t.Fatalf("explain tells another winner than %v: %+v", got, steps)
			}
		}
	})
}

// TestFoldIsRE2 holds for every rune: two runes fold alike exactly when they share an orbit.
func TestFoldIsRE2(t *testing.T) {
	t.Parallel()
	for r := rune(0); r <= 0x10ffff; r++ {
		f := foldRune(r)
		if !sameLetter(r, f) {
			t.Fatalf("%U folds to %U, which is another letter", r, f)
		}
		if foldRune(f) != f {
			t.Fatalf("%U folds to %U, which folds further", r, f)
		}
	}
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"k", "\u212a", true}, {"S", "ſ", true}, {"ß", "ẞ", true}, {"ß", "ss", false}, {"I", "ı", false}, {"i", "İ", false},
		{"ς", "Σ", true}, {"dž", "DŽ", true}, {"å", "\u212b", true}, {"µ", "μ", true},
	} {
		if got := fold(c.a) == fold(c.b); got != c.want {
			t.Errorf("fold(%q) == fold(%q) is %v", c.a, c.b, got)
		}
	}
}
