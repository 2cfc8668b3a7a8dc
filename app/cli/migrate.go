package cli

import (
	"errors"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/muttproject/mutt/app"
	"github.com/muttproject/mutt/platform/store"
	"github.com/muttproject/mutt/platform/telemetry"
)

func newMigrate(s streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "migrate",
		Short: "show and apply the migrations of the store",
		Long: "The store is the one that 'mutt serve' would use with the same configuration. An embedded store is migrated by\n" +
			"serve itself; on PostgreSQL do it here, once, before the new version is started.",
	}
	cmd.AddCommand(migrateUp(s), migrateStatus(s))
	return cmd
}

func migrateUp(s streams) *cobra.Command {
	cmd := &cobra.Command{Use: "up", Short: "apply every migration that is pending", Args: noArgs,
		Long: "Applies what is pending, each migration in a transaction. Several at once do no harm: one works, the others wait.\n" +
			"An embedded store must not be in use; it is copied first."}
	flags, output := addConfigFlags(cmd), outputFlag(cmd.Flags(), cmd)
	role := cmd.Flags().String("runtime-role", "", "role of the processes on PostgreSQL, if the schema belongs to another one: it gets the rights that it needs; later runs remember it")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, log, err := flags.storeConfig(s)
		if err != nil {
			return err
		}
		before, after, err := app.MigrateStore(cmd.Context(), cfg, *role, log)
		if err != nil {
			return err
		}
		return print(cmd.OutOrStdout(), *output, schemaView(after), func(w io.Writer) error {
			if before.Pending() == 0 {
				return printf(w, "nothing to do: the store has schema %d\n", after.Have)
			}
			return printf(w, "migrated from schema %d to %d\n", before.Have, after.Have)
		})
	}
	return cmd
}

func migrateStatus(s streams) *cobra.Command {
	cmd := &cobra.Command{Use: "status", Short: "list the migrations and when each was applied", Args: noArgs,
		Long: "Exit status 1 when a migration is pending, or when the store was migrated by a newer version of MUTT."}
	flags, output := addConfigFlags(cmd), outputFlag(cmd.Flags(), cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, log, err := flags.storeConfig(s)
		if err != nil {
			return err
		}
		schema, err := app.StoreSchema(cmd.Context(), cfg, log)
		if err != nil {
			return err
		}
		view := schemaView(schema)
		err = print(cmd.OutOrStdout(), *output, view, func(w io.Writer) error { return view.table(w) })
		return errors.Join(err, schema.Refusal())
	}
	return cmd
}

// storeConfig reads the configuration of serve, with a log for what a migration says.
func (f *configFlags) storeConfig(s streams) (app.Config, *zap.Logger, error) {
	cfg, _, err := f.load(s)
	return cfg, telemetry.NewLogger(s.err, isTerminal(s.err), zap.NewAtomicLevelAt(zap.WarnLevel)), err
}

// schemaInfo is how a schema is shown.
type schemaInfo struct {
	Current    int64           `json:"current"`
	Wanted     int64           `json:"wanted"`
	Pending    int             `json:"pending"`
	Migrations []migrationInfo `json:"migrations"`
}

type migrationInfo struct {
	Version   int64      `json:"version"`
	Name      string     `json:"name"`
	AppliedAt *time.Time `json:"applied_at"` // null while it is pending
}

func schemaView(s store.Schema) schemaInfo {
	v := schemaInfo{Current: s.Have, Wanted: s.Want, Pending: s.Pending()}
	for _, m := range s.Migrations {
		row := migrationInfo{Version: m.Version, Name: m.Name}
		if !m.AppliedAt.IsZero() {
			row.AppliedAt = &m.AppliedAt
		}
		v.Migrations = append(v.Migrations, row)
	}
	return v
}

func (v schemaInfo) table(w io.Writer) error {
	rows := [][]string{{"VERSION", "NAME", "APPLIED"}}
	for _, m := range v.Migrations {
		applied := "pending"
		if m.AppliedAt != nil {
			applied = m.AppliedAt.Format(time.RFC3339)
		}
		rows = append(rows, []string{strconv.FormatInt(m.Version, 10), m.Name, applied})
	}
	if err := table(w, rows); err != nil {
		return err
	}
	return printf(w, "current schema %d, wanted %d\n", v.Current, v.Wanted)
}
