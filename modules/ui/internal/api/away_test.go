package api

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/store"
)

// fickle is a store that can go away: at once, or by not answering.
type fickle struct {
	Store
	away, hangs atomic.Bool
}

func (f *fickle) fail(ctx context.Context) error {
	if f.hangs.Load() {
		<-ctx.Done()
		return ctx.Err()
	}
	if f.away.Load() {
		return fault.New(fault.StoreUnavailable, "the store is away")
	}
	return nil
}

func (f *fickle) Position(ctx context.Context) (store.Position, error) {
	if err := f.fail(ctx); err != nil {
		return store.Position{}, err
	}
	return f.Store.Position(ctx)
}

func (f *fickle) Revisions(ctx context.Context) (int64, int64, error) {
	if err := f.fail(ctx); err != nil {
		return 0, 0, err
	}
	return f.Store.Revisions(ctx)
}

func (f *fickle) Change(ctx context.Context, actor store.Actor, reason string, fn func(*store.Tx) error) (int64, error) {
	if err := f.fail(ctx); err != nil {
		return 0, err
	}
	return f.Store.Change(ctx, actor, reason, fn)
}

func (f *fickle) ChangeMany(ctx context.Context, actor store.Actor, reason string, fn func(*store.Tx) error) (int64, error) {
	if err := f.fail(ctx); err != nil {
		return 0, err
	}
	return f.Store.ChangeMany(ctx, actor, reason, fn)
}

// Reading the configuration goes on while the store is away; writing is refused and changes nothing.
func TestReadsGoOnWhileTheStoreIsAway(t *testing.T) {
	t.Parallel()
	f := &fickle{}
	b := newBundle(t, func(d *Deps) { f.Store, d.Store = d.Store, f })
	b.createRule(sampleRule)
	b.expect(200, request{method: "PUT", path: "/config/moog_rate_limit", body: `{"value":75}`})
	b.api.Dynamic.Apply(2, map[string]string{"moog_rate_limit": "75"}) // as the poll does
	paths := []string{"/config", "/api/v1/config", "/config/moog_rate_limit", "/rules", "/dev-hosts", "/teams"}
	before := map[string]string{}
	for _, path := range paths {
		rec := b.get(path)
		if rec.Code != 200 || rec.Header().Get("Warning") != "" {
			t.Fatalf("%s: %d %v", path, rec.Code, rec.Header())
		}
		before[path] = rec.Body.String()
	}
	for _, trouble := range []*atomic.Bool{&f.away, &f.hangs} {
		trouble.Store(true)
		for _, path := range paths {
			rec := b.get(path)
			if rec.Code != 200 || rec.Body.String() != before[path] || !strings.HasPrefix(rec.Header().Get("Warning"), "110 ") {
				t.Errorf("%s: %d %v %s", path, rec.Code, rec.Header(), rec.Body)
			}
			if path == "/config/moog_rate_limit" && trouble == &f.hangs {
				break // each takes two seconds
			}
		}
		trouble.Store(false)
	}
	f.away.Store(true)
	b.refuse(503, "", "away", request{method: "PUT", path: "/config/moog_rate_limit", body: `{"value":80}`})
	b.refuse(503, "", "away", request{method: "DELETE", path: "/config/moog_rate_limit"})
	b.refuse(503, "", "away", rollbackOf(2, ""))
	f.away.Store(false)
	if got := b.expect(200, request{method: "GET", path: "/config/moog_rate_limit"}); got["value"] != 75.0 || b.audited() != 2 {
		t.Fatalf("got %v, %d rows", got, b.audited())
	}
}

// A process that has not been asked before knows what is in force, but not who set it.
func TestWhatIsInForceIsShownWhenTheStoreWasNeverRead(t *testing.T) {
	t.Parallel()
	f := &fickle{}
	b := newBundle(t, func(d *Deps) { f.Store, d.Store = d.Store, f })
	b.api.Dynamic.Apply(7, map[string]string{"moog_rate_limit": "75"})
	f.away.Store(true)
	got := b.expect(200, request{method: "GET", path: "/config/moog_rate_limit"})
	if got["value"] != 75.0 || got["updated_at"] != nil {
		t.Fatalf("got %v", got)
	}
	b.refuse(503, "", "away", request{method: "GET", path: "/rules"})
}
