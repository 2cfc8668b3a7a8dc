package coord_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/muttproject/mutt/platform/coord"
)

func TestASuccessIsRecentForAMinuteAndNamesTheLastRecovery(t *testing.T) {
	t.Parallel()
	clk := newClock()
	shared := coord.NewLocal(clk.Now)
	a, b := coord.NewSuccesses(shared, "x"), coord.NewSuccesses(shared, "x")
	want := func(when string, want coord.Success) {
		t.Helper()
		if got, err := b.Last(t.Context()); err != nil || got != want {
			t.Fatalf("%s: %+v, %v; want %+v", when, got, err, want)
		}
	}
	note := func(recovery string) {
		t.Helper()
		if err := a.Note(t.Context(), recovery); err != nil {
			t.Fatal(err)
		}
	}
	want("before the first", coord.Success{})
	note("")
	want("after a success", coord.Success{Recent: true})
	clk.Advance(coord.SuccessLife - time.Millisecond)
	want("within the minute", coord.Success{Recent: true})
	note("first")
	want("after a recovery", coord.Success{Recent: true, Recovery: "first"})
	clk.Advance(coord.SuccessLife / 2)
	note("")
	clk.Advance(coord.SuccessLife - time.Millisecond)
	want("a success keeps the recovery", coord.Success{Recent: true, Recovery: "first"})
	clk.Advance(time.Millisecond)
	want("after the minute", coord.Success{})
	note("second")
	want("another recovery", coord.Success{Recent: true, Recovery: "second"})
	if got, err := coord.NewSuccesses(shared, "y").Last(t.Context()); err != nil || got != (coord.Success{}) {
		t.Fatalf("another name: %+v, %v", got, err)
	}
}

// A recovery is noted although other processes note successes at the same moment.
func TestARecoveryIsNotedWhileOthersNoteSuccesses(t *testing.T) {
	t.Parallel()
	shared := coord.NewLocal(time.Now)
	for n := range 50 {
		var all sync.WaitGroup
		for _, recovery := range []string{"", "", "", fmt.Sprint(n)} {
			all.Go(func() {
				if err := coord.NewSuccesses(shared, "x").Note(t.Context(), recovery); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if got, err := coord.NewSuccesses(shared, "x").Last(t.Context()); err != nil || got.Recovery != fmt.Sprint(n) {
			t.Fatalf("%+v, %v; want recovery %d", got, err, n)
		}
	}
}
