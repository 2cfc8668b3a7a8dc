package config

import (
	"strings"
	"testing"

	"github.com/muttproject/mutt/platform/fault"
)

func TestNearest(t *testing.T) {
	t.Parallel()
	names := []string{"unhandled_threshold", "dry_run", "mode"}
	for name, want := range map[string]string{"UNHANDLED_THRESHOLD": "unhandled_threshold", "Dry-Run": "dry_run", "dryrun": "dry_run", "MODE": "mode", "something else": "", "": ""} {
		if got := Nearest(name, names); got != want {
			t.Errorf("nearest to %q: %q, want %q", name, got, want)
		}
	}
	r, _ := declareAll()
	_, err := r.Lookup("RATE_LIMIT")
	if f, ok := fault.As(err); !ok || !strings.Contains(f.Remedy, "rate_limit") {
		t.Errorf("got %v", err)
	}
}
