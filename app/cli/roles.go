package cli

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/muttproject/mutt/app"
	"github.com/muttproject/mutt/platform/apiclient"
)

func newRoles(s streams) *cobra.Command {
	cmd := &cobra.Command{Use: "roles", Short: "list the roles and what each consists of, or with --live the running processes",
		Example: "  mutt roles\n  mutt roles --live --server http://127.0.0.1:8090", Args: noArgs}
	f := addClientFlags(cmd)
	live := cmd.Flags().Bool("live", false, "ask a running MUTT which processes are alive")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if *live {
			return liveRoles(cmd, s, f)
		}
		return knownRoles(cmd, *f.output)
	}
	return cmd
}

// knownRoles shows the tables of this binary.
func knownRoles(cmd *cobra.Command, output string) error {
	type row struct {
		Role        app.Role `json:"role"`
		About       string   `json:"about"`
		Embedded    []string `json:"components"`
		Distributed []string `json:"components_distributed"`
	}
	var rows []row
	for _, r := range app.Roles() {
		rows = append(rows, row{r, r.About(), app.Components(app.Embedded, app.RoleSet{r}), app.Components(app.Distributed, app.RoleSet{r})})
	}
	return print(cmd.OutOrStdout(), output, rows, func(w io.Writer) error {
		lines := [][]string{{"ROLE", "DOES", "COMPONENTS"}}
		for _, r := range rows {
			lines = append(lines, []string{string(r.Role), r.About, strings.Join(r.Embedded, " ")})
		}
		return table(w, lines)
	})
}

// liveRoles asks the process registry.
func liveRoles(cmd *cobra.Command, s streams, f *clientFlags) error {
	return ask(cmd, s, f, apiclient.Call{Method: http.MethodGet, Path: []string{"processes"}}, func(w io.Writer, got apiclient.Processes) error {
		lines := [][]string{{"PROCESS", "ROLES", "VERSION", "UP", "REVISION", "LISTENS"}}
		for _, p := range got.Processes {
			lines = append(lines, []string{p.Name, strings.Join(p.Roles, ","), p.Version, time.Since(p.StartedAt).Round(time.Second).String(),
				strconv.FormatInt(p.ConfigRevision, 10), strings.Join(p.Listeners, ", ")})
		}
		return table(w, lines)
	})
}
