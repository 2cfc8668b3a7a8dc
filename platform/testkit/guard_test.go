package testkit_test

import (
	"bufio"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/muttproject/mutt/platform/testkit"
)

// inChild is set in the process that TestServersEndWithAKilledTest kills.
const inChild = "MUTT_TESTKIT_CHILD"

// TestServersEndWithAKilledTest runs itself in another process, kills that and expects that nothing is left.
func TestServersEndWithAKilledTest(t *testing.T) {
	t.Parallel()
	if os.Getenv(inChild) != "" {
		r, p := testkit.Redis(t, testkit.RedisOptions{}), testkit.Postgres(t, testkit.PostgresOptions{})
		p.Pause() // the guard must end frozen processes, too
		_, _ = os.Stdout.WriteString("servers " + r.Addr() + " " + net.JoinHostPort(p.Host, strconv.Itoa(p.Port)) + "\n")
		select {}
	}
	tmp, err := os.MkdirTemp("", "mutt-guard-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(tmp) })
	if err := os.Chmod(tmp, 0o777); err != nil { // the user of PostgreSQL removes its directory in it
		t.Fatal(err)
	}
	child := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	child.Env = append(os.Environ(), inChild+"=1", "TMPDIR="+tmp)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	var addrs []string
	for lines := bufio.NewScanner(out); addrs == nil && lines.Scan(); {
		if rest, ok := strings.CutPrefix(lines.Text(), "servers "); ok {
			addrs = strings.Fields(rest)
		}
	}
	_ = child.Process.Kill()
	_ = child.Wait()
	if len(addrs) != 2 {
		t.Fatalf("the other process ran no servers: %q", addrs)
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(20 * time.Second); leftover(t, tmp, addrs) != ""; <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("still there after the test was killed: %s", leftover(t, tmp, addrs))
		}
	}
}

func leftover(t *testing.T, tmp string, addrs []string) string {
	t.Helper()
	for _, addr := range addrs {
		if c, err := net.Dial("tcp", addr); err == nil {
			_ = c.Close()
			return addr
		}
	}
	entries, err := os.ReadDir(tmp)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), "mutt-redis-") || strings.HasPrefix(e.Name(), "mutt-postgres-") {
			return e.Name()
		}
	}
	return ""
}
