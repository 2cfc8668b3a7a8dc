package cli

import (
	"io"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"github.com/muttproject/mutt/app"
)

func newVersion() *cobra.Command {
	cmd := &cobra.Command{Use: "version", Short: "show the version", Args: noArgs}
	output := outputFlag(cmd.Flags(), cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		v := struct {
			Version string `json:"version"`
			Commit  string `json:"commit,omitempty"`
			Go      string `json:"go"`
		}{app.Version, app.Commit(), runtime.Version()}
		return print(cmd.OutOrStdout(), *output, v, func(w io.Writer) error {
			return line(w, strings.TrimSpace("mutt "+v.Version+" "+v.Go+" "+v.Commit))
		})
	}
	return cmd
}
