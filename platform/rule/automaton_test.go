package rule

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestAutomatonFindsWhatContainsFinds compares both kinds of states (with and without a full row) and both
// halves of a long text with strings.Contains.
func TestAutomatonFindsWhatContainsFinds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		texts := rapid.SliceOfN(rapid.StringMatching(`[ABC]{1,7}`), 1, 30).Draw(t, "literals")
		texts = distinct(texts)
		ranks := make([]int32, len(texts))
		s := &Set{literals: make([]literal, len(texts))}
		for i := range texts {
			ranks[i] = int32(i)
			s.literals[i].leads = []int32{int32(i)}
		}
		s.auto = newAutomaton(texts, ranks, rapid.SampledFrom([]int{0, 64, 1 << 20}).Draw(t, "dense bytes"))
		sc := s.NewScratch()
		for range 10 {
			e := eventOf(rapid.StringMatching(`[ABCabcx]{0,60}`).Draw(t, "text"))
			sc.begin(s, &e, 0)
			if best := s.scan(sc, noRank); best != noRank {
				t.Fatalf("no rule is direct, yet rank %d won", best)
			}
			var want []int32
			for i, l := range texts {
				if strings.Contains(strings.ToUpper(e.Message), l) {
					want = append(want, int32(i))
				}
			}
			slices.Sort(sc.cands)
			if !slices.Equal(sc.cands, want) {
				t.Fatalf("%q in %q: found %v, want %v", texts, e.Message, sc.cands, want)
			}
		}
	})
}

// TestLongLiteral holds that only the beginning of a long literal is indexed and the whole of it counts.
func TestLongLiteral(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("0123456789", 30)
	set := mustCompile(t, Rule{Name: "long", MatchString: long + "é"})
	if n := set.auto.longest; n != indexedLen {
		t.Errorf("the automaton holds %d bytes of a literal, want %d", n, indexedLen)
	}
	for message, want := range map[string]bool{"x" + long + "É": true, long + "e": false, long[10:] + "é": false} {
		e := eventOf(message)
		if _, ok := set.Match(&e, 0, set.NewScratch()); ok != want {
			t.Errorf("message of %d bytes: match is %v", len(message), ok)
		}
	}
}
