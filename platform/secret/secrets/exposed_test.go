package secrets

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/muttproject/mutt/platform/fault"
)

// TestFilesThatOthersWrite: whichever provider reads it, such a file gives no secret.
func TestFilesThatOthersWrite(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, string(DBPass))
	write(t, file, "x", 0o666)
	if _, err := (Directory{dir}).Read(t.Context()); !fault.Is(err, fault.FileUnsafe) {
		t.Errorf("a file of the directory: %v", err)
	}
	if _, err := ReadFile(file); !fault.Is(err, fault.FileUnsafe) {
		t.Errorf("a file of its own: %v", err)
	}
	write(t, file, "x", 0o600)
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := (Directory{dir}).Read(t.Context()); !fault.Is(err, fault.FileUnsafe) {
		t.Errorf("the directory: %v", err)
	}
	if err := os.Chmod(dir, 0o777|os.ModeSticky); err != nil { // as Kubernetes mounts a volume
		t.Fatal(err)
	}
	if _, err := (Directory{dir}).Read(t.Context()); err != nil {
		t.Errorf("a sticky directory: %v", err)
	}
}

// TestExposedSecretsAreToldOnce: a mount that others may read works and warns once, however often it is read and turned.
func TestExposedSecretsAreToldOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, string(DBPass)), "one", 0o444)
	write(t, filepath.Join(dir, string(RedisPass)), "two", 0o644)
	core, logs := observer.New(zap.WarnLevel)
	w := NewWatcher(Options{Providers: []Provider{Directory{dir}}, Every: time.Hour, Refuse: RefuseNone, Log: zap.New(core), Registerer: prometheus.NewRegistry()})
	for range 3 {
		if err := w.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if w.Current().Secret(DBPass).Reveal() != "one" || logs.Len() != 1 || !strings.Contains(logs.All()[0].ContextMap()["reason"].(string), "others may read") {
		t.Errorf("%v", logs.All())
	}
}
