package ui

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/authn"
	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/httpserver"
	"github.com/muttproject/mutt/platform/netguard/netguardtest"
	"github.com/muttproject/mutt/platform/queue"
	"github.com/muttproject/mutt/platform/queue/sqliteq"
	"github.com/muttproject/mutt/platform/rule"
	"github.com/muttproject/mutt/platform/store"
)

// sceneTime is when the pages are looked at: edge-fra-1 flaps.
func sceneTime() time.Time { return time.Date(2026, 11, 30, 3, 12, 44, 0, time.UTC) }

// attack is what a device or a user may write to run in a reader's browser, and markup what of it a rule may have.
const (
	markup = `<img src=x onerror="document.title='owned'"><script>document.title='owned'</script>"'`
	attack = markup + "\x1b[31m\u202e"
)

// console is the module on real parts, served on a port, with the data of a scene.
type console struct {
	*testing.T
	url    string
	keys   map[string]string // by role
	server *httpserver.Server
	ring   *authn.Keyring
	store  *store.Store
	queue  *sqliteq.Driver
	health atomic.Pointer[Health] // what the process says of itself
	folded atomic.Pointer[error]  // what folding the books answers
	scene  scene
	ago    atomic.Int64      // how far the clock of store and queues is behind the scene, while they are filled
	serve  func(addr string) // serves it, after it was stopped again
	// streams is how many live streams are open.
	streams atomic.Int64
}

// newConsole serves the pages of a process of this health, with the data of the scene.
func newConsole(t *testing.T, health Health) *console {
	t.Helper()
	return newScene(t, health, healthy())
}

// newScene serves the pages of a process in a scene.
func newScene(t *testing.T, health Health, s scene) *console {
	t.Helper()
	c := newEmptyConsole(t, health)
	c.ago.Store(int64(14 * time.Minute)) // rules were changed at 02:58
	populate(t, c.store)
	c.keepBooks(s)
	c.scene = s
	return c
}

// newEmptyConsole serves the pages of a process to which no event has come.
func newEmptyConsole(t *testing.T, health Health) *console {
	t.Helper()
	return newConsoleOf(t, health, func(*Deps) {})
}

// newConsoleOf serves the pages of a process whose parts the test has changed.
func newConsoleOf(t *testing.T, health Health, change func(*Deps)) *console {
	t.Helper()
	c := &console{T: t, keys: map[string]string{}}
	d, db, q := realParts(t, func() time.Time { return sceneTime().Add(-time.Duration(c.ago.Load())) })
	ring := authn.NewKeyring(sceneTime)
	d.Keys, d.Gate = ring, httpserver.NewGate(httpserver.GateOptions{Keys: ring, Registerer: prometheus.NewRegistry(), Logger: zap.NewNop(), Now: sceneTime})
	c.ring, c.store, c.queue = ring, db, q
	c.health.Store(&health)
	d.Health = func(context.Context) Health { return *c.health.Load() }
	d.Fold = func(context.Context) error {
		if err := c.folded.Load(); err != nil {
			return *err
		}
		return nil
	}
	c.show(&d)
	d.Status = func() Status {
		return Status{Version: "v3.0.0", Commit: "2fa1b3c", Roles: []string{"ingestor", "alerter", "forwarder", "ui", "janitor"}, Storage: "embedded (SQLite)",
			Since: sceneTime().Add(-6*24*time.Hour - 14*time.Hour), Listeners: []Listener{{Name: AdminListener, Protocol: "https", Address: "127.0.0.1:8090", Purpose: "the console and the admin API"},
				{Name: IngestListener, Protocol: "http", Address: "[::]:8080", Purpose: "events as JSON"}, {Name: SyslogUDPListener, Protocol: "udp", Address: "[::]:5514", Purpose: "syslog datagrams"},
				{Name: SyslogTLSListener, Protocol: "tcp", Purpose: "syslog streams over TLS"}}}
	}
	change(&d)
	cfg := defaults()
	cfg.Environment = "prod-eu"
	m, err := New(cfg, d)
	if err != nil {
		t.Fatal(err)
	}
	var keys []authn.Key
	for _, r := range roles() {
		c.keys[r.String()] = authn.NewSecret().Reveal()
		keys = append(keys, authn.Key{Identity: authn.Identity{Name: "key:" + r.String(), Role: r}, Hash: authn.HashSecret(c.keys[r.String()])})
	}
	ring.Swap(keys)
	routes := m.Routes()
	for i := range routes {
		if r := &routes[i]; r.Path == "/ui/stream" {
			r.Handler = counted(&c.streams, r.Handler)
		}
	}
	c.serve = func(addr string) {
		t.Helper()
		s := httpserver.New(httpserver.Options{Name: "admin", Door: netguardtest.HTTP(t), Addr: addr, Logger: zap.NewNop(), Gate: d.Gate, Sessions: m.Sessions(),
			Missing: m.Missing(), Hosts: httpserver.Hosts{Names: []string{plainHost}}}, routes...)
		if err := s.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := s.Stop(context.WithoutCancel(t.Context())); err != nil {
				t.Error(err)
			}
		})
		c.url, c.server = "http://"+s.Addr(), s
	}
	c.serve("127.0.0.1:0")
	return c
}

// plainHost is a name by which browsers find the console. Over plain HTTP it is no secure context, unlike 127.0.0.1.
const plainHost = "mutt.test"

// counted counts the streams that are open: the calls of a handler but those that poll.
func counted[C interface{ QueryParam(name string) string }](open *atomic.Int64, h func(C) error) func(C) error {
	return func(c C) error {
		if c.QueryParam("once") == "" {
			open.Add(1)
			defer open.Add(-1)
		}
		return h(c)
	}
}

// client returns a browser without scripts: it keeps cookies, and follows redirects when told so.
func (c *console) client(follow bool) *http.Client {
	jar, err := cookiejar.New(nil)
	if err != nil {
		c.Fatal(err)
	}
	client := &http.Client{Jar: jar}
	if !follow {
		client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	}
	return client
}

// session logs a client in.
func (c *console) session(role string) *http.Client {
	c.Helper()
	client := c.client(true)
	resp, err := client.PostForm(c.url+"/login", url.Values{"key": {c.keys[role]}})
	if err != nil {
		c.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK || resp.Request.URL.Path != "/" {
		c.Fatalf("login: %d at %s", resp.StatusCode, resp.Request.URL)
	}
	return client
}

// populate fills the store with judged events of an hour, and some changes.
func populate(t *testing.T, db *store.Store) {
	t.Helper()
	lines := []struct {
		message, rule, team string
		severity            int8
		sent                int8
		fate                event.Fate
		handling            event.Handling
	}{
		{"%BGP-5-ADJCHANGE: neighbor 203.0.113.10 Down BGP Notification sent", "BGP neighbor down", "NETO", 5, 5, event.FateForwarded, event.PageAndTicket},
		{"%LINEPROTO-5-UPDOWN: Line protocol on Interface HundredGigE0/1/0, changed state to down", "line protocol", "NETO", 5, 2, event.FateRecorded, event.LogOnly},
		{"%LINK-3-UPDOWN: Interface HundredGigE0/1/0, changed state to down", "interface down", "NETO", 3, 4, event.FateForwarded, event.TicketOnly},
		{"%SFF8472-3-THRESHOLD_VIOLATION: Hu0/1/0: Rx power low warning; Operating value: -12.6 dBm", "", "", 3, 0, event.FateUnhandled, event.HandlingNone},
		{"%SEC-6-IPACCESSLOGP: list 101 denied tcp 203.0.113.7(4711) -> 198.51.100.2(22), 1 packet", "access lists", "SEC", 6, 0, event.FateIgnored, event.Ignore},
		{"%SYS-5-CONFIG_I: Configured from console by ops-tomas on vty0", "configured", "NETO", 5, 0, event.FateRecorded, event.LogOnly},
	}
	ids, version := populateRules(t, db)
	hosts := []string{"edge-fra-1", "core-sw-01", "fw-fra-1", "mx-par-1", "edge-fra-1"}
	var rows []store.AuditRow
	const n = 120
	for i := range n {
		l := lines[(i*7+i/5)%len(lines)]
		at := sceneTime().Add(-time.Duration(n-i) * 27 * time.Second).Add(time.Duration(i*i%997) * time.Millisecond)
		host, message, name := hosts[i%len(hosts)], l.message, l.rule
		if i == n-3 {
			host, message, name = attack, attack, attack
		}
		e := event.Event{ID: idAt(at, i), ReceivedAt: at.UnixMicro(), Timestamp: at.Add(-200 * time.Millisecond).UnixMicro(), Source: event.SourceSyslog,
			Severity: l.severity, Facility: event.Absent, Hostname: host, Message: message, CorrelationID: fmt.Sprintf("c-%04d", i), SourceIP: "192.0.2.31"}
		d := event.Decision{Fate: l.fate, Handling: l.handling, RuleName: name, Team: l.team, Severity: l.sent, Signature: host + "::bgp::203.0.113.10", RulesetVersion: version}
		if i == n-3 {
			e.CorrelationID, e.AppName, e.MsgID, d.Team, d.Signature = attack, attack, attack, attack, attack
			e.Fields = string(event.AppendJSONString(append(event.AppendJSONString([]byte("{"), attack), ':'), attack)) + "}"
			e.Variables = []event.Variable{{OID: attack, Type: attack, Value: attack}}
		}
		if l.rule != "" {
			d.RuleID = ids[l.rule]
		}
		rows = append(rows, store.AuditRow{Event: &e, Decision: &d})
	}
	if _, err := db.Judge(t.Context(), "test", []store.JudgedEntry{{Entry: queue.NewEntryID(), Rows: rows}}); err != nil {
		t.Fatal(err)
	}
}

// populateRules creates the rules of the scene, and returns their ids by name and the version of the ruleset.
func populateRules(t *testing.T, db *store.Store) (ids map[string]int64, version int64) {
	t.Helper()
	ids = map[string]int64{}
	critical := 5
	for _, r := range []rule.Rule{
		{Name: "maintenance edge-ams", Priority: 1, MatchString: "neighbor", HostPattern: "edge-ams-*", ProdHandling: "Log_only"},
		{Name: "hardware failure", Priority: 5, MatchString: "%ENVMON-", ProdHandling: "Page_and_ticket", SeverityOverride: &critical},
		{Name: "BGP neighbor down", Priority: 10, MatchString: `%BGP-5-ADJCHANGE: neighbor (?P<neighbor>\S+) Down`, MatchType: rule.Regex, ProdHandling: "Page_and_ticket",
			SeverityOverride: &critical, Signature: "{{hostname}}::bgp::{{neighbor}}"},
		{Name: "line protocol", Priority: 30, MatchString: "%LINEPROTO-", ProdHandling: "Log_only"},
		{Name: "interface down", Priority: 20, MatchString: "%LINK-3-UPDOWN", ProdHandling: "Ticket_only"},
		{Name: "access lists", Priority: 40, MatchString: "%SEC-6-IPACCESSLOG", ProdHandling: "Ignore", TeamAssignment: "SEC"},
		{Name: "configured", Priority: 50, MatchString: "%SYS-5-CONFIG_I", ProdHandling: "Log_only"},
		{Name: markup, Priority: 60, MatchString: "onerror", ProdHandling: "Ticket_only"},
	} {
		r.MatchType, r.TeamAssignment, r.DevHandling, r.IsActive = cmp.Or(r.MatchType, rule.Contains), cmp.Or(r.TeamAssignment, "NETO"), "Ignore", true
		if _, err := db.Change(t.Context(), store.Actor{Name: "key:lena"}, "after INC-88120", func(tx *store.Tx) error {
			var err error
			ids[r.Name], err = tx.CreateRule(r)
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	_, version, err := db.Revisions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return ids, version
}

// idAt makes the id of the n-th event, which is of its time.
func idAt(at time.Time, n int) (id event.ID) {
	ms := uint64(at.UnixMilli())
	id = uuid.UUID{6: 0x70, 8: 0x80, 14: byte(n >> 8), 15: byte(n)}
	for i := range 6 {
		id[i] = byte(ms >> (8 * (5 - i)))
	}
	return id
}
