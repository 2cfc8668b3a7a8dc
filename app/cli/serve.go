package cli

import (
	"context"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/muttproject/mutt/app"
	"github.com/muttproject/mutt/platform/telemetry"
)

func newServe(s streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "run MUTT, all roles or some",
		Long: "Runs the roles of this process until SIGTERM or SIGINT. Without configuration it keeps everything in\n" +
			"./mutt-data, makes its own keys there, and listens on 8080 (events), 5514 (syslog), 8090 (admin), 8081 (ops).\n" +
			"SIGHUP reloads secrets, certificates and rules.",
		Example: "  mutt serve\n  MUTT_DATA_DIR=/var/lib/mutt MOOG_WEBHOOK_URL=http://127.0.0.1:9000/ mutt serve\n" +
			"  mutt serve --config /etc/mutt/mutt.yaml --roles ingestor,forwarder --set listeners.ops=off",
		Args: noArgs,
	}
	flags := addConfigFlags(cmd)
	level := cmd.Flags().String("log-level", "", "least level of the log: debug, info, warn or error (also LOG_LEVEL; the dynamic setting log_level rules when it is set)")
	must(cmd.RegisterFlagCompletionFunc("log-level", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return []string{"debug", "info", "warn", "error"}, cobra.ShellCompDirectiveNoFileComp
	}))
	o := app.Options{}
	cmd.Flags().BoolVar(&o.Migrate, "migrate", false, "bring the schema in PostgreSQL up to this version first; embedded storage does it always")
	cmd.Flags().BoolVar(&o.FailFast, "fail-fast", false, "end when Vault, Redis or PostgreSQL is away at the start, instead of waiting")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if *level != "" {
			if _, err := telemetry.ParseLevel(*level); err != nil {
				return usageError{err}
			}
			s.environ = append(slices.Clone(s.environ), "LOG_LEVEL="+*level) // the last one rules
		}
		return serve(cmd.Context(), s, flags, o)
	}
	return cmd
}

// serve runs what o and the configuration describe until ctx ends.
func serve(ctx context.Context, s streams, flags *configFlags, o app.Options) error {
	begin := time.Now()
	cfg, warnings, err := flags.load(s)
	if err != nil {
		return err
	}
	if err := cfg.Check(cfg.Roles); err != nil {
		return err
	}
	console := cfg.LogFormat == "console" || cfg.LogFormat == "auto" && isTerminal(s.err)
	o.Roles, o.Config, o.Level = cfg.Roles, cfg, zap.NewAtomicLevel()
	log := telemetry.NewLogger(s.err, console, o.Level)
	for _, w := range warnings {
		log.Warn("the configuration has a fault that does not stop the start", zap.String("reason", w))
	}
	o.Logger, o.Now = log, time.Now
	o.Getenv = func(name string) string { return lookup(s.environ, name) }
	o.OnAdmin = func(file, key string) { tellKey(s, file, key) }
	o.Started = func(l map[string]string) { tellStarted(log, cfg.Roles, cfg, l, time.Since(begin)) }
	a := app.New(o)
	stop := reloadOnHangup(ctx, func(ctx context.Context) {
		reload(ctx, a, cfg.Roles, log, func() (app.Config, []string, error) { return flags.load(s) })
	})
	err = a.Run(ctx)
	stop()
	log.Info("stopped")
	return err
}

// tellKey shows a generated admin key once, and only to a person.
func tellKey(s streams, file, key string) {
	if isTerminal(s.err) {
		_ = printf(s.err, "\n  The admin key is %s\n  It is kept in %s and not shown again.\n\n", key, file)
		return
	}
	_ = printf(s.err, "an admin key was generated; it is in %s\n", file)
}

// tellStarted says what runs, where it listens and where it keeps what it accepts.
func tellStarted(log *zap.Logger, set app.RoleSet, cfg app.Config, listeners map[string]string, took time.Duration) {
	names := make([]string, 0, len(listeners))
	for n := range listeners {
		names = append(names, n)
	}
	slices.Sort(names)
	storage := zap.String("data_dir", cfg.DataDir)
	if cfg.Distributed() {
		storage = zap.Strings("redis", cfg.Redis.Addrs())
	}
	fields := []zap.Field{zap.String("roles", set.String()), storage,
		zap.Duration("took", took), zap.Int("pid", os.Getpid()), zap.String("version", app.Version)}
	for _, n := range names {
		fields = append(fields, zap.String(strings.ReplaceAll(n, "-", "_"), listeners[n]))
	}
	log.Info("ready", fields...)
}

// lookup finds a variable of an environment; "" when it is not set.
func lookup(environ []string, name string) string {
	for i := len(environ) - 1; i >= 0; i-- {
		if k, v, ok := strings.Cut(environ[i], "="); ok && k == name {
			return v
		}
	}
	return ""
}

// must is for registrations that fail only on a programming error, which the first test of the tree shows.
func must(err error) {
	if err != nil {
		panic(err)
	}
}
