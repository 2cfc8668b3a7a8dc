package coord

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/deps"
	"github.com/muttproject/mutt/platform/lifecycle"
)

// LeaderOptions configure a Leader. All but TTL are required.
type LeaderOptions struct {
	Coord Coord
	Name  string // of the job
	Owner string // this run of a process, unique
	// Run works until its context ends, which is when the lease may be lost or the process stops. What it writes can
	// carry the token, by which a leader that was passed is recognised. When it returns by itself the lease is free, and
	// whoever comes first runs it again after about TTL/4. OnlyLead for those who only ask Leading.
	Run func(ctx context.Context, token int64) error
	TTL time.Duration // within which a leader that died is replaced; 0 means 10 s
	Log *zap.Logger
}

// OnlyLead is the job of a Leader that is only asked whether it leads.
func OnlyLead(ctx context.Context, _ int64) error { <-ctx.Done(); return nil }

// Leader runs a job in one of several processes: where a lease is held. A quarter of the lease's time is left to the
// job to end after its context did.
type Leader struct {
	*lifecycle.Runner
	opts    LeaderOptions
	leading atomic.Bool
	away    bool // the last call failed; owned by run
}

var _ lifecycle.Service = (*Leader)(nil)

// NewLeader returns a Leader. It does no I/O.
func NewLeader(o LeaderOptions) *Leader {
	deps.Must(o)
	if o.TTL <= 0 {
		o.TTL = 10 * time.Second
	}
	l := &Leader{opts: o}
	l.Runner = lifecycle.NewRunner("leader "+o.Name, l.run)
	return l
}

// Leading reports whether this process holds the lease.
func (l *Leader) Leading() bool { return l.leading.Load() }

func (l *Leader) run(ctx context.Context) error {
	for {
		sent := time.Now()
		got, err := l.lease(ctx, 0)
		pause := l.opts.TTL / 4
		switch {
		case err != nil:
		case got.Granted:
			l.lead(ctx, got.Token, sent)
		default:
			pause = max(time.Millisecond, min(pause, got.TTL))
		}
		if err := sleep(ctx, pause); err != nil {
			return err
		}
	}
}

// lead runs the job under a lease that was asked for at a time, and ends the lease.
func (l *Leader) lead(ctx context.Context, token int64, sent time.Time) {
	job, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- l.opts.Run(job, token) }()
	l.leading.Store(true)
	l.opts.Log.Info("this process leads a job", zap.String("job", l.opts.Name), zap.Int64("token", token))
	err, ended := l.hold(ctx, token, sent, done)
	l.leading.Store(false)
	cancel()
	if !ended {
		err = <-done
	}
	if err != nil && !errors.Is(err, context.Canceled) {
		l.opts.Log.Warn("a leader's job failed, it is tried again", zap.String("job", l.opts.Name), zap.Error(err))
	}
	if err := l.opts.Coord.Release(context.WithoutCancel(ctx), l.key(), token); err != nil {
		l.opts.Log.Warn("a lease could not be released, it expires", zap.String("job", l.opts.Name), zap.Error(err))
	}
}

// hold renews the lease until it may be lost, the job ended or ctx is over.
func (l *Leader) hold(ctx context.Context, token int64, sent time.Time, done <-chan error) (err error, ended bool) {
	ttl := l.opts.TTL
	until, pause := sent.Add(ttl-ttl/4), ttl/4
	for {
		timer := time.NewTimer(min(pause, time.Until(until)))
		select {
		case err := <-done:
			timer.Stop()
			return err, true
		case <-ctx.Done():
			timer.Stop()
			return nil, false
		case <-timer.C:
		}
		call, cancel := context.WithDeadline(ctx, until)
		sent := time.Now()
		got, err := l.lease(call, token)
		cancel()
		switch {
		case err == nil && got.Granted:
			until, pause = sent.Add(ttl-ttl/4), ttl/4
		case err == nil || !time.Now().Before(until):
			l.opts.Log.Warn("the lead of a job was lost", zap.String("job", l.opts.Name), zap.String("leader", got.Owner), zap.Error(err))
			return nil, false
		default:
			pause = ttl / 16
		}
	}
}

// lease takes or renews the lease, and logs once when that begins to fail.
func (l *Leader) lease(ctx context.Context, token int64) (Leased, error) {
	got, err := l.opts.Coord.Lease(ctx, LeaseParams{Key: l.key(), Owner: l.opts.Owner, TTL: l.opts.TTL, Token: token})
	if err != nil && !l.away && !errors.Is(err, context.Canceled) {
		l.opts.Log.Warn("a lease cannot be asked for", zap.String("job", l.opts.Name), zap.Error(err))
	}
	l.away = err != nil
	return got, err
}

func (l *Leader) key() string { return "leader/" + l.opts.Name }
