package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"golang.org/x/sync/errgroup"

	"github.com/muttproject/mutt/app"
	"github.com/muttproject/mutt/app/send"
	"github.com/muttproject/mutt/app/sink"
	"github.com/muttproject/mutt/configs"
	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/telemetry"
)

func newDemo(s streams) *cobra.Command {
	var rate float64
	cmd := &cobra.Command{Use: "demo", Short: "run the whole pipeline with a demonstration source and sink",
		Long: "Runs 'mutt serve' with all roles, the starter rules, imaginary network gear that sends events, and a sink that\n" +
			"prints each alert that is delivered. Ctrl-C ends it.", Args: noArgs}
	cmd.Flags().Float64Var(&rate, "rate", 2, "events per second of the imaginary gear; 0 for none")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return demo(cmd.Context(), s, rate) }
	return cmd
}

func demo(ctx context.Context, s streams, rate float64) error {
	cfg, _, err := app.LoadConfig(s.environ)
	if err != nil {
		return err
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen for the sink: %w", err)
	}
	srv := &http.Server{Handler: sink.New(100, printer(s.out)), ReadHeaderTimeout: 10 * time.Second}
	if cfg.Forward.URL == "" {
		cfg.Forward.URL = "http://" + l.Addr().String() + "/"
	}
	level := zap.NewAtomicLevelAt(zapcore.WarnLevel)
	ready := make(chan struct{})
	a := app.New(app.Options{Roles: app.Roles(), Config: cfg, Level: level,
		Logger:  telemetry.NewLogger(s.err, true, level),
		Getenv:  func(name string) string { return lookup(s.environ, name) },
		Now:     time.Now,
		OnAdmin: func(file, key string) { tellKey(s, file, key) },
		Started: func(map[string]string) { close(ready) },
	})
	scheme := func(listener string) string {
		if cfg.SpeaksTLS(listener) != "" {
			return "https://"
		}
		return "http://"
	}
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
			return demoTraffic(ctx, s, scheme(app.AdminListener)+reachable(a.Listeners()["admin"]), scheme(app.IngestListener)+reachable(a.Listeners()["ingest"]), a.Listeners(), rate)
		case <-ctx.Done():
			return nil
		}
	})
	return g.Wait()
}

// demoTraffic imports the starter rules and sends events until ctx ends.
func demoTraffic(ctx context.Context, s streams, admin, ingest string, listeners map[string]string, rate float64) error {
	f := clientFlags{server: admin}
	c, err := f.client(s)
	if err != nil {
		return err
	}
	if err := c.Do(ctx, apiclient.Call{Method: http.MethodPost, Path: []string{"rules", "import"}, Query: url.Values{"mode": {"merge"}},
		Body: configs.StarterRules, ContentType: "application/yaml", Reason: "mutt demo"}, nil); err != nil {
		return fmt.Errorf("import the starter rules: %w", err)
	}
	_, port, _ := net.SplitHostPort(listeners["syslog-udp"])
	_ = printf(s.err, "\nMUTT runs. Each line below is an alert that was matched by a rule and delivered.\n"+
		"  console and API %s/\n"+
		"  send your own   logger -n 127.0.0.1 -P %s 'Interface Gi1/0/7, changed state to down'\n"+
		"                  mutt send --count 10\n"+
		"  rules           mutt rules list\n"+
		"  end             Ctrl-C\n\n", admin, port)
	if rate <= 0 {
		return nil
	}
	o := send.Options{Transport: "http", Target: ingest + "/api/v2/ingest", Source: send.NewGenerator(0, 20, "demo-"), Rate: rate,
		Workers: 1, Batch: 1, Retry: time.Hour}
	if err := new(sendFlags).complete(&o, s); err != nil {
		return err
	}
	_, err = send.Run(ctx, o, nil)
	return err
}

// reachable turns a wildcard address into one of this machine.
func reachable(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if ip := net.ParseIP(host); err == nil && ip != nil && ip.IsUnspecified() {
		return net.JoinHostPort("127.0.0.1", port)
	}
	return addr
}
