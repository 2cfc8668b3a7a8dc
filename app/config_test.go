package app

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/muttproject/mutt/platform/fault"
)

var update = flag.Bool("update", false, "write the golden files anew")

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s (run with -update when it is meant): %s", path, d)
	}
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	c, warnings, err := LoadConfig(nil)
	if err != nil || len(warnings) != 0 {
		t.Fatalf("%v %v", err, warnings)
	}
	if c.UI.Addr != "127.0.0.1:8090" || c.Ops.Addr != "127.0.0.1:8081" || c.Ingest.Addr != "0.0.0.0:8080" ||
		c.Forward.Timeout != 10*time.Second || c.ShutdownTimeout != 30*time.Second || c.DataDir != "mutt-data" {
		t.Fatalf("got %+v", c)
	}
}

func TestEnvironment(t *testing.T) {
	t.Parallel()
	c, warnings, err := LoadConfig([]string{
		"MUTT_DATA_DIR=/tmp/x", "SERVER_PORT_INGESTOR=18080", "SERVER_PORT_WEBUI=0", "MUTT_ADMIN_ADDR=0.0.0.0", "MUTT_OPS_ADDR=off",
		"MUTT_SYSLOG_UDP_ADDR=:1514", "MUTT_SYSLOG_TCP_ADDR=[::1]:1515", "MOOG_WEBHOOK_URL=http://127.0.0.1:9/events",
		"MOOG_WEBHOOK_TIMEOUT=2.5", "INGEST_API_KEY=hush-hush", "MUTT_PORT=tcp://10.0.0.1:80", "MUTT_DATADIR=/x", "MUTT_SHUTDOWN_TIMEOUT=tcp://10.0.0.1:1",
	})
	if err != nil {
		t.Fatal(err)
	}
	if c.Ingest.Addr != "0.0.0.0:18080" || c.UI.Addr != "0.0.0.0:0" || c.Ops.Addr != Off || c.Ingest.SyslogUDPAddr != ":1514" ||
		c.Ingest.SyslogTCPAddr != "[::1]:1515" || c.Forward.Timeout != 2500*time.Millisecond {
		t.Fatalf("got %+v", c)
	}
	if len(warnings) != 1 || !strings.Contains(warnings[0], "did you mean MUTT_DATA_DIR") {
		t.Fatalf("got %v", warnings)
	}
	shown, err := json.Marshal(c.Static())
	if err != nil {
		t.Fatal(err)
	}
	if s := string(shown); strings.Contains(s, "hush") || !strings.Contains(s, `"ingest.api_key_file":{"value":"[redacted]","source":"environment INGEST_API_KEY"}`) ||
		!strings.Contains(s, `"data_dir":{"value":"/tmp/x","source":"environment MUTT_DATA_DIR"}`) {
		t.Fatalf("got %s", s)
	}
}

func TestBadSettingsAreAllNamed(t *testing.T) {
	t.Parallel()
	_, _, err := LoadConfig([]string{"SERVER_PORT_INGESTOR=70000", "MOOG_WEBHOOK_URL=http://u:pw@h/", "MOOG_WEBHOOK_TIMEOUT=soon",
		"MUTT_FORWARD_FORMAT=xml", "MUTT_FORWARD_BATCH_MAX=0", "MUTT_OPS_ADDR=a b:1"})
	if !fault.Is(err, fault.ConfigInvalid) {
		t.Fatalf("got %v", err)
	}
	if strings.Contains(err.Error(), "u:pw") {
		t.Error("the error shows the password")
	}
	for _, name := range []string{"SERVER_PORT_INGESTOR", "MOOG_WEBHOOK_URL", "MOOG_WEBHOOK_TIMEOUT", "MUTT_FORWARD_FORMAT", "MUTT_FORWARD_BATCH_MAX", "MUTT_OPS_ADDR"} {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("%s is not named in %v", name, err)
		}
	}
}

func TestKeysAreMadeOnceAndKeptPrivate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := newParts(Quiet(Options{Config: Config{DataDir: dir}}))
	withSecrets(t, p)
	first, err := p.bootstrap()
	if err != nil || !first.adminMade {
		t.Fatalf("%v %v", first.adminMade, err)
	}
	again, err := p.bootstrap()
	if err != nil || again.adminMade || !again.admin.Equal(first.admin) || !again.ingest.Equal(first.ingest) || first.admin.Equal(first.ingest) {
		t.Fatal("the second start uses the kept keys")
	}
	for _, name := range []string{IngestKeyFile, AdminKeyFile} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Fatalf("%s: %v %v", name, info.Mode(), err)
		}
	}
}
