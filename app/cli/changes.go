package cli

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/muttproject/mutt/platform/apiclient"
)

// changeFlags are the flags of commands that change something on a server.
type changeFlags struct {
	reason   string
	revision int64
	given    func() bool // whether a revision was given: 0 is that of what is not set
	yes      bool
}

// addChangeFlags adds --reason and --if-revision.
func addChangeFlags(cmd *cobra.Command) *changeFlags {
	c := &changeFlags{}
	cmd.Flags().StringVar(&c.reason, "reason", "", "why, for the audit")
	whole(cmd.Flags(), &c.revision, "if-revision", "", 0, "only when it is still at this revision")
	c.given = func() bool { return cmd.Flags().Changed("if-revision") }
	return c
}

// addDeleteFlags adds --yes to them.
func addDeleteFlags(cmd *cobra.Command) *changeFlags {
	c := addChangeFlags(cmd)
	cmd.Flags().BoolVarP(&c.yes, "yes", "y", false, "do not ask")
	return c
}

// of completes a call that changes something.
func (c *changeFlags) of(call apiclient.Call) apiclient.Call {
	call.Reason, call.IfMatch, call.IfUnset = c.reason, c.revision, c.given() && c.revision == 0
	return call
}

// sure asks before something is deleted.
func (c *changeFlags) sure(s streams, what string) error {
	if c.yes || confirm(s, "Delete "+what+"?") {
		return nil
	}
	return fmt.Errorf("nothing was deleted; say --yes to delete without being asked")
}

// each does the same to several things, one after the other, and prints what was said of each. What was done before
// one fails stays done.
func each(cmd *cobra.Command, output string, things []string, do func(thing string) (message string, err error)) error {
	type done struct {
		Name    string `json:"name"`
		Message string `json:"message"`
	}
	all := []done{}
	for _, thing := range things {
		message, err := do(thing)
		if err != nil {
			if len(all) > 0 {
				err = fmt.Errorf("after %d of %d: %w", len(all), len(things), err)
			}
			return err
		}
		all = append(all, done{thing, message})
	}
	return print(cmd.OutOrStdout(), output, all, func(w io.Writer) error {
		for _, d := range all {
			if err := line(w, d.Message); err != nil {
				return err
			}
		}
		return nil
	})
}

// quoted lists a few names for a question.
func quoted(what string, names []string) string {
	if len(names) > 3 {
		return fmt.Sprintf("%d %s", len(names), what)
	}
	return what + " " + strings.Join(names, ", ")
}

// confirm asks on a terminal; without one the answer is no.
func confirm(s streams, question string) bool {
	if !isTerminal(s.in) {
		return false
	}
	_ = printf(s.err, "%s [y/N] ", question)
	line, err := bufio.NewReader(s.in).ReadString('\n')
	return err == nil && strings.HasPrefix(strings.ToLower(strings.TrimSpace(line)), "y")
}
