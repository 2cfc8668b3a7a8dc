package app

import (
	"cmp"
	"context"
	"net"
	"net/url"
	"slices"
	"time"

	"github.com/muttproject/mutt/modules/alert"
	"github.com/muttproject/mutt/modules/forward"
	"github.com/muttproject/mutt/modules/ingest"
	"github.com/muttproject/mutt/modules/janitor"
	"github.com/muttproject/mutt/modules/ui"
	"github.com/muttproject/mutt/platform/connect"
	"github.com/muttproject/mutt/platform/connect/tlsconf"
	"github.com/muttproject/mutt/platform/coord"
	"github.com/muttproject/mutt/platform/deadletter"
	"github.com/muttproject/mutt/platform/httpserver"
	"github.com/muttproject/mutt/platform/lifecycle"
	"github.com/muttproject/mutt/platform/queue"
	"github.com/muttproject/mutt/platform/secret"
	"github.com/muttproject/mutt/platform/secret/secrets"
	"github.com/muttproject/mutt/web"
)

func buildAlert(_ context.Context, p *parts) (lifecycle.Service, error) {
	m, err := alert.New(alert.Deps{
		Process: p.run, Store: p.store, Unhandled: p.unhandled, Queue: p.queue, Dynamic: p.handles.alert,
		Log: p.opts.Logger.Named("alert"), Registerer: p.registry, Now: p.opts.Now,
	})
	if err != nil {
		return nil, err // not m: a nil *Module in a Service is not nil
	}
	p.alert = m
	p.judging.Store(m)
	return m, nil
}

// apply brings what was committed into force in this process.
func (p *parts) apply(ctx context.Context) error {
	if p.alert != nil {
		p.alert.Refresh(ctx)
	}
	return p.control.Refresh(ctx)
}

func buildForward(_ context.Context, p *parts) (lifecycle.Service, error) {
	c := p.opts.Config.Forward
	c.URL = p.destinationURL()
	m, err := forward.New(c, forward.Deps{
		OpenTLS: p.tls.Open, Version: Version, Location: p.process,
		Queue: p.queue, Coord: p.coord, Dynamic: p.handles.forward,
		Key: func() secret.Secret { return p.secrets.Current().Secret(secrets.MoogKey) }, DeadDepth: func() float64 { return float64(p.depths.depth(queue.Alert).Dead) },
		Registerer: p.registry, Logger: p.opts.Logger.Named("forward"), Now: p.opts.Now,
	})
	if err != nil {
		return nil, err
	}
	p.forward.Store(m)
	return m, nil
}

// destinationURL returns where alerts go: by the secret source, else by the settings. The source may change it while the process runs;
// the process then says that it has to be restarted, as for any other change of the destination.
func (p *parts) destinationURL() string {
	started := p.secrets.Current().Secret(secrets.MoogURL)
	address := cmp.Or(started.Reveal(), p.opts.Config.Forward.URL)
	exposed := clearTextBeyond(address)
	if exposed != "" {
		p.opts.Logger.Warn(exposed)
	}
	p.health.Add("destination", adviceOf("destination", p.mode()), func(context.Context) (warnings []string, err error) {
		if exposed != "" {
			warnings = append(warnings, exposed)
		}
		if now := p.secrets.Current(); !now.Secret(secrets.MoogURL).Equal(started) {
			warnings = append(warnings, "MOOG_WEBHOOK_URL has changed in the secret source: restart the process to deliver there")
		}
		return warnings, nil
	})
	if address == "" {
		p.opts.Logger.Warn("no destination is configured: alerts wait in the queue until MOOG_WEBHOOK_URL is set")
	}
	return address
}

// clearTextBeyond returns a warning for a destination that alerts and the key reach in clear text over the network; "" for others.
func clearTextBeyond(destination string) string {
	u, err := url.Parse(destination)
	if err != nil || u.Scheme != "http" || connect.ThisMachine(u.Host) {
		return ""
	}
	return "the destination is reached beyond this machine without TLS: who can read or change the traffic has its key and the alerts; set MOOG_WEBHOOK_URL to an https:// URL"
}

// buildLeader decides which of several janitors folds and prunes.
func buildLeader(_ context.Context, p *parts) (lifecycle.Service, error) {
	p.leader = coord.NewLeader(coord.LeaderOptions{Coord: p.coord, Name: "janitor", Owner: p.run, Run: coord.OnlyLead, Log: p.opts.Logger.Named("leader")})
	return p.leader, nil
}

// buildBooks serves the ui too, which folds before it shows the books.
func buildBooks(_ context.Context, p *parts) (lifecycle.Service, error) {
	p.books = janitor.NewBooks(janitor.BooksDeps{Queue: p.queue, Store: p.store, Now: p.opts.Now})
	return nil, nil
}

func buildJanitor(_ context.Context, p *parts) (lifecycle.Service, error) {
	m, err := janitor.New(janitor.Deps{Queue: p.queue, Store: p.store, Books: p.books, Leader: p.leader, Dynamic: p.handles.janitor,
		QueueWarn: p.handles.alert.Worker.QueueWarn, BreakerEnabled: p.handles.forward.BreakerEnabled,
		Coord: p.coord, Registerer: p.registry, Logger: p.opts.Logger.Named("janitor"), Now: p.opts.Now})
	if err != nil {
		return nil, err // not m: a nil *Module in a Service is not nil
	}
	return m, nil
}

// buildLetters reports dead letters in /health. That they cannot be counted is no reason to call the process unhealthy: the
// queue has a check of its own.
func buildLetters(_ context.Context, p *parts) (lifecycle.Service, error) {
	p.letters = deadletter.NewBoard(p.queue, p.coord)
	return &opened{name: "dead letters", ready: func(ctx context.Context) ([]string, error) {
		warnings, err := p.letters.Warnings(ctx)
		if err != nil {
			warnings = append(warnings, "the dead letters cannot be counted now: the queue or the coordination does not answer")
		}
		return warnings, nil
	}, close: func() error { return nil }}, nil
}

// buildTally counts what was not taken in.
func buildTally(_ context.Context, p *parts) (lifecycle.Service, error) {
	p.tally = p.queue.NewTally(p.opts.Logger.Named("tally"))
	return lifecycle.NewRunner("tally", p.tally.Run), nil
}

func buildIntake(_ context.Context, p *parts) (lifecycle.Service, error) {
	own, common := p.opts.Config.listenerTLS(SyslogTLSListener)
	overTLS, err := p.tls.Listen(SyslogTLSListener, own, common)
	if err != nil {
		return nil, err
	}
	clear, err := p.tls.Listen("syslog_tcp", tlsconf.ListenerConfig{}, tlsconf.ListenerConfig{})
	if err != nil {
		return nil, err
	}
	writer := p.queue.Writer(queue.WriterOptions{Queue: queue.Ingest, Cap: p.handles.ingest.MaxQueue.Get, CapBytes: p.handles.ingest.MaxBytes.Get})
	m, err := ingest.New(p.opts.Config.Ingest, ingest.Deps{
		Writer: writer, Partition: p.queue.Partition, Coord: p.coord, Dynamic: p.handles.ingest, View: p.configView, Beside: p.tally, Guard: p.guard, SyslogTCP: clear, SyslogTLS: overTLS,
		Depth: func() int64 { return p.depths.depth(queue.Ingest).Live() }, Bytes: func() int64 { return p.depths.depth(queue.Ingest).Bytes }, Log: p.opts.Logger.Named("ingest"), Registerer: p.registry, Now: p.opts.Now,
	})
	if err != nil {
		return nil, err
	}
	p.ingest = m
	return &ingestService{m, p}, nil
}

// configView is what GET /admin/config shows.
func (p *parts) configView() ingest.ConfigView {
	dynamic := map[string]any{}
	for _, k := range p.dynamic.Registry().Keys() {
		dynamic[k.Name] = p.dynamic.Current().Of(k)
	}
	return ingest.ConfigView{Static: p.opts.Config.Static(origins(p.secrets.Current())...), Dynamic: dynamic, Enabled: p.opts.Config.DynamicConfig}
}

// ingestService notes the syslog listeners' addresses once they are open.
type ingestService struct {
	*ingest.Module
	parts *parts
}

func (s *ingestService) Start(ctx context.Context) error {
	if err := s.Module.Start(ctx); err != nil {
		return err
	}
	udp, tcp := s.SyslogAddrs()
	for name, a := range map[string]net.Addr{ui.SyslogUDPListener: udp, ui.SyslogTCPListener: tcp, ui.SyslogTLSListener: s.SyslogTLSAddr()} {
		if a != nil {
			s.parts.listening(name, a.String())
		}
	}
	return nil
}

func buildIngest(_ context.Context, p *parts) (lifecycle.Service, error) {
	routes := append(p.ingest.Routes(), httpserver.HealthRoutes(p.health, p.registry)...)
	return p.http(httpserver.Options{Name: ui.IngestListener, Addr: p.opts.Config.Ingest.Addr, Around: p.ingest.Observe}, routes)
}

func buildUI(_ context.Context, p *parts) (lifecycle.Service, error) {
	c := &p.opts.Config.UI
	m, err := ui.New(*c, ui.Deps{
		Store: p.store, Keys: p.keyring, Gate: p.gate, Queues: p.queue, Config: p.dynamic, Dynamic: p.handles.ui, DynamicEnabled: p.opts.Config.DynamicConfig, Apply: p.apply, Fold: p.books.Fold, Processes: p.processes, Problems: p.listProblems, Destinations: p.destinations, Top: p.top,
		Letters: p.letters,
		Hold:    p.holdRotation, Secrets: p.secretStatus,
		Status: func() ui.Status { return p.status(p.started) }, Health: p.healthWords, Assets: web.Assets, Logger: p.opts.Logger.Named("ui"), Now: p.opts.Now,
		Once: p.opts.Once, Senders: ingest.Operations(), OpenTLS: p.tls.Open,
	})
	if err != nil {
		return nil, err
	}
	routes := append(m.Routes(), httpserver.HealthRoutes(p.health, p.registry)...)
	// /metrics on this listener is Prometheus's; the JSON metrics are below /api.
	return p.http(httpserver.Options{Name: ui.AdminListener, Addr: c.Addr, Sessions: m.Sessions(), Missing: m.Missing(), ProxiedTLS: c.SecureCookies}, routes)
}

// healthWords is what the console shows of this process's health.
func (p *parts) healthWords(ctx context.Context) ui.Health {
	r, _ := p.health.Report(ctx)
	return ui.Health{Errors: r.Errors, Warnings: r.Warnings}
}

// status is what the pages show of this process.
func (p *parts) status(since time.Time) ui.Status {
	s := ui.Status{Version: Version, Commit: Commit(), Storage: p.mode().about(), Since: since}
	for _, r := range p.opts.Roles {
		s.Roles = append(s.Roles, string(r))
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for name, addr := range p.listeners {
		l := listenerAbout(name)
		if l.Protocol == "http" && p.opts.Config.SpeaksTLS(name) != "" {
			l.Protocol = "https"
		}
		l.Name, l.Address = name, addr
		s.Listeners = append(s.Listeners, l)
	}
	slices.SortFunc(s.Listeners, func(a, b ui.Listener) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	return s
}

// listenerAbout says what a listener is for.
func listenerAbout(name string) ui.Listener {
	switch name {
	case ui.IngestListener:
		return ui.Listener{Protocol: "http", Purpose: "events as JSON"}
	case ui.SyslogUDPListener:
		return ui.Listener{Protocol: "udp", Purpose: "syslog datagrams"}
	case ui.SyslogTCPListener:
		return ui.Listener{Protocol: "tcp", Purpose: "syslog streams"}
	case ui.SyslogTLSListener:
		return ui.Listener{Protocol: "tcp", Purpose: "syslog streams over TLS"}
	case ui.AdminListener:
		return ui.Listener{Protocol: "http", Purpose: "the console and the admin API"}
	default:
		return ui.Listener{Protocol: "http", Purpose: "health, metrics and profiles"}
	}
}
