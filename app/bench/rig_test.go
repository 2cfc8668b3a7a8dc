package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/muttproject/mutt/app/send"
	"github.com/muttproject/mutt/platform/apiclient"
)

// full reports whether figures are wanted, and not only a sign of life.
func full() bool { return os.Getenv("MUTT_BENCH") == "full" }

// size gives the amount of work: n for figures, small otherwise.
func size(n, small int) int {
	if full() {
		return n
	}
	return small
}

// binary builds the product once per benchmark run, as it is shipped.
func binary(b *testing.B) string {
	b.Helper()
	dir := filepath.Join(os.TempDir(), fmt.Sprintf("mutt-bench-%d", os.Getppid()))
	path := filepath.Join(dir, "mutt")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", path, "../..")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("build: %v\n%s", err, out)
	}
	return path
}

const (
	ingestKey = "bench-ingest-key-0123456789"
	adminKey  = "bench-admin-key-0123456789"
)

// rig is a running MUTT.
type rig struct {
	b       *testing.B
	bin     string
	cmd     *exec.Cmd
	dir     string
	addrs   map[string]string
	startup time.Duration // from exec to ready
	client  *apiclient.Client
}

// start runs 'mutt serve' with the given roles and variables, and waits until it is ready.
func start(b *testing.B, bin, roles string, env ...string) *rig {
	b.Helper()
	r := &rig{b: b, bin: bin, dir: b.TempDir(), addrs: map[string]string{}}
	r.cmd = exec.Command(bin, "serve", "--migrate", "--roles", roles)
	r.cmd.Env = append([]string{"MUTT_DATA_DIR=" + r.dir, "SERVER_PORT_INGESTOR=0", "SERVER_PORT_WEBUI=0", "MUTT_INGEST_ADDR=127.0.0.1",
		"MUTT_OPS_ADDR=127.0.0.1:0", "MUTT_SYSLOG_UDP_ADDR=127.0.0.1:0", "MUTT_SYSLOG_TCP_ADDR=127.0.0.1:0", "MUTT_LOG_FORMAT=json",
		"INGEST_API_KEY=" + ingestKey, "WEBUI_API_KEY=" + adminKey, "MOOG_RATE_LIMIT=1000000"}, env...)
	stderr, err := r.cmd.StderrPipe()
	if err != nil {
		b.Fatal(err)
	}
	begin := time.Now()
	if err := r.cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(r.stop)
	lines := bufio.NewScanner(stderr)
	var said []string
	for lines.Scan() {
		said = append(said, lines.Text())
		var l map[string]any
		if json.Unmarshal(lines.Bytes(), &l) == nil && l["msg"] == "ready" {
			r.startup = time.Since(begin)
			for k, v := range l {
				if s, ok := v.(string); ok {
					r.addrs[k] = s
				}
			}
			break
		}
	}
	if r.startup == 0 {
		b.Fatalf("mutt serve did not become ready: %s", strings.Join(said, "\n"))
	}
	go func() { _, _ = io.Copy(os.Stderr, stderr) }()
	if r.addrs["admin"] == "" {
		return r
	}
	if r.client, err = apiclient.New(apiclient.Options{BaseURL: "http://" + r.addrs["admin"], Key: adminKey}); err != nil {
		b.Fatal(err)
	}
	return r
}

func (r *rig) stop() {
	if r.cmd.ProcessState != nil {
		return
	}
	_ = r.cmd.Process.Signal(syscall.SIGTERM)
	if err := r.cmd.Wait(); err != nil {
		r.b.Errorf("mutt serve ended with %v", err)
	}
}

// cpu gives the CPU seconds that the process has used.
func (r *rig) cpu() float64 {
	r.b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", r.cmd.Process.Pid))
	if err != nil {
		r.b.Fatal(err)
	}
	_, after, _ := strings.Cut(string(text), ") ")
	f := strings.Fields(after)
	user, _ := strconv.ParseFloat(f[11], 64)
	system, _ := strconv.ParseFloat(f[12], 64)
	const ticks = 100 // USER_HZ on Linux
	return (user + system) / ticks
}

// peak gives the largest resident set so far, in MB.
func (r *rig) peak() float64 {
	r.b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", r.cmd.Process.Pid))
	if err != nil {
		r.b.Fatal(err)
	}
	_, after, _ := strings.Cut(string(text), "VmHWM:")
	kb, err := strconv.ParseFloat(strings.Fields(after)[0], 64)
	if err != nil {
		r.b.Fatal(err)
	}
	return kb / 1024
}

// rules imports n rules and waits until they are in force.
func (r *rig) rules(n int) {
	r.b.Helper()
	r.rulesOnly(n)
	// In force within a second: one event that matches tells.
	r.wait("the rules to be in force", 10*time.Second, func() bool {
		r.send("--count", "10", "--batch", "10", "--tag", "warm-")
		return r.ledger().Judging.ByFate["forwarded"] > 0
	})
}

// rulesOnly imports n contains-rules of which two match a fifth of the generated events.
func (r *rig) rulesOnly(n int) {
	r.b.Helper()
	var y strings.Builder
	y.WriteString("version: 1\nrules:\n")
	for i := range n - 2 {
		fmt.Fprintf(&y, "  - {name: n%d, match_string: 'no-such-text-%d-%x', prod_handling: Ticket_only, dev_handling: Ignore, team_assignment: T}\n", i, i, i*2654435761)
	}
	for _, m := range []string{"%BGP-5-ADJCHANGE", "%ENVMON-2-FANFAIL"} {
		fmt.Fprintf(&y, "  - {name: '%s', match_string: '%s', prod_handling: Ticket_only, dev_handling: Ignore, team_assignment: T}\n", m, m)
	}
	if err := r.client.Do(r.b.Context(), apiclient.Call{Method: http.MethodPost, Path: []string{"rules", "import"},
		Body: []byte(y.String()), ContentType: "application/yaml"}, nil); err != nil {
		r.b.Fatal(err)
	}
}

func (r *rig) ledger() apiclient.Ledger {
	r.b.Helper()
	var l apiclient.Ledger
	if err := r.client.Do(r.b.Context(), apiclient.Call{Method: http.MethodGet, Path: []string{"ledger"}}, &l); err != nil {
		r.b.Fatal(err)
	}
	return l
}

// send runs 'mutt send' in a process of its own and gives what it says.
func (r *rig) send(args ...string) send.Result {
	r.b.Helper()
	res, err := r.trySend(args...)
	if err != nil {
		r.b.Fatal(err)
	}
	return res
}

func (r *rig) trySend(args ...string) (res send.Result, err error) {
	full := append([]string{"send", "-o", "json", "--key", ingestKey}, args...)
	if !contains(args, "--target") {
		full = append(full, "--target", "http://"+r.addrs["ingest"])
	}
	out, err := exec.CommandContext(r.b.Context(), r.bin, full...).Output()
	if err != nil {
		return res, fmt.Errorf("mutt send: %w: %s", err, out)
	}
	return res, json.Unmarshal(out, &res)
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

// wait polls until a condition holds.
func (r *rig) wait(what string, bound time.Duration, holds func() bool) {
	r.b.Helper()
	ctx, cancel := context.WithTimeout(r.b.Context(), bound)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			r.b.Fatalf("gave up waiting for %s", what)
		}
	}
}
