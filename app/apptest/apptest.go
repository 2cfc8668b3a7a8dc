// Package apptest runs MUTT inside a test: the real parts on free ports and a data directory of their own, with a
// destination that the test owns. It is imported by tests only.
//
// Principles:
//  1. The process under test is the one that 'mutt serve' runs: app.App with settings from an environment.
//  2. A test says what it expects to see from outside: an alert, an audit row, books that balance.
//  3. Nothing sleeps for luck: every wait polls a real condition until a generous deadline.
package apptest

import (
	"context"
	"maps"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest"

	"github.com/muttproject/mutt/app"
	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/store"
	"github.com/muttproject/mutt/platform/testkit"
)

// Keys that every MUTT of this package accepts, generated ones, which are let in while their source is throttled too; and the one that it
// shows to its destination.
const (
	IngestKey = "mutt_6hef7dte6ejicj4nhy74ygkz7wqtkdrjgapgyuswmfh2cgt3ueenphsrjy"
	AdminKey  = "mutt_rk7hmn6crmmdavxljz23cq7p57afixdjsu7wgtpbs2kj35pvdrnfmfnniy"
	MoogKey   = "test-moog-key"
)

// Process is the name of the process, which alerts carry.
const Process = "mutt-test"

// stopBound limits an orderly stop.
const stopBound = 30 * time.Second

// Options are what differs between tests.
type Options struct {
	Roles         app.RoleSet                               // nil for all
	Env           map[string]string                         // over the harness's own settings; "" unsets one
	Rules         []byte                                    // YAML; what judges from the first event on
	Prepare       func(context.Context, *store.Store) error // works on the store before the process starts; may be nil
	DataDir       string                                    // "" for a temporary one
	NoDestination bool                                      // leave MOOG_WEBHOOK_URL open
	NoMigrate     bool                                      // as 'serve' does it on PostgreSQL: the schema must be there
	Servers       *Servers                                  // nil for embedded storage
	RotationHold  time.Duration                             // of a command that was killed; 0 for what serve has
	TLS           *testkit.Authority                        // of the certificate of every listener; nil for clear text
	Names         []string                                  // of that certificate; by default those of this machine
}

// MUTT is a running MUTT.
type MUTT struct {
	t    testing.TB
	opts Options
	app  *app.App
	http *http.Client

	Level zap.AtomicLevel // what is logged at least; log_level moves it
	Logs  Log             // what was logged at that level

	Client      *apiclient.Client // with the admin key; nil without the role ui
	Destination *Destination      // nil with Options.NoDestination
	DataDir     string

	IngestURL string // "http://127.0.0.1:…", with TLS https; "" without the role
	AdminURL  string
	OpsURL    string
	SyslogUDP string // host:port
	SyslogTCP string
	SyslogTLS string // "" without TLS

	CertFile, KeyFile string // with TLS
}

// Start runs a MUTT until the test ends.
func Start(t testing.TB, o Options) *MUTT {
	t.Helper()
	if o.Roles == nil {
		o.Roles = app.Roles()
	}
	if o.DataDir == "" {
		o.DataDir = filepath.Join(t.TempDir(), "data")
	}
	m := &MUTT{t: t, opts: o, DataDir: o.DataDir, http: &http.Client{Transport: &http.Transport{}, Timeout: patience}}
	if !o.NoDestination {
		m.Destination = NewDestination(t)
	}
	if o.TLS != nil {
		if o.Names == nil {
			o.Names = []string{"localhost", "127.0.0.1"}
		}
		m.CertFile, m.KeyFile = o.TLS.PairFor(t, time.Now().Add(30*24*time.Hour), o.Names...)
		m.http.Transport = &http.Transport{TLSClientConfig: o.TLS.Client(), ForceAttemptHTTP2: true}
		m.http.Transport.(*http.Transport).TLSClientConfig.ServerName = strings.Replace(o.Names[0], "*", "mutt", 1)
	}
	t.Cleanup(m.Stop)
	if len(o.Rules) > 0 {
		m.seed(o.Rules)
	}
	if o.Prepare != nil {
		m.prepare(o.Prepare)
	}
	m.run()
	return m
}

// environ gives the settings as an environment.
func (m *MUTT) environ() []string {
	env := map[string]string{
		"MUTT_DATA_DIR": m.DataDir, "POD_NAME": Process,
		"MUTT_INGEST_ADDR": "127.0.0.1:0", "MUTT_ADMIN_ADDR": "127.0.0.1:0", "MUTT_OPS_ADDR": "127.0.0.1:0",
		"MUTT_SYSLOG_UDP_ADDR": "127.0.0.1:0", "MUTT_SYSLOG_TCP_ADDR": "127.0.0.1:0",
		"INGEST_API_KEY": IngestKey, "WEBUI_API_KEY": AdminKey, "MOOG_API_KEY": MoogKey,
		"MOOG_RATE_LIMIT": "1000000", "LOG_LEVEL": "warn",
	}
	if m.opts.TLS != nil {
		env["MUTT_TLS_CERT_FILE"], env["MUTT_TLS_KEY_FILE"], env["MUTT_SYSLOG_TLS_ADDR"] = m.CertFile, m.KeyFile, "127.0.0.1:0"
	}
	if m.Destination != nil {
		env["MOOG_WEBHOOK_URL"] = m.Destination.URL
	}
	if m.opts.Servers != nil {
		maps.Copy(env, m.opts.Servers.Env())
	}
	maps.Copy(env, m.opts.Env)
	out := make([]string, 0, len(env))
	for k, v := range env {
		out = append(out, k+"="+v)
	}
	return out
}

// run starts the process and notes where it listens.
func (m *MUTT) run() {
	m.t.Helper()
	environ := m.environ()
	cfg, warnings, err := app.LoadConfig(environ)
	if err != nil || len(warnings) > 0 {
		m.t.Fatalf("configuration: %v %v", err, warnings)
	}
	level := zap.NewAtomicLevelAt(zapcore.WarnLevel)
	m.Level = level
	a := app.New(app.Options{Roles: m.opts.Roles, Config: cfg, Level: level, Migrate: !m.opts.NoMigrate, RotationHold: m.opts.RotationHold,
		Logger: zaptest.NewLogger(m.t, zaptest.Level(level)).WithOptions(searched(m.t), m.Logs.kept()), Getenv: lookup(environ), Now: time.Now,
		OnAdmin: func(string, string) {}, Started: func(map[string]string) {}})
	if err := a.Start(m.t.Context()); err != nil {
		m.t.Fatalf("start: %v", err)
	}
	m.app = a
	m.place(a.Listeners())
}

// place notes the addresses and makes the client.
func (m *MUTT) place(listeners map[string]string) {
	m.t.Helper()
	url := func(name string) string {
		if listeners[name] == "" {
			return ""
		}
		if m.opts.TLS != nil {
			return "https://" + listeners[name]
		}
		return "http://" + listeners[name]
	}
	m.IngestURL, m.AdminURL, m.OpsURL = url("ingest"), url("admin"), url("ops")
	m.SyslogUDP, m.SyslogTCP, m.SyslogTLS = listeners["syslog-udp"], listeners["syslog-tcp"], listeners["syslog-tls"]
	if m.AdminURL == "" {
		m.Client = nil
		return
	}
	c, err := apiclient.New(apiclient.Options{BaseURL: m.AdminURL, Key: AdminKey, Transport: m.http.Transport, Timeout: patience})
	if err != nil {
		m.t.Fatal(err)
	}
	m.Client = c
}

// Stop ends the process in an orderly way, as SIGTERM does. It is idempotent.
func (m *MUTT) Stop() {
	m.t.Helper()
	m.http.CloseIdleConnections()
	if m.app == nil {
		return
	}
	// The test's own context has ended when a cleanup runs.
	ctx, cancel := context.WithTimeout(context.Background(), stopBound)
	defer cancel()
	if err := m.app.Stop(ctx); err != nil {
		m.t.Errorf("stop: %v", err)
	}
	m.app = nil
}

// Restart stops the process and starts one of the given roles (nil: the same) on the same data directory. The
// listeners move.
func (m *MUTT) Restart(roles app.RoleSet) {
	m.t.Helper()
	m.Stop()
	if roles != nil {
		m.opts.Roles = roles
	}
	m.run()
}

// lookup finds variables in an environment.
func lookup(environ []string) func(string) string {
	return func(name string) string {
		for _, kv := range environ {
			if k, v, ok := strings.Cut(kv, "="); ok && k == name {
				return v
			}
		}
		return ""
	}
}
