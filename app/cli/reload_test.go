package cli

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/muttproject/mutt/app/apptest"
)

// output is a buffer that is written and read at once.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// TestHangup: SIGHUP brings a new secret into force, names what waits for a restart, and keeps what it had when the
// file is wrong. It is not parallel: the signal reaches the whole process.
func TestHangup(t *testing.T) {
	dir := t.TempDir()
	file, key := filepath.Join(dir, "mutt.yaml"), filepath.Join(dir, "moog.key")
	write := func(name, text string) {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	base := "data_dir: " + filepath.Join(dir, "data") + "\nlisteners: {ingest: '127.0.0.1:0', admin: '127.0.0.1:0', ops: off, syslog_udp: off, syslog_tcp: off}\n" +
		"forward:\n  api_key_file: " + key + "\n"
	write(key, "first\n")
	write(file, base)
	ctx, cancel := context.WithCancel(t.Context())
	var log output
	done := make(chan int, 1)
	go func() {
		done <- Run(ctx, []string{"serve", "--config", file, "--log-format", "json"}, streams{in: &bytes.Buffer{}, out: &log, err: &log, environ: []string{"WEBUI_API_KEY=a-key-of-20-characters"}})
	}()
	says := func(what string) {
		t.Helper()
		if got, ok := apptest.Poll(func() (bool, any) { text := log.String(); return strings.Contains(text, what), text }); !ok {
			t.Fatalf("the log does not come to say %s: %v", what, got)
		}
	}
	hangup := func() {
		if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
	}
	says(`"ready"`)

	write(key, "second\n")
	write(file, base+"shutdown_timeout: 9s\n")
	hangup()
	says(`wait for a restart","settings":"shutdown_timeout"`)
	says(`"reloaded","settings":"forward.api_key_file"`)

	write(file, base+"queue: {partitons: 4}\n")
	hangup()
	says(file + ":5:9: queue.partitons is not a setting; did you mean queue.partitions?")

	write(file, base+"redis: {host: r}\n")
	hangup()
	says("set DB_HOST too")

	cancel()
	if code := <-done; code != 0 {
		t.Errorf("ended with %d: %s", code, log.String())
	}
	if strings.Contains(log.String(), "second") {
		t.Error("the log shows the secret")
	}
}
