package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"golang.org/x/sync/errgroup"

	"github.com/muttproject/mutt/app"
	"github.com/muttproject/mutt/app/demo"
	"github.com/muttproject/mutt/app/send"
	"github.com/muttproject/mutt/app/sink"
	"github.com/muttproject/mutt/configs"
	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/authn"
	"github.com/muttproject/mutt/platform/private"
	"github.com/muttproject/mutt/platform/telemetry"
)

func newDemo(s streams) *cobra.Command {
	var rate float64
	var seed int64
	cmd := &cobra.Command{Use: "demo", Short: "run the whole pipeline with a demonstration source and sink",
		Long: "Runs 'mutt serve' with all roles, the starter rules, imaginary network gear that sends events, and a sink that\n" +
			"prints each alert that is delivered and fails for a minute now and then. Everything is kept in a temporary directory,\n" +
			"which is removed at the end, unless MUTT_DATA_DIR or servers are set. There the demonstration first plays the hour\n" +
			"before its start; elsewhere, and with a destination of your own, it begins with the present. It prints a link that\n" +
			"logs a browser in once. Ctrl-C ends it.", Args: noArgs}
	cmd.Flags().Float64Var(&rate, "rate", 4, "everyday events per second of the imaginary gear; 0 for no events at all")
	whole(cmd.Flags(), &seed, "seed", "", 1, "what the imaginary gear says follows from this number")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if rate < 0 || rate > 1000 {
			return usageError{fmt.Errorf("--rate must be a number from 0 to 1000, got %g", rate)}
		}
		d := &demonstration{streams: s, rate: rate, seed: uint64(seed)}
		return d.run(cmd.Context())
	}
	return cmd
}

// demonstration is a MUTT with a source and a sink.
type demonstration struct {
	streams
	rate float64
	seed uint64

	cfg   app.Config
	past  bool // the hour before the start is played too: nobody else's data and destination see it
	clock *demo.Clock
	once  *authn.Once
	sink  *sink.Sink
	said  zap.AtomicLevel // what is said on the terminal from; while the past is played the clock jumps, which a process warns of
	shown atomic.Bool     // alerts are printed: the past has been played
}

func (d *demonstration) run(ctx context.Context) (err error) {
	if d.cfg, _, err = app.LoadConfig(d.environ); err != nil {
		return err
	}
	if lookup(d.environ, "MUTT_DATA_DIR") == "" && !d.cfg.Distributed() {
		dir, failed := private.TemporaryDirectory("mutt-demo")
		if failed != nil {
			return fmt.Errorf("create the directory of the demonstration: %w", failed)
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
		d.cfg.DataDir, d.past = dir, d.cfg.Forward.URL == "" && d.cfg.DynamicConfig
		d.environ = append(d.environ[:len(d.environ):len(d.environ)], "MUTT_DATA_DIR="+dir)
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen for the sink: %w", err)
	}
	show := printer(d.out)
	d.sink = sink.New(100, func(alert json.RawMessage) {
		if d.shown.Load() {
			show(alert)
		}
	})
	srv := &http.Server{Handler: d.sink, ReadHeaderTimeout: 10 * time.Second}
	if d.cfg.Forward.URL == "" {
		d.cfg.Forward.URL = "http://" + l.Addr().String() + "/"
	}
	d.clock, d.said = demo.NewClock(0), zap.NewAtomicLevelAt(zapcore.WarnLevel)
	if d.past {
		d.clock = demo.NewClock(demo.Past)
		d.said.SetLevel(zapcore.ErrorLevel)
		d.environ = append(d.environ, fmt.Sprintf("MOOG_RATE_LIMIT=%d", pastRate))
	}
	d.once = authn.NewOnce(authn.Identity{Name: "user:demo", Role: authn.Operator}, d.clock.Now)
	ready, level := make(chan struct{}), zap.NewAtomicLevelAt(zapcore.WarnLevel)
	a := app.New(app.Options{Roles: app.Roles(), Config: d.cfg, Level: level,
		Logger:  telemetry.NewLogger(d.err, true, level).WithOptions(zap.IncreaseLevel(d.said)),
		Getenv:  func(name string) string { return lookup(d.environ, name) },
		Now:     d.clock.Now,
		Once:    d.once,
		OnAdmin: func(file, key string) { tellKey(d.streams, file, key) },
		Started: func(map[string]string) { close(ready) },
	})
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	g.Go(func() error {
		defer func() { _ = srv.Close() }() // the sink outlives the pipeline
		return a.Run(ctx)
	})
	g.Go(func() error {
		select {
		case <-ready:
			return d.play(ctx, a.Listeners())
		case <-ctx.Done():
			return nil
		}
	})
	return g.Wait()
}

// pastRate is moog_rate_limit while the past is played, and presentRate afterwards, so that what waited is seen to drain.
const pastRate, presentRate = 1000, 10

// play imports what the pipeline judges by, plays the past, shows the way in, and plays the present until ctx ends.
func (d *demonstration) play(ctx context.Context, listeners map[string]string) error {
	address := func(listener string) string {
		if d.cfg.SpeaksTLS(listener) != "" {
			return "https://" + reachable(listeners[listener])
		}
		return "http://" + reachable(listeners[listener])
	}
	f := clientFlags{server: address(app.AdminListener)}
	c, err := f.client(d.streams)
	if err != nil {
		return err
	}
	if err := d.prepare(ctx, c); err != nil {
		return err
	}
	targets, err := d.targets(address(app.IngestListener), listeners)
	if err != nil {
		return err
	}
	from := time.Duration(0)
	if d.past {
		from = -demo.Past
	}
	player := demo.Player{Story: demo.NewStory(d.seed, d.rate, from), Clock: d.clock, Origin: time.Now(), Pipeline: demo.Pipeline{Targets: targets,
		Settled: func(ctx context.Context) (int64, bool, error) {
			var l apiclient.Ledger
			err := c.Do(ctx, apiclient.Call{Method: http.MethodGet, Path: []string{"ledger"}}, &l)
			// By the books, and not by what waits: an alert is published a moment after its event is counted as judged.
			d := &l.Delivery
			return l.Judging.Received, l.Judging.Received == l.Judging.Judged && d.Forwardable == d.Delivered+d.Discarded+d.Parked, err
		},
		Fail: func(failing bool) {
			d.sink.SetFaults(sink.Faults{Status: map[bool]int{true: http.StatusServiceUnavailable}[failing]})
		},
	}}
	if d.past {
		if err := player.PlayPast(ctx); err != nil {
			return fmt.Errorf("play the hour before the start: %w", err)
		}
		if err := c.Do(ctx, apiclient.Call{Method: http.MethodPut, Path: []string{"config", "moog_rate_limit"}, Body: map[string]int{"value": presentRate},
			Reason: fmt.Sprintf("the destination takes %d requests per second", presentRate)}, nil); err != nil {
			return fmt.Errorf("set the rate limit: %w", err)
		}
	}
	d.said.SetLevel(zapcore.WarnLevel)
	d.shown.Store(true)
	_, port, _ := net.SplitHostPort(listeners["syslog-udp"])
	if err := printf(d.out, "\nMUTT runs. Each line below is an alert that was matched by a rule and delivered.\n"+
		"  console         %s/\n"+
		"  log in          %s/login#once=%s\n"+
		"                  opens the console once, within two minutes, as an operator; later use the key in %s\n"+
		"  send your own   logger -n 127.0.0.1 -P %s 'Interface Gi1/0/7, changed state to down'\n"+
		"                  mutt send --count 10\n"+
		"  rules           mutt rules list\n"+
		"  end             Ctrl-C\n\n", f.server, f.server, d.once.Issue().Reveal(), filepath.Join(d.cfg.DataDir, app.AdminKeyFile), port); err != nil {
		return err
	}
	return player.Play(ctx)
}

// prepare imports the starter rules, development hosts and teams.
func (d *demonstration) prepare(ctx context.Context, c *apiclient.Client) error {
	for _, in := range []struct {
		path   []string
		query  url.Values
		kind   string
		body   []byte
		reason string
	}{
		{[]string{"rules", "import"}, url.Values{"mode": {"merge"}}, "application/yaml", configs.StarterRules, "starter rules"},
		{[]string{"dev-hosts"}, nil, "text/csv", demo.DevHosts(), "the laboratory pages nobody"},
		{[]string{"teams"}, nil, "text/csv", demo.Teams(), "who owns which devices"},
	} {
		if err := c.Do(ctx, apiclient.Call{Method: http.MethodPost, Path: in.path, Query: in.query, Body: in.body, ContentType: in.kind, Reason: in.reason + " (mutt demo)"}, nil); err != nil {
			return fmt.Errorf("import the %s: %w", in.reason, err)
		}
	}
	return nil
}

// targets returns where the gear sends to, for each transport that has a listener.
func (d *demonstration) targets(ingest string, listeners map[string]string) (map[string]send.Options, error) {
	targets := map[string]send.Options{"http": {Transport: "http", Target: ingest + "/api/v2/ingest"}}
	for _, transport := range []string{"syslog-udp", "syslog-tcp"} {
		if listeners[transport] != "" {
			targets[transport] = send.Options{Transport: transport, Target: reachable(listeners[transport])}
		}
	}
	for transport, o := range targets {
		if err := new(sendFlags).complete(&o, d.streams); err != nil {
			return nil, err
		}
		targets[transport] = o
	}
	return targets, nil
}

// reachable turns a wildcard address into one of this machine.
func reachable(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if ip := net.ParseIP(host); err == nil && ip != nil && ip.IsUnspecified() {
		return net.JoinHostPort("127.0.0.1", port)
	}
	return addr
}
