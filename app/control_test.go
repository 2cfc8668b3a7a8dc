package app

import (
	"context"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/muttproject/mutt/platform/authn"
	"github.com/muttproject/mutt/platform/secret"
	"github.com/muttproject/mutt/platform/store"
)

// withSecrets gives p the secrets of its settings.
func withSecrets(t *testing.T, p *parts) {
	t.Helper()
	if _, err := openSecrets(t.Context(), p); err != nil {
		t.Fatal(err)
	}
}

// controlled gives parts with a real store, and a control that was started on them.
func controlled(t *testing.T, dynamic bool) *parts {
	t.Helper()
	p := newParts(Options{Config: Config{DataDir: t.TempDir(), DynamicConfig: dynamic, Keys: KeysConfig{Ingest: secret.New("the-ingest-key-for-tests"), Admin: secret.New("the-admin-key-for-tests")}}, Logger: zap.NewNop(), Level: zap.NewAtomicLevel(),
		Now: time.Now, Getenv: func(k string) string { return map[string]string{"UNHANDLED_THRESHOLD": "7"}[k] }})
	s, err := openSQLiteStore(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	withSecrets(t, p)
	if _, err := buildControl(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if err := p.control.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.control.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return p
}

// unhandledThreshold is the key that these tests change.
const unhandledThreshold = "unhandled_threshold"

func set(t *testing.T, p *parts, key, value string) {
	t.Helper()
	if _, err := p.store.Change(t.Context(), store.Actor{Name: "test"}, "", func(tx *store.Tx) error { return tx.SetConfig(key, value) }); err != nil {
		t.Fatal(err)
	}
	if err := p.control.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// accepts reports whether the process lets a key in.
func (p *parts) accepts(key string) bool {
	_, verdict := p.keyring.Authenticate(key)
	return verdict == authn.Accepted
}

func TestChangesAreApplied(t *testing.T) {
	t.Parallel()
	p := controlled(t, true)
	if p.handles.alert.Worker.UnhandledThreshold.Get() != 7 {
		t.Fatal("the variable gives the first value")
	}
	set(t, p, unhandledThreshold, "9")
	set(t, p, "log_level", `"warn"`)
	if p.handles.alert.Worker.UnhandledThreshold.Get() != 9 || p.opts.Level.Level() != zapcore.WarnLevel {
		t.Fatalf("not in force: %d, %s", p.handles.alert.Worker.UnhandledThreshold.Get(), p.opts.Level)
	}
	for text, role := range map[string]authn.Role{"the-ingest-key-for-tests": authn.Ingest, "the-admin-key-for-tests": authn.Admin} {
		if key, verdict := p.keyring.Authenticate(text); verdict != authn.Accepted || key.Identity.Role != role {
			t.Errorf("%s: %+v %v", role, key, verdict)
		}
	}
}

func TestSwitchedOffNothingStoredApplies(t *testing.T) {
	t.Parallel()
	p := controlled(t, false)
	set(t, p, unhandledThreshold, "9")
	if p.handles.alert.Worker.UnhandledThreshold.Get() != 7 || p.configView().Enabled {
		t.Fatal("a stored value was applied")
	}
}

func TestBootstrapKeysAreReplaced(t *testing.T) {
	t.Parallel()
	p := controlled(t, true)
	p.keys.admin = secret.New("a-new-admin-key")
	again := newControl(p)
	if err := again.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := again.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	if p.accepts("the-admin-key-for-tests") {
		t.Error("the old key is still accepted")
	}
	if !p.accepts("a-new-admin-key") {
		t.Error("the new key is not accepted")
	}
	keys, err := p.store.APIKeys(t.Context())
	if err != nil || len(keys) != 2 {
		t.Fatalf("%d keys, %v", len(keys), err)
	}
}
