package janitor

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/muttproject/mutt/modules/janitor/internal/retain"
)

// hourly is the work of the leader that may take long: it removes what is past its retention, merges old rows of the books, and reports
// the head of the change audit, so that it is known outside of the database.
type hourly struct {
	retention *retain.Retention
	store     Store
	head      prometheus.Gauge
	log       *zap.Logger
	now       func() time.Time
}

func newHourly(d Deps) *hourly {
	h := &hourly{store: d.Store, log: d.Logger, now: d.Now, retention: retain.New(retain.Deps{Store: d.Store, Queue: d.Queue, Dynamic: d.Dynamic.Retention,
		Log: d.Logger.Named("retention"), Registerer: d.Registerer, Now: d.Now})}
	h.head = prometheus.NewGauge(prometheus.GaugeOpts{Name: "mutt_audit_head_id",
		Help: "Number of the last row of the change audit, when the janitor that leads looked last (once an hour)."})
	d.Registerer.MustRegister(h.head)
	return h
}

// loop works each hour while this process leads, and once when it begins to.
func (m *Module) loop(ctx context.Context) {
	tick := time.NewTicker(foldEvery)
	defer tick.Stop()
	var last time.Time
	for {
		select {
		case <-tick.C:
			if !m.deps.Leader.Leading() || !last.IsZero() && m.deps.Now().Sub(last) < retainEvery {
				continue
			}
			last = m.deps.Now()
			m.hourly.work(ctx)
		case <-ctx.Done():
			return
		}
	}
}

// mergeSteps bounds the merging of one hour. Usually it takes four steps or less; a year of minutes, as an upgrade finds it, takes a day.
const mergeSteps = 1000

// merge merges old rows of the books.
func (h *hourly) merge(ctx context.Context) error {
	taken, err := h.store.MergeBooks(ctx, h.now(), mergeSteps)
	if taken == mergeSteps {
		h.log.Info("merged old rows of the books; the next hour goes on", zap.Int("steps", taken))
	}
	return err
}

// work does it once. A failure is logged, and the next hour tries again.
func (h *hourly) work(ctx context.Context) {
	if err := h.retention.Run(ctx); err != nil && ctx.Err() == nil {
		h.log.Warn("retention did not remove everything that is past its time", zap.Error(err))
	}
	if err := h.merge(ctx); err != nil && ctx.Err() == nil {
		h.log.Warn("cannot merge old rows of the books", zap.Error(err))
	}
	head, err := h.store.ChainHead(ctx)
	switch {
	case err == nil:
		h.head.Set(float64(head.ID))
		h.log.Info("head of the change audit", zap.Int64("audit_id", head.ID), zap.String("audit_hash", head.Hash))
	case ctx.Err() == nil:
		h.log.Warn("cannot read the head of the change audit", zap.Error(err))
	}
}
