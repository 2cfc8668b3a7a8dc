package acceptance

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/muttproject/mutt/app/apptest"
	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/testkit"
)

// site is where one MUTT lives, whichever process runs it: a data directory and fixed ports.
type site struct {
	dir     string // the data directory
	logFile string
	ingest  string // host:port
	admin   string
	tcp     string // syslog over TCP and UDP
	ops     string
	env     []string
	client  *apiclient.Client
}

// newSite chooses ports and settings; env adds to them.
func newSite(t *testing.T, dir, webhook string, env ...string) *site {
	t.Helper()
	address := func() string { return fmt.Sprintf("127.0.0.1:%d", testkit.FreePort(t)) }
	s := &site{dir: filepath.Join(dir, "data"), logFile: filepath.Join(dir, "mutt.log"), ingest: address(), admin: address(), tcp: address(), ops: address()}
	s.env = append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "MUTT_DATA_DIR=" + s.dir, "POD_NAME=" + apptest.Process, "MUTT_LOG_FORMAT=json",
		"MUTT_INGEST_ADDR=" + s.ingest, "MUTT_ADMIN_ADDR=" + s.admin, "MUTT_SYSLOG_TCP_ADDR=" + s.tcp,
		"MUTT_SYSLOG_UDP_ADDR=" + s.tcp, "MUTT_OPS_ADDR=" + s.ops,
		"INGEST_API_KEY=" + apptest.IngestKey, "WEBUI_API_KEY=" + apptest.AdminKey, "MOOG_API_KEY=" + apptest.MoogKey,
		"MOOG_WEBHOOK_URL=" + webhook, "MOOG_RATE_LIMIT=1000000",
	}, env...)
	t.Cleanup(func() { s.hides(t) })
	var err error
	if s.client, err = apiclient.New(apiclient.Options{BaseURL: "http://" + s.admin, Key: apptest.AdminKey}); err != nil {
		t.Fatal(err)
	}
	return s
}

// process is one start of the binary at a site.
type process struct {
	t     *testing.T
	site  *site
	cmd   *exec.Cmd
	log   *os.File
	ended chan error
}

// serve starts 'mutt serve'. The caller ends it with kill or stop.
func serve(t *testing.T, s *site) *process {
	t.Helper()
	return launch(t, s, exec.Command(binary(t), "serve"))
}

// launch starts a command that is, or becomes, 'mutt serve'.
func launch(t *testing.T, s *site, cmd *exec.Cmd) *process {
	t.Helper()
	log, err := os.OpenFile(s.logFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, site: s, cmd: cmd, log: log, ended: make(chan error, 1)}
	p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr = s.env, log, log
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.cmd.Process.Kill() }) // a test that failed must not leave it behind
	go func() { p.ended <- p.cmd.Wait() }()
	return p
}

// ready waits until every part of the process runs, and says how long that took.
func (p *process) ready() time.Duration {
	p.t.Helper()
	begin := time.Now()
	client := http.Client{Timeout: 5 * time.Second}
	defer client.CloseIdleConnections()
	apptest.Eventually(p.t, "the process is healthy", func() (bool, any) {
		p.lives()
		resp, err := client.Get("http://" + p.site.ops + "/health")
		if err != nil {
			return false, err
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		return err == nil && resp.StatusCode == http.StatusOK, string(body)
	})
	return time.Since(begin)
}

// lives holds that the process did not end by itself.
func (p *process) lives() {
	p.t.Helper()
	select {
	case err := <-p.ended:
		p.t.Fatalf("the process ended by itself: %v\n%s", err, p.site.tail())
	default:
	}
}

// kill ends the process with SIGKILL. That it had ended by itself is a failure.
func (p *process) kill() {
	p.t.Helper()
	p.lives()
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Fatal(err)
	}
	p.wait()
}

// stop ends the process with SIGTERM and wants a clean exit.
func (p *process) stop() {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
	if err := p.wait(); err != nil {
		p.t.Fatalf("an orderly stop ended with %v\n%s", err, p.site.tail())
	}
}

func (p *process) wait() error {
	p.t.Helper()
	bound := time.NewTimer(time.Minute)
	defer bound.Stop()
	select {
	case err := <-p.ended:
		_ = p.log.Close()
		return err
	case <-bound.C:
		p.t.Fatalf("the process does not end\n%s", p.site.tail())
		return nil
	}
}

// tail gives the end of the log.
func (s *site) tail() string {
	text, err := os.ReadFile(s.logFile)
	if err != nil {
		return err.Error()
	}
	lines := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	return string(bytes.Join(lines[max(0, len(lines)-30):], []byte("\n")))
}

// hides holds that the log has nothing of the settings that are secret.
func (s *site) hides(t *testing.T) {
	text, err := os.ReadFile(s.logFile)
	if err != nil {
		return // no process was started here
	}
	for _, kv := range s.env {
		name, value, _ := strings.Cut(kv, "=")
		if secret := strings.Contains(name, "PASS") || strings.HasSuffix(name, "_KEY"); secret && value != "" && bytes.Contains(text, []byte(value)) {
			t.Errorf("the log has the value of %s", name)
		}
	}
}

// complaints counts what was logged above info, by message.
func (s *site) complaints(t *testing.T) map[string]int {
	t.Helper()
	f, err := os.Open(s.logFile)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	out := map[string]int{}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var l struct{ Level, Msg, Error string }
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			out["not JSON: "+lines.Text()]++
		} else if l.Level != "info" && l.Level != "debug" {
			out[strings.TrimSpace(l.Level+": "+l.Msg+" "+l.Error)]++
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}
