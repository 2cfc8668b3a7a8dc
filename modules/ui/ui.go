// Package ui is the admin listener's content: the API of contracts.md section 4 and the console, its pages for browsers.
//
// Principles:
//  1. The module is routes, and the server that serves them is wired by app. Its one goroutine reads what is judged while somebody watches.
//  2. It writes configuration through store.Change only, and reads what other modules do from store and queue.
//  3. Every route names the least role that may call it; a test walks them all.
package ui

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/muttproject/mutt/modules/ui/internal/api"
	"github.com/muttproject/mutt/modules/ui/internal/objectives"
	"github.com/muttproject/mutt/modules/ui/internal/page"
	"github.com/muttproject/mutt/modules/ui/internal/session"
	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/authn"
	"github.com/muttproject/mutt/platform/config"
	"github.com/muttproject/mutt/platform/config/static"
	"github.com/muttproject/mutt/platform/connect/tlsconf"
	"github.com/muttproject/mutt/platform/deadletter"
	"github.com/muttproject/mutt/platform/deps"
	"github.com/muttproject/mutt/platform/httpserver"
	"github.com/muttproject/mutt/platform/openapi"
	"github.com/muttproject/mutt/platform/queue"
)

// Store is what the module needs of the relational store.
type Store interface {
	api.Store
	objectives.Store
	session.Store
}

// Queues is what the module needs of the queues.
type Queues = api.Queues

// Status is what the process says about itself on the pages.
type Status = page.Status

// Health is what is wrong in the process, in words.
type Health = page.Health

// Listener is one listener of a Status.
type Listener = page.Listener

// The listener names from which the page makes its examples.
const (
	IngestListener    = page.IngestListener
	SyslogUDPListener = page.SyslogUDPListener
	SyslogTCPListener = page.SyslogTCPListener
	SyslogTLSListener = page.SyslogTLSListener
	AdminListener     = page.AdminListener
)

// Deps are the parts that the module works on. All are required but Once.
type Deps struct {
	Store   Store
	Queues  Queues
	Keys    *authn.Keyring
	Gate    *httpserver.Gate // of the listener that serves the routes
	Config  *config.Dynamic  // every module's dynamic keys, which the API shows and changes
	Dynamic Dynamic
	// DynamicEnabled is dynamic_config.enabled: when false the routes of /config answer 503.
	DynamicEnabled bool
	// Apply brings what is committed (dynamic values, rules, hosts, teams) into force in this process. It is called
	// after each change and before the answer, so it must be quick.
	Apply func(context.Context) error
	// Letters says what will become of dead letters; *deadletter.Board is one.
	Letters interface {
		Summary(ctx context.Context, q queue.Name) (*deadletter.Summary, error)
	}
	// Fold brings the queue's counters into the store (store.FoldCounts), so that rates and books are whole.
	Fold func(context.Context) error
	// Processes lists the live processes, this one included.
	Processes func(context.Context) ([]apiclient.Process, error)
	// Problems lists what is wrong in all processes.
	Problems func(context.Context) (apiclient.Problems, error)
	// Destinations lists where alerts go and how that stands; their SentRate is left open.
	Destinations func(context.Context) ([]apiclient.Destination, error)
	// Top lists the hosts or rules with the most events of 15 minutes.
	Top func(ctx context.Context, by string) (apiclient.Top, error)
	// Hold gives, renews or ends the hold on the rotation of a secret.
	Hold func(ctx context.Context, secret string, h apiclient.RotationHold) (apiclient.RotationHeld, error)
	// Secrets tells which version of each secret every process works by; never a secret.
	Secrets func(context.Context) (apiclient.Secrets, error)
	// Once accepts keys that open one session each. Only the demonstration has such keys; nil: there are none.
	Once *authn.Once
	// Senders declares the operations of the ingest listener, for the API's document.
	Senders []openapi.Operation
	// Status is asked for each view of a page.
	Status func() Status
	// Health reports what is wrong in this process, in words.
	Health func(context.Context) Health
	Assets fs.FS // package web's
	// OpenTLS reads the files of TLS to Prometheus.
	OpenTLS tlsconf.Opener
	Logger  *zap.Logger
	Now     func() time.Time
}

// Module is the ui role.
type Module struct {
	api      *api.API
	pages    *page.Pages
	sessions *session.Sessions
}

// New checks the parts and parses the templates. It does no I/O beyond the embedded files.
func New(cfg Config, d Deps) (*Module, error) {
	if err := errors.Join(static.Validate(cfg.Settings()), deps.Check(d, "Once")); err != nil {
		return nil, fmt.Errorf("ui module: %w", err)
	}
	document := api.NewDocument(d.Senders, d.Config.Registry().Keys())
	docs, err := page.Docs(d.Assets, document.Guide())
	if err != nil {
		return nil, fmt.Errorf("ui: %w", err)
	}
	sessions := session.New(session.Options{Store: d.Store, Keys: d.Keys, Idle: cfg.SessionIdle, Max: cfg.SessionMax, Now: d.Now})
	measured, err := d.objectives(cfg.Prometheus)
	if err != nil {
		return nil, fmt.Errorf("ui: %w", err)
	}
	served := api.New(api.Deps{
		Gate: d.Gate, Sessions: sessions, Once: d.Once, SessionIdle: cfg.SessionIdle, SecureCookies: cfg.SecureCookies,
		Store: d.Store, Queues: d.Queues, Dynamic: d.Config, DynamicEnabled: d.DynamicEnabled, Apply: d.Apply, Fold: d.Fold, Processes: d.Processes, Problems: d.Problems, Destinations: d.Destinations, Top: d.Top,
		Letters: d.Letters, Hold: d.Hold,
		Objectives: measured.Now, Document: document.JSON(), Docs: docs, Version: d.version, Logger: d.Logger, Now: d.Now,
		Secrets: d.Secrets, Tryouts: cfg.Tryouts, TryoutTime: cfg.TryoutTime,
	})
	pages, err := page.New(page.Deps{Files: d.Assets, Environment: cfg.Environment, Status: d.Status, Health: d.Health, API: served.Routes(), Login: served, Once: d.Once != nil, Now: d.Now,
		Watch: func(query url.Values) (page.Tail, error) { return served.Watch(query) }})
	if err != nil {
		return nil, fmt.Errorf("ui: %w", err)
	}
	return &Module{pages: pages, sessions: sessions, api: served}, nil
}

// objectives makes the reports of the service level objectives.
func (d *Deps) objectives(c Prometheus) (*objectives.Report, error) {
	if c.URL == "" {
		return objectives.FromCounters(objectives.Counters{Store: d.Store, Fold: d.Fold, Dynamic: d.Dynamic, Now: d.Now}), nil
	}
	u, err := url.Parse(c.URL)
	if err != nil {
		return nil, fmt.Errorf("the address of Prometheus: %w", err)
	}
	client, err := peer().Client(c.TLS, d.OpenTLS)
	if err != nil {
		return nil, err
	}
	return objectives.FromPrometheus(objectives.Prometheus{URL: u, TLS: client, UserAgent: "mutt/" + d.Status().Version, Dynamic: d.Dynamic}), nil
}

func (d *Deps) version() apiclient.Version {
	s := d.Status()
	return apiclient.Version{Product: "MUTT", Version: s.Version, Commit: s.Commit, APIVersion: httpserver.APIVersion,
		SupportedVersions: strings.Split(httpserver.SupportedVersions, ", ")}
}

// Document makes the API's OpenAPI document, with the operations of the ingest listener.
func Document(senders []openapi.Operation, keys []*config.Key) *openapi.Document {
	return api.NewDocument(senders, keys)
}

// Sessions finds the session of a cookie, for the listener that serves the routes.
func (m *Module) Sessions() httpserver.Sessions { return m.sessions }

// Missing is the page for a browser that asks the admin listener for what is not there.
func (m *Module) Missing() httpserver.ErrorPage { return m.pages.Missing }

// Routes lists everything that the admin listener serves for this module.
func (m *Module) Routes() []httpserver.Route { return append(m.pages.Routes(), m.api.Routes()...) }
