package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/muttproject/mutt/app"
)

// outputFlag adds -o and gives where its value is.
func outputFlag(cmd *cobra.Command) *string {
	o := cmd.Flags().StringP("output", "o", "text", "text or json")
	must(cmd.RegisterFlagCompletionFunc("output", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return []string{"text", "json"}, cobra.ShellCompDirectiveNoFileComp
	}))
	return o
}

// print writes v as JSON, or as text by the given function.
func print(w io.Writer, output string, v any, text func(w io.Writer) error) error {
	switch output {
	case "json":
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		return enc.Encode(v)
	case "text":
		return text(w)
	default:
		return usageError{fmt.Errorf("-o takes text or json, not %q", output)}
	}
}

// table writes rows in columns; the first row is the head.
func table(w io.Writer, rows [][]string) error {
	tw := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	for _, r := range rows {
		if _, err := fmt.Fprintln(tw, strings.Join(r, "\t")); err != nil {
			return err
		}
	}
	return tw.Flush()
}

func newVersion() *cobra.Command {
	cmd := &cobra.Command{Use: "version", Short: "show the version", Args: noArgs}
	output := outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		v := struct {
			Version string `json:"version"`
			Commit  string `json:"commit,omitempty"`
			Go      string `json:"go"`
		}{app.Version, app.Commit(), runtime.Version()}
		return print(cmd.OutOrStdout(), *output, v, func(w io.Writer) error {
			_, err := fmt.Fprintln(w, strings.TrimSpace("mutt "+v.Version+" "+v.Go+" "+v.Commit))
			return err
		})
	}
	return cmd
}
