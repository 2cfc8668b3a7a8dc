package trouble

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

func board(t *testing.T) (*Board, *observer.ObservedLogs) {
	core, logs := observer.New(zapcore.DebugLevel)
	b := NewBoard(zap.New(core), time.Now)
	go b.Run(t.Context())
	return b, logs
}

var full = Kind{Name: "queue_full", Begins: "the queue is full", Ends: "the queue has room again", Unit: "events", Advice: Advice{Consequence: "events wait", Remedy: "add space", Promise: NothingLost}}

func lines(logs *observer.ObservedLogs) (out []string) {
	for _, e := range logs.All() {
		line := e.Level.String() + " " + e.Message
		for _, name := range []string{"events", "since_last_line", "lasted", "peer"} {
			if v, ok := e.ContextMap()[name]; ok {
				line += fmt.Sprintf(" %s=%v", name, v)
			}
		}
		out = append(out, line)
	}
	return out
}

func TestLinesOfAState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, logs := board(t)
		s := b.State(full)
		time.Sleep(lookEvery / 2) // between two looks
		for i := range 150 {      // one a second for 150 s
			s.Add(2, zap.Int("peer", i))
			time.Sleep(time.Second)
		}
		if w := b.Warnings(); !slices.Equal(w, []string{"the queue is full (300 events in 2m30s)"}) {
			t.Errorf("warnings while it lasts: %q", w)
		}
		time.Sleep(2 * time.Minute)
		want := []string{
			"warn the queue is full events=2 peer=0",
			"warn the queue is full events=122 since_last_line=120 lasted=1m1s",
			"warn the queue is full events=242 since_last_line=120 lasted=2m1s",
			"warn the queue is full events=300 since_last_line=58 lasted=3m1s",
			"info the queue has room again events=300 lasted=2m30s",
		}
		got := lines(logs)
		if !slices.Equal(got, want) {
			t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		if w := b.Warnings(); len(w) > 0 {
			t.Errorf("warnings when it is over: %q", w)
		}
	})
}

func TestAStateThatIsSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, logs := board(t)
		s := b.State(Kind{Name: "open", Begins: "the breaker is open", Ends: "the breaker is closed", Quiet: 5 * time.Second, Advice: Advice{Consequence: "alerts wait", Remedy: "wait"}})
		for range 1000 { // comes and goes 1,000 times in 100 s: one state
			s.Describe("HTTP 500")
			s.Set(true)
			time.Sleep(50 * time.Millisecond)
			s.Set(false)
			time.Sleep(50 * time.Millisecond)
		}
		if w := b.Warnings(); !s.Active() || len(w) != 1 || w[0] != "the breaker is open: HTTP 500 (for 1m40s)" {
			t.Errorf("active %v, warnings %q", s.Active(), b.Warnings())
		}
		time.Sleep(10 * time.Second)
		if got := lines(logs); len(got) != 3 || !strings.HasPrefix(got[2], "info the breaker is closed") {
			t.Errorf("%d lines:\n%s", len(got), strings.Join(got, "\n"))
		}
	})
}

func TestCountsAreLoggedWhenTheProcessStops(t *testing.T) {
	core, logs := observer.New(zapcore.DebugLevel)
	b := NewBoard(zap.New(core), time.Now)
	s := b.State(full)
	s.Add(3)
	s.Add(4)
	b.close()
	b.close()
	if got := lines(logs); len(got) != 2 || !strings.Contains(got[1], "events=7") {
		t.Errorf("lines %q", got)
	}
}

// Whatever the pattern of occurrences, every one is in exactly one line's since_last_line or in the totals of an end,
// and there are at most three lines a minute.
func TestEveryOccurrenceIsInALine(t *testing.T) {
	for seed := range uint64(50) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 1))
			b, logs := board(t)
			s, began, sum := b.State(full), time.Now(), int64(0)
			for range 1 + random.IntN(40) {
				n := 1 + random.Int64N(5)
				var wg sync.WaitGroup
				for range n {
					wg.Go(func() { s.Add(1) })
				}
				wg.Wait()
				sum += n
				time.Sleep(time.Duration(random.Int64N(int64(100 * time.Second))))
			}
			time.Sleep(3 * time.Minute)
			var ended int64
			for _, e := range logs.All() {
				if e.Level == zap.InfoLevel {
					ended += e.ContextMap()["events"].(int64)
				}
			}
			if ended != sum || s.Count() != sum {
				t.Errorf("seed %d: %d occurrences, %d in the ends", seed, sum, ended)
			}
			if most := 3 * (1 + int(time.Since(began)/time.Minute)); logs.Len() > most {
				t.Errorf("seed %d: %d lines in %s", seed, logs.Len(), time.Since(began))
			}
		})
	}
}

func BenchmarkAdd(b *testing.B) {
	s := NewBoard(zap.NewNop(), time.Now).State(full)
	b.ReportAllocs()
	for b.Loop() {
		s.Add(1)
	}
}

// A state that does not say what follows or what to do is an error of the program.
func TestAKindWithoutAdviceIsRefused(t *testing.T) {
	t.Parallel()
	b, _ := board(t)
	for _, a := range []Advice{{}, {Consequence: "c"}, {Remedy: "r", Promise: NothingLost}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%+v is accepted", a)
				}
			}()
			b.State(Kind{Name: "n", Begins: "b", Ends: "e", Advice: a})
		}()
	}
}
