package app

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/muttproject/mutt/modules/alert"
	"github.com/muttproject/mutt/modules/forward"
	"github.com/muttproject/mutt/modules/ingest"
	"github.com/muttproject/mutt/modules/janitor"
	"github.com/muttproject/mutt/platform/authn"
	"github.com/muttproject/mutt/platform/config"
	"github.com/muttproject/mutt/platform/connect"
	"github.com/muttproject/mutt/platform/connect/redis"
	"github.com/muttproject/mutt/platform/connect/tlsconf"
	"github.com/muttproject/mutt/platform/coord"
	"github.com/muttproject/mutt/platform/deadletter"
	"github.com/muttproject/mutt/platform/httpserver"
	"github.com/muttproject/mutt/platform/lifecycle"
	"github.com/muttproject/mutt/platform/netguard"
	"github.com/muttproject/mutt/platform/queue"
	"github.com/muttproject/mutt/platform/secret/secrets"
	"github.com/muttproject/mutt/platform/store"
	"github.com/muttproject/mutt/platform/telemetry"
	"github.com/muttproject/mutt/platform/trouble"
)

// componentID names a row of the table.
type componentID string

// Mode is where a process keeps what must not be lost.
type Mode string

// The modes.
const (
	Embedded    Mode = "embedded"    // SQLite in the data directory, one process
	Distributed Mode = "distributed" // Redis and PostgreSQL, any number of processes
)

// about says for the page at / where things are kept.
func (m Mode) about() string {
	if m == Distributed {
		return "distributed (Redis and PostgreSQL)"
	}
	return "embedded (SQLite)"
}

// Modes lists the modes.
func Modes() []Mode { return []Mode{Embedded, Distributed} }

// component is one row: what it is, who needs it, what it needs, and how it is built. build may do I/O: what it
// needs is running by then. A nil Service means that there is nothing to start or stop.
type component struct {
	id    componentID
	mode  Mode   // "": both
	roles []Role // nil: every process
	needs []componentID
	build func(ctx context.Context, p *parts) (lifecycle.Service, error)
}

// parts is what has been built. Each field is set by the row of its name and read by the rows that need it.
type parts struct {
	opts     Options
	process  string // its name, for leases and alerts
	run      string // this start of it, for the books
	started  time.Time
	health   *telemetry.Health
	registry *prometheus.Registry
	live     atomic.Pointer[Config] // set by a reload

	keys       bootstrapKeys
	store      *store.Store // nil in a distributed ingestor or forwarder
	tls        *tlsconf.Watcher
	secrets    *secrets.Watcher
	connecting *connect.Metrics
	logins     []login           // of the servers of the distributed mode
	redis      *redis.Connection // nil when embedded
	queue      *queue.Queue
	depths     depths
	tally      *queue.Tally // nil unless this process is an ingestor
	control    *control
	dynamic    *config.Dynamic
	handles    dynamicKeys
	keyring    *authn.Keyring
	gate       *httpserver.Gate
	guard      *netguard.Guard
	coord      coord.Coord
	registered *coord.Registry
	problems   atomic.Pointer[[]trouble.Problem] // of this process at its last look; nil before the first
	leader     *coord.Leader                     // nil unless this process is a janitor
	unhandled  alert.Unhandled                   // counts for all processes that count
	judging    atomic.Pointer[alert.Module]      // the same as alert, for the heartbeat
	forward    atomic.Pointer[forward.Module]    // nil unless this process is a forwarder
	alert      *alert.Module                     // nil unless this process is an alerter
	letters    *deadletter.Board                 // nil unless this process is a forwarder, a ui or a janitor
	books      *janitor.Books
	ingest     *ingest.Module

	mu        sync.Mutex
	listeners map[string]string
	servers   []*httpserver.Server // in the order of their start
}

// mode is where this process keeps things.
func (p *parts) mode() Mode {
	if p.opts.Config.Distributed() {
		return Distributed
	}
	return Embedded
}

// listening notes where a listener is.
func (p *parts) listening(name, addr string) {
	p.mu.Lock()
	p.listeners[name] = addr
	p.mu.Unlock()
}

// components is the table, in start order. A component that the modes build differently has a row for each.
func components() []component {
	withStore := []Role{Alerter, UI, Janitor} // an ingestor or forwarder lives without PostgreSQL
	return []component{
		{id: "limits", build: buildLimits}, // before every listener
		{id: "datadir", mode: Embedded, build: openDataDir},
		{id: "tls", build: buildTLS},
		{id: "ops", needs: []componentID{"limits", "tls"}, build: buildOps}, // early: a process that waits for a server answers whether it is alive
		{id: "secrets", needs: []componentID{"tls"}, build: openSecrets},
		{id: "store", mode: Embedded, needs: []componentID{"datadir"}, build: openSQLiteStore},
		{id: "queue", mode: Embedded, needs: []componentID{"datadir", "store"}, build: openSQLiteQueue},
		{id: "coord", mode: Embedded, build: openLocalCoord},
		{id: "redis", mode: Distributed, needs: []componentID{"secrets"}, build: openRedis},
		{id: "queue", mode: Distributed, needs: []componentID{"redis"}, build: openRedisQueue},
		{id: "coord", mode: Distributed, needs: []componentID{"redis"}, build: openRedisCoord},
		{id: "store", mode: Distributed, roles: withStore, needs: []componentID{"secrets"}, build: openPostgresStore},
		{id: "control", needs: []componentID{"secrets", "coord"}, build: buildControl},
		{id: "registry", needs: []componentID{"secrets", "coord", "control"}, build: buildRegistry},
		{id: "problems", needs: []componentID{"registry"}, build: buildProblems},
		{id: "keyuse", needs: []componentID{"coord", "control"}, build: buildKeyUse},
		{id: "letters", roles: []Role{Forwarder, UI, Janitor}, needs: []componentID{"queue", "coord"}, build: buildLetters},
		{id: "forward", roles: []Role{Forwarder}, needs: []componentID{"secrets", "queue", "control", "coord"}, build: buildForward},
		{id: "alert", roles: []Role{Alerter}, needs: []componentID{"store", "queue", "control", "coord"}, build: buildAlert},
		{id: "leader", roles: []Role{Janitor}, needs: []componentID{"coord"}, build: buildLeader},
		{id: "books", roles: []Role{UI, Janitor}, needs: []componentID{"store", "queue", "control"}, build: buildBooks},
		{id: "janitor", roles: []Role{Janitor}, needs: []componentID{"store", "queue", "control", "coord", "books", "leader"}, build: buildJanitor},
		{id: "admin", roles: []Role{UI}, needs: []componentID{"limits", "tls", "store", "queue", "control", "books", "letters", "registry"}, build: buildUI},
		{id: "tally", roles: []Role{Ingestor}, needs: []componentID{"queue"}, build: buildTally},
		{id: "intake", roles: []Role{Ingestor}, needs: []componentID{"limits", "tls", "queue", "control", "coord", "tally"}, build: buildIntake},
		{id: "ingest", roles: []Role{Ingestor}, needs: []componentID{"intake"}, build: buildIngest},
	}
}

// in reports whether the row belongs to a mode.
func (c *component) in(m Mode) bool { return c.mode == "" || c.mode == m }

// selected gives the rows that a role set needs in a mode, in order.
func selected(m Mode, roles RoleSet) []component {
	var out []component
	for _, c := range components() {
		if c.in(m) && roles.Any(c.roles) {
			out = append(out, c)
		}
	}
	return out
}

// opened is a resource that was opened by its row and is closed at the end.
type opened struct {
	name  string
	ready func(ctx context.Context) (warnings []string, err error)
	close func() error
}

// silently is a check that has no warnings.
func silently(check func(context.Context) error) func(context.Context) ([]string, error) {
	return func(ctx context.Context) ([]string, error) { return nil, check(ctx) }
}

func (o *opened) Name() string                { return o.name }
func (o *opened) Start(context.Context) error { return nil }
func (o *opened) Failed() <-chan error        { return nil }

// Stop closes the resource; a second Stop is harmless because each of them closes once.
func (o *opened) Stop(context.Context) error { return o.close() }

// Ready asks the resource.
func (o *opened) Ready(ctx context.Context) ([]string, error) {
	if o.ready == nil {
		return nil, nil
	}
	return o.ready(ctx)
}

func buildControl(_ context.Context, p *parts) (lifecycle.Service, error) {
	registry, keys := declareDynamic()
	d, err := config.NewDynamic(registry, p.opts.Getenv)
	if err != nil {
		return nil, err
	}
	p.dynamic, p.handles = d, keys
	if p.keys, err = p.bootstrap(); err != nil {
		return nil, err
	}
	p.tellKeys()
	p.control = newControl(p)
	p.secrets.OnChange(func(*secrets.Set) { p.control.wake() })
	return p.control, nil
}

// buildLimits creates the guard of all listeners that this process opens.
func buildLimits(_ context.Context, p *parts) (lifecycle.Service, error) {
	c, n := &p.opts.Config, 0
	for _, l := range []struct {
		addr  string
		roles []Role
	}{{c.Ops.Addr, nil}, {c.UI.Addr, []Role{UI}}, {c.Ingest.Addr, []Role{Ingestor}}, {c.Ingest.SyslogTCPAddr, []Role{Ingestor}},
		{c.Ingest.SyslogTLSAddr, []Role{Ingestor}}} {
		if l.addr != Off && p.opts.Roles.Any(l.roles) {
			n++
		}
	}
	guard, err := netguard.New(c.Limits, netguard.Deps{Registerer: p.registry, Logger: p.opts.Logger.Named("limits"), Listeners: n})
	if err != nil {
		return nil, err
	}
	p.guard = guard
	return guard, nil
}

func buildOps(_ context.Context, p *parts) (lifecycle.Service, error) {
	return p.http(httpserver.Options{Name: opsListener, Addr: p.opts.Config.Ops.Addr}, httpserver.OpsRoutes(p.opts.Config.Ops, p.health, p.registry))
}

// Components names what a role set consists of in a mode, in start order.
func Components(m Mode, roles RoleSet) []string {
	var out []string
	for _, c := range selected(m, roles) {
		out = append(out, string(c.id))
	}
	return out
}
