package tlsconf_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/muttproject/mutt/platform/connect/tlsconf"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/testkit"
)

// TestModesOfTheKey: a key that others may have written is refused by the command that mends it, in words that name no path to /health.
func TestModesOfTheKey(t *testing.T) {
	t.Parallel()
	a := testkit.NewAuthority(t)
	f := files(t, a, a, time.Now().Add(time.Hour))
	for mode, refused := range map[os.FileMode]bool{0o600: false, 0o644: false, 0o444: false, 0o666: true, 0o602: true} {
		if err := os.Chmod(f.KeyFile, mode); err != nil {
			t.Fatal(err)
		}
		_, err := tlsconf.New(peer(), f)
		got, _ := fault.As(err)
		if (err != nil) != refused || refused && (got.Code != fault.ConfigInvalid || !strings.Contains(got.Remedy, "chmod 600 "+f.KeyFile) || strings.Contains(got.Message, f.KeyFile)) {
			t.Errorf("%04o: %v", mode, err)
		}
	}
}
