package cli

import (
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/muttproject/mutt/app/rotate"
	"github.com/muttproject/mutt/platform/rotation"
)

func secretsWait(s streams, client *clientFlags) *cobra.Command {
	cmd := &cobra.Command{Use: "wait postgres|redis|ingest-key|webui-key loaded|accepted|safe", Short: "wait until every process has come so far with a new secret",
		Long: "For a rotation by hand. Returns when every live process has come to what is waited for, and fails when that takes too long:\n" +
			"  loaded    it has read the next secret, in the version of Vault that --version says, or a later one\n" +
			"  accepted  and has logged in with it (passwords)\n" +
			"  safe      it works by the current secret in that version, and no connection uses another password: the old one may be retired\n" +
			"docs/SECRET_ROTATION_PROCEDURE.md has the whole procedure.",
		Example: "  mutt secrets wait postgres loaded --version 8\n  mutt secrets wait postgres safe --version 9 --timeout 10m",
		Args:    exactly(2, "a secret and what to wait for, such as postgres safe")}
	var version int64
	whole(cmd.Flags(), &version, "version", "", 0, "version of the path in Vault that was written (required)")
	bound := cmd.Flags().Duration("timeout", 5*time.Minute, "how long to wait")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		subject, err := rotation.ParseSubject(args[0])
		if err != nil {
			return usageError{err}
		}
		goal, err := rotate.ParseGoal(subject, args[1])
		if err != nil {
			return usageError{err}
		}
		if version < 1 || *bound <= 0 {
			return usageError{errors.New("--version is that of the path in Vault, from 1, and --timeout is above 0")}
		}
		c, err := client.client(s)
		if err != nil {
			return err
		}
		began, write := time.Now(), progress(cmd.OutOrStdout(), *client.output)
		report := func(event, message string, took time.Duration) {
			write(rotate.Progress{At: time.Now().UTC(), Secret: args[0], Step: rotation.Step(goal), Event: event, Message: message, Seconds: took.Round(time.Millisecond).Seconds()})
		}
		api := &rotate.API{Client: c}
		if err := api.Await(cmd.Context(), subject, goal, version, *bound, func(why string) { report("waiting", why, 0) }); err != nil {
			return err
		}
		report("done", "that is so in every process", time.Since(began))
		return nil
	}
	return cmd
}
