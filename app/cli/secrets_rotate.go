package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/muttproject/mutt/app"
	"github.com/muttproject/mutt/app/rotate"
	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/rotation"
	"github.com/muttproject/mutt/platform/secret"
)

// rotateFlags are those of 'mutt secrets rotate'.
type rotateFlags struct {
	client   *clientFlags
	config   *configFlags
	token    func() (secret.Secret, error)
	wait     time.Duration
	unused   time.Duration
	reason   string
	dsnFile  string
	user     string // administrator of Redis
	passFile string

	abort, dryRun, status bool
}

func secretsRotate(s streams, client *clientFlags) *cobra.Command {
	cmd := &cobra.Command{Use: "rotate postgres|redis|ingest-key|webui-key", Short: "replace a password or key while MUTT runs",
		Long: "Makes a new secret, has every process take it, brings it into force at the server, and sees that the old one is refused.\n" +
			"Each step is checked and noted by the server. A command that was ended anywhere is run again and goes on; --abort takes a\n" +
			"rotation back while that is possible. Needs an operator's token of Vault and an administrator of PostgreSQL or Redis,\n" +
			"which are used for this command and kept nowhere; where things are is said by the settings of 'mutt serve'.\n" +
			"A key is promoted only when nobody has used the old one for --unused-for.\n" +
			"docs/SECRET_ROTATION_PROCEDURE.md has the whole procedure, by this command and by hand.",
		Example: "  mutt secrets rotate postgres --dry-run\n  MUTT_ADMIN_DSN='postgres://postgres:…@db.example.net/mutt?sslmode=verify-full' mutt secrets rotate postgres --reason 'quarterly'\n" +
			"  mutt secrets rotate ingest-key --unused-for 24h\n  mutt secrets rotate redis --status",
		Args: exactly(1, "one of postgres, redis, ingest-key and webui-key"), ValidArgs: []string{"postgres", "redis", "ingest-key", "webui-key"}}
	f := &rotateFlags{client: client, config: addConfigFlags(cmd), token: tokenFlag(cmd, s)}
	cmd.Flags().StringVar(&f.dsnFile, "admin-dsn-file", "", "file of the DSN of an administrator of PostgreSQL, with sslmode=verify-full unless the server is on this machine (default the variable MUTT_ADMIN_DSN)")
	cmd.Flags().StringVar(&f.user, "redis-admin-user", "", "administrator of Redis (also MUTT_REDIS_ADMIN_USER)")
	cmd.Flags().StringVar(&f.passFile, "redis-admin-password-file", "", "file of the administrator's password (default the variable MUTT_REDIS_ADMIN_PASS)")
	cmd.Flags().DurationVar(&f.wait, "wait", 5*time.Minute, "how long each step waits for the processes")
	cmd.Flags().DurationVar(&f.unused, "unused-for", 24*time.Hour, "how long nobody may have used an old key before the next one takes its place; 0 does not ask")
	cmd.Flags().StringVar(&f.reason, "reason", "", "why, for the change audit")
	cmd.Flags().BoolVar(&f.abort, "abort", false, "take back the rotation that is under way")
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "check everything, show what would be done, and change nothing")
	cmd.Flags().BoolVar(&f.status, "status", false, "show how far the last rotation has come")
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return f.run(cmd, s, args[0]) }
	return cmd
}

func (f *rotateFlags) run(cmd *cobra.Command, s streams, name string) error {
	subject, err := rotation.ParseSubject(name)
	if err != nil {
		return usageError{err}
	}
	switch {
	case f.wait <= 0 || f.unused < 0:
		return usageError{errors.New("--wait is above 0, and --unused-for not below it")}
	case f.abort && f.dryRun, f.abort && f.status, f.dryRun && f.status:
		return usageError{errors.New("give one of --abort, --dry-run and --status")}
	}
	api, err := f.api(s)
	if err != nil {
		return err
	}
	out := cmd.OutOrStdout()
	if f.status {
		return rotationStatus(cmd.Context(), out, *f.client.output, api, subject)
	}
	r, err := f.rotation(cmd.Context(), s, out, subject, api)
	switch {
	case err != nil:
		return err
	case f.abort:
		return r.Abort(cmd.Context())
	case f.dryRun:
		plan, err := r.Plan(cmd.Context())
		if err != nil {
			return err
		}
		return print(out, *f.client.output, plan, func(w io.Writer) error { return writePlan(w, plan) })
	default:
		return r.Run(cmd.Context())
	}
}

// api gives the running MUTT.
func (f *rotateFlags) api(s streams) (*rotate.API, error) {
	client, err := f.client.client(s)
	if err != nil {
		return nil, err
	}
	return &rotate.API{Client: client, Reason: f.reason, WithKey: func(key secret.Secret) (*apiclient.Client, error) {
		return client.WithKey(key.Reveal())
	}}, nil
}

// rotation makes what runs, with the rights of the operator and the administrator.
func (f *rotateFlags) rotation(ctx context.Context, s streams, out io.Writer, subject rotation.Subject, api *rotate.API) (*rotate.Rotation, error) {
	cfg, _, err := f.config.load(s)
	if err != nil {
		return nil, err
	}
	token, err := f.token()
	if err != nil {
		return nil, err
	}
	v, err := cfg.RotationVault(token)
	if err != nil {
		return nil, err
	}
	who, err := f.administrators(s)
	if err != nil {
		return nil, err
	}
	server, err := cfg.RotationServer(ctx, subject, v, who)
	if err != nil {
		return nil, err
	}
	return rotate.New(rotate.Options{Subject: subject, API: api, Vault: v, Server: server, Wait: f.wait, UnusedFor: f.unused,
		Holder: holder(s), Report: progress(out, *f.client.output)}), nil
}

// administrators reads the secrets of the servers' administrators: none stands in an argument, which others could see.
func (f *rotateFlags) administrators(s streams) (a app.Administrators, err error) {
	if a.RedisUser = f.user; a.RedisUser == "" {
		a.RedisUser = lookup(s.environ, "MUTT_REDIS_ADMIN_USER")
	}
	if a.DSN, err = fromFile(s, secret.DSN, f.dsnFile, "MUTT_ADMIN_DSN"); err != nil {
		return a, err
	}
	a.RedisPassword, err = fromFile(s, secret.Password, f.passFile, "MUTT_REDIS_ADMIN_PASS")
	return a, err
}

// fromFile reads a secret from a file, else from a variable.
func fromFile(s streams, use secret.Use, file, variable string) (secret.Secret, error) {
	text, from := lookup(s.environ, variable), variable
	if file != "" {
		data, err := readInput(s, file)
		if err != nil {
			return secret.Secret{}, err
		}
		text, from = string(data), "file "+file
	}
	fit, err := use.Fit(text)
	if err != nil {
		return secret.Secret{}, fault.New(fault.SecretUnfit, "the administrator's secret of %s %s", from, err)
	}
	return secret.New(fit), nil
}

// holder names who rotates: the user, the host and this run.
func holder(s streams) string {
	user := lookup(s.environ, "USER")
	if user == "" {
		user = "somebody"
	}
	host, err := os.Hostname()
	if err != nil {
		host = "somewhere"
	}
	return fmt.Sprintf("%.40s@%.60s/%d", user, host, os.Getpid())
}

// progress writes what is done as it is done: a line each, in JSON an object each.
func progress(w io.Writer, output string) func(rotate.Progress) {
	lines := json.NewEncoder(w)
	return func(p rotate.Progress) {
		switch output {
		case "json":
			_ = lines.Encode(p) // a rotation does not stop for a reader that has gone
		case "yaml":
			_ = line(w, "---")
			_ = printYAML(w, p)
		default:
			took := ""
			if p.Event == "done" && p.Seconds > 0 {
				took = fmt.Sprintf(" (%.1f s)", p.Seconds)
			}
			_ = printf(w, "%s  %-8s %-8s %s%s\n", p.At.Format(time.TimeOnly), p.Step, p.Event, p.Message, took)
		}
	}
}

func writePlan(w io.Writer, p rotate.Plan) error {
	head := fmt.Sprintf("Nothing was changed. %s of %s, now at version %d, would be rotated:", p.Secret, p.Path, p.Version)
	if p.Rotation != "" {
		head = fmt.Sprintf("Nothing was changed. The rotation of %s that is under way (%s; %s is at version %d) would go on:", p.Secret, p.Rotation, p.Path, p.Version)
	}
	rows := [][]string{{"STEP", "WHAT"}}
	for _, s := range p.Steps {
		rows = append(rows, []string{string(s.Step), s.About})
	}
	if err := line(w, head); err != nil {
		return err
	}
	if err := table(w, rows); err != nil {
		return err
	}
	rows = [][]string{{"PROCESS", "LOADED", "BECAUSE"}}
	for _, one := range p.Processes {
		rows = append(rows, []string{one.Process, versions(one), one.Reason})
	}
	return table(w, rows)
}

func rotationStatus(ctx context.Context, w io.Writer, output string, api *rotate.API, subject rotation.Subject) error {
	state, err := api.Last(ctx, subject)
	if err != nil {
		return err
	}
	return print(w, output, state, func(w io.Writer) error {
		switch {
		case state == nil:
			err = printf(w, "%s was never rotated\n", subject)
		case state.Open:
			err = printf(w, "a rotation of %s is under way at the step %s since %s (begun %s by %s)\n", subject, state.Step,
				state.UpdatedAt.Format(time.RFC3339), state.StartedAt.Format(time.RFC3339), state.StartedBy)
		default:
			err = printf(w, "the last rotation of %s: %s at %s by %s\n", subject, state.Step, state.UpdatedAt.Format(time.RFC3339), state.UpdatedBy)
		}
		return err
	})
}

// versions returns what a process has, in the order of the keys.
func versions(p rotate.PlanState) string {
	var out []string
	for _, key := range slices.Sorted(maps.Keys(p.Loaded)) {
		out = append(out, apiclient.LoadedSecret{Key: key, Version: p.Loaded[key], Source: p.Sources[key]}.Label())
	}
	return strings.Join(out, ", ")
}
