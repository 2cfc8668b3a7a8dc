package app

import (
	"context"
	"errors"
	"path/filepath"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/muttproject/mutt/modules/alert"
	"github.com/muttproject/mutt/modules/ingest"
	"github.com/muttproject/mutt/modules/janitor"
	"github.com/muttproject/mutt/platform/authn"
	"github.com/muttproject/mutt/platform/config"
	"github.com/muttproject/mutt/platform/connect/sqlite"
	"github.com/muttproject/mutt/platform/coord"
	"github.com/muttproject/mutt/platform/httpserver"
	"github.com/muttproject/mutt/platform/lifecycle"
	"github.com/muttproject/mutt/platform/queue"
	"github.com/muttproject/mutt/platform/queue/sqliteq"
	"github.com/muttproject/mutt/platform/store"
	"github.com/muttproject/mutt/platform/telemetry"
)

// componentID names a row of the table.
type componentID string

// component is one row: what it is, who needs it, what it needs, and how it is built. build may do I/O: what it
// needs is running by then. A nil Service means that there is nothing to start or stop.
type component struct {
	id    componentID
	roles []Role // nil: every process
	needs []componentID
	build func(ctx context.Context, p *parts) (lifecycle.Service, error)
}

// parts is what has been built. Each field is set by the row of its name and read by the rows that need it.
type parts struct {
	opts     Options
	process  string // its name, for leases and alerts
	run      string // this start of it, for the books
	health   *telemetry.Health
	registry *prometheus.Registry

	keys    bootstrapKeys
	store   *store.Store
	queue   *queue.Queue
	control *control
	dynamic *config.Dynamic
	keyring *authn.Keyring
	coord   coord.Coord
	alert   *alert.Module // nil unless this process is an alerter
	janitor *janitor.Module
	ingest  *ingest.Module

	mu        sync.Mutex
	listeners map[string]string
}

// listening notes where a listener is.
func (p *parts) listening(name, addr string) {
	p.mu.Lock()
	p.listeners[name] = addr
	p.mu.Unlock()
}

// components is the table, in start order.
func components() []component {
	return []component{
		{id: "datadir", build: openDataDir},
		{id: "store", needs: []componentID{"datadir"}, build: openStore},
		{id: "queue", needs: []componentID{"datadir"}, build: openQueue},
		{id: "control", needs: []componentID{"store"}, build: buildControl},
		{id: "ops", needs: []componentID{"control"}, build: buildOps},
		{id: "coord", roles: []Role{Ingestor, Forwarder}, build: buildCoord},
		{id: "forward", roles: []Role{Forwarder}, needs: []componentID{"queue", "control", "coord"}, build: buildForward},
		{id: "alert", roles: []Role{Alerter}, needs: []componentID{"store", "queue", "control"}, build: buildAlert},
		{id: "books", roles: []Role{UI, Janitor}, needs: []componentID{"store", "queue"}, build: buildBooks},
		{id: "janitor", roles: []Role{Janitor}, needs: []componentID{"books"}, build: buildJanitor},
		{id: "admin", roles: []Role{UI}, needs: []componentID{"store", "queue", "control", "books"}, build: buildUI},
		{id: "intake", roles: []Role{Ingestor}, needs: []componentID{"queue", "control", "coord"}, build: buildIntake},
		{id: "ingest", roles: []Role{Ingestor}, needs: []componentID{"intake"}, build: buildIngest},
	}
}

// selected gives the rows that a role set needs, in order.
func selected(roles RoleSet) []component {
	var out []component
	for _, c := range components() {
		if roles.Any(c.roles) {
			out = append(out, c)
		}
	}
	return out
}

// opened is a resource that was opened by its row and is closed at the end.
type opened struct {
	name  string
	ready func(ctx context.Context) error
	close func() error
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
	return nil, o.ready(ctx)
}

func openDataDir(_ context.Context, p *parts) (lifecycle.Service, error) {
	lock, err := sqlite.Lock(p.opts.Config.DataDir)
	if err != nil {
		return nil, err
	}
	if p.keys, err = loadKeys(p.opts.Config.DataDir, p.opts.Config); err != nil {
		return nil, errors.Join(err, lock.Unlock())
	}
	if p.keys.adminMade && p.opts.OnAdmin != nil {
		p.opts.OnAdmin(filepath.Join(p.opts.Config.DataDir, AdminKeyFile), p.keys.admin.Reveal())
	}
	return &opened{name: "datadir", close: lock.Unlock}, nil
}

func openStore(ctx context.Context, p *parts) (lifecycle.Service, error) {
	s, err := store.Open(ctx, store.Options{Path: filepath.Join(p.opts.Config.DataDir, "mutt.db"),
		Logger: p.opts.Logger.Named("store"), Now: p.opts.Now})
	if err != nil {
		return nil, err
	}
	if err := s.Migrate(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	p.store = s
	return &opened{name: "store", ready: s.Ping, close: s.Close}, nil
}

func openQueue(ctx context.Context, p *parts) (lifecycle.Service, error) {
	d, err := sqliteq.Open(ctx, filepath.Join(p.opts.Config.DataDir, "queue.db"), sqliteq.Options{Now: p.opts.Now})
	if err != nil {
		return nil, err
	}
	p.queue = queue.New(d, queue.Options{Partitions: 1, Process: p.run, Owner: p.process, Now: p.opts.Now})
	return &opened{name: "queue", ready: p.queue.Ping, close: d.Close}, nil
}

func buildControl(_ context.Context, p *parts) (lifecycle.Service, error) {
	d, err := config.NewDynamic(config.NewRegistry(), p.opts.Getenv)
	if err != nil {
		return nil, err
	}
	p.dynamic, p.keyring = d, authn.NewKeyring(p.opts.Now)
	p.control = newControl(p)
	return p.control, nil
}

// buildCoord makes the in-process coordination; it holds nothing that would have to be closed.
func buildCoord(_ context.Context, p *parts) (lifecycle.Service, error) {
	p.coord = coord.NewLocal(p.opts.Now)
	return nil, nil
}

func buildOps(_ context.Context, p *parts) (lifecycle.Service, error) {
	return p.http("ops", p.opts.Config.OpsAddr, nil, httpserver.OpsRoutes(p.health, p.registry)), nil
}

// http makes one HTTP listener; nil when its address is off.
func (p *parts) http(name, addr string, around httpserver.Middleware, routes []httpserver.Route) lifecycle.Service {
	if addr == Off {
		return nil
	}
	return httpserver.New(httpserver.Options{Name: name, Addr: addr, Logger: p.opts.Logger.Named(name), Auth: p.keyring, Around: around}, routes...)
}

// Components names what a role set consists of, in start order.
func Components(roles RoleSet) []string {
	var out []string
	for _, c := range selected(roles) {
		out = append(out, string(c.id))
	}
	return out
}
