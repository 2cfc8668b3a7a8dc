package app

import (
	"context"
	"runtime"
	"testing"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/muttproject/mutt/platform/coord"
	"github.com/muttproject/mutt/platform/secret"
	"github.com/muttproject/mutt/platform/store"
)

// apart gives the parts of a process without a store, beside the publishing process p.
func apart(t *testing.T, shared coord.Coord) *parts {
	t.Helper()
	p := newParts(Options{Config: Config{DataDir: t.TempDir(), DynamicConfig: true, Keys: KeysConfig{Ingest: secret.New("its-own-key-0123456789"), Admin: secret.New("its-own-admin-key-0123456789")}},
		Logger: zap.NewNop(), Level: zap.NewAtomicLevel(), Now: time.Now,
		Getenv: func(string) string { return "" }})
	withSecrets(t, p)
	p.coord = shared
	if _, err := buildControl(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if err := p.control.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	return p
}

// publishing lets a process with a store publish over shared.
func publishing(t *testing.T, shared coord.Coord) *parts {
	t.Helper()
	p := controlled(t, true)
	p.coord = shared
	p.control.publisher = newPublisher(snapshotSource{shared}.publish, zap.NewNop())
	return p
}

func refresh(t *testing.T, p *parts) {
	t.Helper()
	if err := p.control.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestProcessWithoutStoreLivesFromTheSnapshot(t *testing.T) {
	t.Parallel()
	shared := coord.NewLocal(time.Now)
	without := apart(t, shared)
	if w, _ := without.control.Ready(t.Context()); len(w) != 1 {
		t.Errorf("nothing is published yet, and health says %q", w)
	}
	if !without.accepts("its-own-key-0123456789") {
		t.Error("before the first snapshot its own keys are valid")
	}
	with := publishing(t, shared)
	set(t, with, unhandledThreshold, "9")
	refresh(t, without)
	if n := without.handles.alert.Worker.UnhandledThreshold.Get(); n != 9 {
		t.Errorf("the change did not arrive: %d", n)
	}
	for _, key := range []string{"its-own-key-0123456789", "the-ingest-key-for-tests", "the-admin-key-for-tests"} {
		if !without.accepts(key) {
			t.Errorf("%s is not accepted", key)
		}
	}
	if w, _ := without.control.Ready(t.Context()); len(w) != 0 {
		t.Errorf("health says %q", w)
	}
}

// TestSnapshotNeverGoesBack has a process that is behind publish, and a server that lost the snapshot.
func TestSnapshotNeverGoesBack(t *testing.T) {
	t.Parallel()
	shared := coord.NewLocal(time.Now)
	with := publishing(t, shared)
	set(t, with, unhandledThreshold, "9")
	without := apart(t, shared)
	late := *with.control.now.Load()
	late.Revision--
	late.Values = map[string]string{unhandledThreshold: "3"}
	if err := (snapshotSource{shared}).publish(t.Context(), &late); err != nil {
		t.Fatal(err)
	}
	refresh(t, without)
	if n := without.handles.alert.Worker.UnhandledThreshold.Get(); n != 9 {
		t.Errorf("an earlier revision was published: %d", n)
	}

	forget(t, shared)
	refresh(t, without)
	if n := without.handles.alert.Worker.UnhandledThreshold.Get(); n != 9 {
		t.Errorf("without a snapshot the last one stays: %d", n)
	}
	with.control.publisher.at = time.Now().Add(-2 * republish)
	refresh(t, with)
	if v, err := shared.Get(t.Context(), snapshotKey); err != nil || v.Version == 0 {
		t.Errorf("a lost snapshot is published again: %+v %v", v, err)
	}
}

// TestDamagedSnapshotIsReplaced reads one that does not decode.
func TestDamagedSnapshotIsReplaced(t *testing.T) {
	t.Parallel()
	shared := coord.NewLocal(time.Now)
	if _, err := shared.Put(t.Context(), coord.PutParams{Key: snapshotKey, Data: []byte("{")}); err != nil {
		t.Fatal(err)
	}
	p := publishing(t, shared)
	if _, err := (snapshotSource{shared}).load(t.Context(), noPosition()); err == nil {
		t.Error("a damaged snapshot is an error to its readers")
	}
	set(t, p, unhandledThreshold, "4")
	if snap, err := (snapshotSource{shared}).load(t.Context(), noPosition()); err != nil || snap.Values[unhandledThreshold] != "4" {
		t.Errorf("%+v %v", snap, err)
	}
}

func forget(t *testing.T, shared coord.Coord) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	v, err := shared.Get(ctx, snapshotKey)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := shared.Put(ctx, coord.PutParams{Key: snapshotKey, Version: v.Version}); err != nil {
		t.Fatal(err)
	}
}

// TestProcessesStartTogether has many of them store the bootstrap keys at once.
func TestProcessesStartTogether(t *testing.T) {
	t.Parallel()
	p := controlled(t, true)
	renewed := (&bootstrapKeys{ingest: secret.New("another"), ingestNext: secret.New("next"), admin: secret.New("new")}).stored()
	var g errgroup.Group
	for range 16 {
		g.Go(func() error { return storeSource{p.store, zap.NewNop()}.keep(t.Context(), renewed) })
	}
	if err := g.Wait(); err != nil {
		t.Error(err)
	}
	keys, err := p.store.APIKeys(t.Context())
	if err != nil || len(keys) != 2 {
		t.Errorf("%d keys, %v", len(keys), err)
	}
}

// hanging is a source that does not answer before its context ends.
type hanging struct{ source }

func (hanging) load(ctx context.Context, _ store.Position) (*settled, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// TestNobodyWaitsForASourceThatHangs asks for health and revision while a refresh hangs.
func TestNobodyWaitsForASourceThatHangs(t *testing.T) {
	t.Parallel()
	shared := coord.NewLocal(time.Now)
	set(t, publishing(t, shared), unhandledThreshold, "9")
	p := apart(t, shared)
	want := p.control.inForce()
	p.control.source = hanging{p.control.source}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.control.Refresh(ctx) }()
	for p.control.refreshing.TryLock() { // until it hangs
		p.control.refreshing.Unlock()
		runtime.Gosched()
	}
	if got := p.control.inForce(); got != want || want.Revision == 0 {
		t.Errorf("revision %+v, want %+v", got, want)
	}
	if w, err := p.control.Ready(ctx); len(w) != 0 || err != nil {
		t.Errorf("health: %q %v", w, err)
	}
	cancel()
	if err := <-ended; err == nil {
		t.Error("the refresh went through")
	}
	if w, _ := p.control.Ready(t.Context()); len(w) != 1 {
		t.Errorf("health after it failed: %q", w)
	}
}
