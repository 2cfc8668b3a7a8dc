package reverse

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// zone is a name server.
type zone struct {
	mu      sync.Mutex
	names   map[string][]string
	err     error
	delay   time.Duration
	asked   int
	at, max int // lookups that run, and ran at once
}

func (z *zone) LookupAddr(ctx context.Context, addr string) ([]string, error) {
	z.mu.Lock()
	z.asked++
	z.at++
	z.max = max(z.max, z.at)
	names, err, delay := z.names[addr], z.err, z.delay
	z.mu.Unlock()
	defer func() {
		z.mu.Lock()
		z.at--
		z.mu.Unlock()
	}()
	select {
	case <-time.After(delay):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if err == nil && names == nil {
		err = &net.DNSError{Err: "no such host", IsNotFound: true}
	}
	return names, err
}

func (z *zone) change(f func()) {
	z.mu.Lock()
	defer z.mu.Unlock()
	f()
}

func plain(name string) bool { return !strings.ContainsAny(name, "_ \x1b") }

func in(t *testing.T, z *zone, test func(t *testing.T, n *Names)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		n := New(z, plain, time.Now)
		defer n.Close()
		test(t, n)
	})
}

// settled returns the name of an address when its lookup is over.
func settled(n *Names, addr string) string {
	n.Name(addr)
	time.Sleep(Deadline + time.Millisecond) // virtual
	synctest.Wait()
	return n.Name(addr)
}

func TestNames(t *testing.T) {
	t.Parallel()
	z := &zone{names: map[string][]string{"192.0.2.1": {"b.example.net.", "a.example.net."}, "192.0.2.2": {"evil\x1b[2J.", "192.0.2.9.", "fine."},
		"192.0.2.3": {"192.0.2.9."}}}
	in(t, z, func(t *testing.T, n *Names) {
		if got := n.Name("192.0.2.1"); got != "" {
			t.Errorf("Name waits, and returns %q", got)
		}
		for addr, want := range map[string]string{"192.0.2.1": "a.example.net", "192.0.2.2": "fine", "192.0.2.3": "", "192.0.2.4": ""} {
			if got := settled(n, addr); got != want {
				t.Errorf("%s is %q, want %q", addr, got, want)
			}
		}
	})
}

func TestAges(t *testing.T) {
	t.Parallel()
	z := &zone{names: map[string][]string{"192.0.2.1": {"old."}}}
	in(t, z, func(t *testing.T, n *Names) {
		settled(n, "192.0.2.1")
		settled(n, "192.0.2.2")
		for range 100 {
			n.Name("192.0.2.1")
			n.Name("192.0.2.2")
		}
		if z.asked != 2 {
			t.Errorf("asked %d times", z.asked)
		}
		z.change(func() { z.names = map[string][]string{"192.0.2.1": {"new."}, "192.0.2.2": {"found."}} })
		time.Sleep(Nameless)
		if got := settled(n, "192.0.2.2"); got != "found" || n.Name("192.0.2.1") != "old" {
			t.Errorf("after %v: %q", Nameless, got)
		}
		time.Sleep(Fresh)
		if got := n.Name("192.0.2.1"); got != "old" {
			t.Errorf("while it is looked up again it is %q", got)
		}
		if got := settled(n, "192.0.2.1"); got != "new" {
			t.Errorf("after %v: %q", Fresh, got)
		}
		z.change(func() { z.err = errors.New("server misbehaving") })
		time.Sleep(Fresh)
		if got := settled(n, "192.0.2.1"); got != "new" {
			t.Errorf("an outage of DNS renames a host: %q", got)
		}
		z.change(func() { z.err, z.names = nil, nil })
		time.Sleep(Fresh)
		if got := settled(n, "192.0.2.1"); got != "" {
			t.Errorf("a name that is gone stays: %q", got)
		}
	})
}

// TestSlowServer: a server that does not answer delays nobody beyond the caller's bound, and lookups end.
func TestSlowServer(t *testing.T) {
	t.Parallel()
	z := &zone{names: map[string][]string{"192.0.2.1": {"late."}}, delay: 500 * time.Millisecond}
	in(t, z, func(t *testing.T, n *Names) {
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if got := n.Await(ctx, "192.0.2.1"); got != "" || time.Since(began) != 100*time.Millisecond {
			t.Errorf("got %q after %v", got, time.Since(began))
		}
		if got := n.Await(t.Context(), "192.0.2.1"); got != "late" || time.Since(began) != 500*time.Millisecond {
			t.Errorf("got %q after %v", got, time.Since(began))
		}
		z.change(func() { z.delay = time.Hour })
		if got := n.Await(t.Context(), "192.0.2.2"); got != "" || time.Since(began) != 500*time.Millisecond+Deadline {
			t.Errorf("got %q after %v", got, time.Since(began))
		}
		n.Name("192.0.2.3") // Close ends its lookup
	})
}

// TestFlood: made-up addresses run few lookups at once, fill a bounded memory and push out no device's name.
func TestFlood(t *testing.T) {
	t.Parallel()
	z := &zone{names: map[string][]string{"192.0.2.1": {"device."}}, delay: 10 * time.Millisecond}
	in(t, z, func(t *testing.T, n *Names) {
		settled(n, "192.0.2.1")
		for i := range 3 * MaxNames {
			n.Name(fmt.Sprint("10.", i>>16, ".", i>>8&255, ".", i&255))
			if i%MaxLookups == 0 {
				time.Sleep(10 * time.Millisecond)
			}
		}
		synctest.Wait()
		if z.max > MaxLookups || len(n.known) > MaxNames || len(n.known) < MaxNames/2 {
			t.Errorf("%d lookups at once, %d addresses kept", z.max, len(n.known))
		}
		if got := n.Name("192.0.2.1"); got != "device" {
			t.Errorf("the device is %q", got)
		}
	})
}
