package cli

import (
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"github.com/muttproject/mutt/platform/apiclient"
)

func newSecrets(s streams) *cobra.Command {
	cmd := &cobra.Command{Use: "secrets", Short: "see which passwords and keys the processes use, and replace them"}
	f := addClientFlags(cmd)
	cmd.AddCommand(secretsStatus(s, f), secretsRotate(s, f), secretsWait(s, f))
	return cmd
}

func secretsStatus(s streams, f *clientFlags) *cobra.Command {
	cmd := &cobra.Command{Use: "status", Short: "show which version of each secret every process uses, and whether the old one is safe to retire",
		Example: "  mutt secrets status\n  mutt secrets status -o json", Args: noArgs}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return ask(cmd, s, f, apiclient.Call{Method: http.MethodGet, Path: []string{"secrets"}}, writeSecrets)
	}
	return cmd
}

func writeSecrets(w io.Writer, got apiclient.Secrets) error {
	if len(got.Secrets) == 0 {
		return line(w, "There is nothing to rotate: no process has a password or key of a secret source. Embedded storage has no passwords and generates its own keys (docs/guides/access.md).")
	}
	rows := [][]string{{"SECRET", "PROCESS", "LOADED", "IN USE", "SAFE", "BECAUSE"}}
	for _, one := range got.Secrets {
		for _, p := range one.Processes {
			rows = append(rows, []string{one.Secret, p.Name, loaded(p.Loaded), inUse(p.InUse), yesNo(p.SafeToRetire), p.Reason})
		}
	}
	if err := table(w, rows); err != nil {
		return err
	}
	for _, one := range got.Secrets {
		if err := printf(w, "%s: old password safe to retire: %s, because %s\n", one.Secret, yesNo(one.SafeToRetire), one.Reason); err != nil {
			return err
		}
	}
	return nil
}

func loaded(all []apiclient.LoadedSecret) string {
	var out []string
	for _, l := range all {
		text := l.Label()
		switch {
		case l.Refused:
			text += " (refused)"
		case l.Accepted:
			text += " (accepted)"
		}
		out = append(out, text)
	}
	return strings.Join(out, ", ")
}

func inUse(all []apiclient.SecretUse) string {
	var out []string
	for _, u := range all {
		text := fmt.Sprintf("%d× %s", u.Connections, u.Label())
		if u.Withdrawn {
			text += " (withdrawn)"
		}
		out = append(out, text)
	}
	return strings.Join(out, ", ")
}

func yesNo(yes bool) string {
	if yes {
		return "yes"
	}
	return "no"
}
