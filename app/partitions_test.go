package app

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/muttproject/mutt/platform/coord"
	"github.com/muttproject/mutt/platform/fault"
)

// TestPartitionsAreAgreed: whoever comes first says how many there are, and nobody else may differ.
func TestPartitionsAreAgreed(t *testing.T) {
	t.Parallel()
	c := coord.NewLocal(time.Now)
	for range 2 {
		if err := agreePartitions(t.Context(), c, 4); err != nil {
			t.Fatalf("the same number: %v", err)
		}
	}
	err := agreePartitions(t.Context(), c, 8)
	f, ok := fault.As(err)
	if !ok || f.Code != fault.ConfigInvalid || !strings.Contains(f.Message, "4 partitions") || !strings.Contains(f.Remedy, "PARTITIONS to 4") {
		t.Errorf("another number: %v", err)
	}
}

// TestPartitionsAreAgreedAtOnce: of processes that start together with different numbers, those of one number start.
func TestPartitionsAreAgreedAtOnce(t *testing.T) {
	t.Parallel()
	c := coord.NewLocal(time.Now)
	errs := make([]error, 8)
	var all sync.WaitGroup
	for i := range errs {
		all.Go(func() { errs[i] = agreePartitions(t.Context(), c, 1+i%2) })
	}
	all.Wait()
	for i, err := range errs {
		if (err == nil) != (errs[i%2] == nil) || (errs[0] == nil) == (errs[1] == nil) {
			t.Fatalf("not one of the numbers: %v", errs)
		}
	}
}
