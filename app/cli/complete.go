package cli

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/terminal"
)

// completeWithin bounds how long a shell waits for the names that a server has.
const completeWithin = 2 * time.Second

// complete completes arguments with what the server has; each may have a description after a tab. A server that does
// not answer completes nothing.
func (f *clientFlags) complete(s streams, names func(context.Context, *apiclient.Client) ([]string, error)) cobra.CompletionFunc {
	return func(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		c, err := f.client(s)
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), completeWithin)
		defer cancel()
		found, err := names(ctx, c)
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		for i, name := range found {
			word, about, has := strings.Cut(name, "\t")
			if found[i] = terminal.Line(word); has {
				found[i] += "\t" + terminal.Line(about)
			}
		}
		return found, cobra.ShellCompDirectiveNoFileComp
	}
}
