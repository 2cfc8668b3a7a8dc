package rule

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"github.com/muttproject/mutt/platform/event"
)

// vocabulary makes n words of 4 to 9 letters.
func vocabulary(rng *rand.Rand, n int) []string {
	words := make([]string, n)
	for i := range words {
		b := make([]byte, 4+rng.IntN(6))
		for j := range b {
			b[j] = "etaoinshrdlucmfwypvbgkqjxz"[min(rng.IntN(26), rng.IntN(26))]
		}
		words[i] = string(b)
	}
	return words
}

// benchRules makes n rules over a vocabulary of 3,000 words; every fifth is an expression when mixed.
func benchRules(n int, mixed bool) []Rule {
	rng := rand.New(rand.NewPCG(1, 2))
	words := vocabulary(rng, 3000)
	w := func() string { return words[rng.IntN(len(words))] }
	rules := make([]Rule, n)
	for i := range rules {
		r := Rule{ID: int64(i + 1), Name: fmt.Sprint("rule ", i), MatchType: Contains, Priority: 100, IsActive: true,
			ProdHandling: "Page_only", DevHandling: "Ignore", TeamAssignment: "NET", MatchString: w() + " " + w()}
		if mixed && i%5 == 0 {
			r.MatchType = Regex
			switch i / 5 % 4 {
			case 0:
				r.MatchString = `%` + w() + `-\d-` + w()
			case 1:
				r.MatchString = w() + ` (\S+) ` + w()
			case 2:
				r.MatchString = `(` + w() + `|` + w() + `) .* ` + w() + `$`
			default:
				r.MatchString = w() + `\s+\d+ ` + w() + `.*` + w()
			}
		}
		rules[i] = r
	}
	return rules
}

// benchEvents makes 512 messages of about 200 bytes over the same words; of every two one has a rule's text.
func benchEvents(rules []Rule) []event.Event {
	rng := rand.New(rand.NewPCG(1, 2))
	words := vocabulary(rng, 3000)
	events := make([]event.Event, 512)
	for i := range events {
		var b strings.Builder
		fmt.Fprintf(&b, "%%SYS-%d-EVENT: Interface GigabitEthernet0/%d ", rng.IntN(8), rng.IntN(48))
		if r := rules[rng.IntN(len(rules))]; i%2 == 0 && r.MatchType == Contains {
			b.WriteString(r.MatchString + " ")
		}
		for b.Len() < 195 {
			b.WriteString(words[rng.IntN(len(words))] + " ")
		}
		events[i] = event.Event{Hostname: fmt.Sprint("host-", i), Message: b.String(), Severity: int8(i % 8), Source: event.SourceSyslog}
	}
	return events
}

func BenchmarkMatch(b *testing.B) {
	for _, mix := range []string{"contains", "mixed20"} {
		for _, n := range []int{10, 1000, 10000} {
			b.Run(fmt.Sprintf("%s/%d", mix, n), func(b *testing.B) {
				rules := benchRules(n, mix == "mixed20")
				set, err := Compile(rules, Tables{})
				if err != nil {
					b.Fatal(err)
				}
				events, sc := benchEvents(rules), set.NewScratch()
				b.ReportAllocs()
				i, hits := 0, 0
				for b.Loop() {
					if _, ok := set.Match(&events[i&511], 0, sc); ok {
						hits++
					}
					i++
				}
				b.ReportMetric(float64(hits)/float64(i), "hits/op")
			})
		}
	}
}

func BenchmarkJudge(b *testing.B) {
	rules := benchRules(1000, false)
	set, err := Compile(rules, Tables{DevHosts: []string{"lab-*", "dev1"}, Teams: map[string]string{"host-1": "A"}})
	if err != nil {
		b.Fatal(err)
	}
	events, sc := benchEvents(rules), set.NewScratch()
	var d event.Decision
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		set.Judge(&events[i&511], 0, sc, &d)
	}
}

func BenchmarkCompile(b *testing.B) {
	for _, mix := range []string{"contains", "mixed20"} {
		b.Run(mix+"/10000", func(b *testing.B) {
			rules := benchRules(10000, mix == "mixed20")
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			b.ReportAllocs()
			var set *Set
			var err error
			for b.Loop() {
				if set, err = Compile(rules, Tables{}); err != nil {
					b.Fatal(err)
				}
			}
			runtime.GC()
			runtime.ReadMemStats(&after)
			b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/(1<<20), "heap-MB")
			runtime.KeepAlive(set)
		})
	}
}

func BenchmarkMask(b *testing.B) {
	events := benchEvents(benchRules(10, false))
	var dst []byte
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		dst = AppendMask(dst[:0], events[i&511].Message)
	}
}

// BenchmarkShadowedBy compares every rule with those of better rank.
func BenchmarkShadowedBy(b *testing.B) {
	for _, n := range []int{1000, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			set, err := Compile(benchRules(n, true), Tables{})
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := set.ShadowedBy(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
