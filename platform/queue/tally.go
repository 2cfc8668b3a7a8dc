package queue

import (
	"context"
	"sync"
	"time"

	"go.uber.org/zap"
)

const (
	tallyEvery = 2 * time.Second
	// tallyLast bounds the write at the end.
	tallyLast = 2 * time.Second
)

// Tally counts beside the books: what never became an entry, and so has no append to go with. It gathers in memory and
// adds to the queue's counters every two seconds. What a killed process had gathered is lost; what was being written when
// the storage went away may count twice.
type Tally struct {
	q   *Queue
	log *zap.Logger

	mu     sync.Mutex
	counts map[Count]int64 // by the count with N 0
	away   bool
}

// NewTally makes a Tally. Run writes it.
func (q *Queue) NewTally(log *zap.Logger) *Tally {
	return &Tally{q: q, log: log, counts: map[Count]int64{}}
}

// Add counts n of a kind now. It does no I/O.
func (t *Tally) Add(kind, label string, n int64) {
	t.mu.Lock()
	t.counts[Count{Minute: t.q.Minute(), Kind: kind, Label: label}] += n
	t.mu.Unlock()
}

// Run writes until ctx ends, and then once more.
func (t *Tally) Run(ctx context.Context) error {
	tick := time.NewTicker(tallyEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			t.write(ctx)
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), tallyLast)
			defer cancel()
			t.write(last)
			return ctx.Err()
		}
	}
}

// write adds what was gathered to the counters; what cannot be written stays.
func (t *Tally) write(ctx context.Context) {
	t.mu.Lock()
	taken := t.counts
	t.counts = make(map[Count]int64)
	t.mu.Unlock()
	if len(taken) == 0 {
		return
	}
	counts := make([]Count, 0, len(taken))
	for c, n := range taken {
		c.N = n
		counts = append(counts, c)
	}
	// One try: a repeat after an unknown outcome would count twice.
	err := t.q.driver.Append(ctx, AppendParams{Process: t.q.opts.Process, Counts: counts})
	t.mu.Lock()
	defer t.mu.Unlock()
	if err != nil {
		for c, n := range taken {
			t.counts[c] += n
		}
	}
	if (err != nil) != t.away {
		t.away = err != nil
		t.log.Info("counts of refused events", zap.Bool("written", err == nil), zap.Error(err))
	}
}
