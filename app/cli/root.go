// Package cli is the command tree of mutt.
//
// Principles:
//  1. A command parses, calls one function of another package, and prints; it decides nothing.
//  2. What is for people goes to stdout as text or a table; -o json and -o yaml give the same for programs; errors go to stderr with
//     their code and the remedy.
//  3. Exit status: 0 done, 1 failed, 2 wrong usage.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/terminal"
)

// streams are where a command reads and writes.
type streams struct {
	in       io.Reader
	out, err io.Writer
	environ  []string
}

// usageError is a mistake in the command line.
type usageError struct{ error }

// Unwrap lets a fault keep its remedy.
func (u usageError) Unwrap() error { return u.error }

// Main runs a command line and gives the exit status.
func Main(args []string, in io.Reader, out, errOut io.Writer) int {
	ctx, stop := signals(context.Background()) // the root of everything that a command does
	defer stop()
	return Run(ctx, args, streams{in, out, errOut, os.Environ()})
}

// Run runs a command line within ctx.
func Run(ctx context.Context, args []string, s streams) int {
	s.in = &input{Reader: s.in}
	s.out, s.err = terminal.NewWriter(s.out), terminal.NewWriter(s.err)
	root := newRoot(s)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	printError(s.err, err)
	var usage usageError
	if errors.As(err, &usage) {
		return 2
	}
	return 1
}

// signals ends the context at the first SIGINT or SIGTERM; a second one ends the process at once.
func signals(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	ch := make(chan os.Signal, 2)
	signal.Notify(ch, syscall.SIGINT, syscall.SIGTERM)
	done := make(chan struct{})
	go func() {
		select {
		case <-ch:
			cancel()
		case <-done:
			return
		}
		select {
		case <-ch:
			os.Exit(1) // the operator does not want to wait
		case <-done:
		}
	}()
	return ctx, func() { signal.Stop(ch); close(done); cancel() }
}

func newRoot(s streams) *cobra.Command {
	root := &cobra.Command{
		Use:   "mutt",
		Short: "takes events of network gear in, judges them by rules, delivers alerts and loses none",
		Long: "MUTT stands between network gear and an AIOps platform. Start with 'mutt serve': it needs no configuration.\n" +
			"Then send an event: curl, logger, or 'mutt send --count 10'.",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetIn(s.in)
	root.SetOut(s.out)
	root.SetErr(s.err)
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usageError{fmt.Errorf("%w\nsee '%s --help'", err, c.CommandPath())}
	})
	root.AddCommand(newServe(s), newRoles(s), newVersion(), newSend(s), newSink(s), newRules(s), newHosts(s), newTeams(s), newQueues(s), newDLQ(s), newEvents(s),
		newKeys(s), newWhoami(s), newSLO(s), newMetrics(s), newStatus(s), newDemo(s), newConfig(s), newAudit(s), newMigrate(s), newVault(s), newSecrets(s))
	refuseUnknown(root)
	refuseTwice(root)
	return root
}

// refuseUnknown makes an unknown command below a group a usage error; cobra would show the help and end with 0.
func refuseUnknown(c *cobra.Command) {
	for _, sub := range c.Commands() {
		refuseUnknown(sub)
	}
	if c.Runnable() {
		return
	}
	c.Args = cobra.ArbitraryArgs
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			return c.Help()
		}
		hint := ""
		if near := c.SuggestionsFor(args[0]); len(near) > 0 {
			hint = "; did you mean " + near[0] + "?"
		}
		return usageError{fmt.Errorf("unknown command %q for %q%s\nsee '%s --help'", args[0], c.CommandPath(), hint, c.CommandPath())}
	}
}

// printError shows an error as an operator can act on it.
func printError(w io.Writer, err error) {
	text := err.Error()
	if usage := (usageError{}); !errors.As(err, &usage) {
		text = strings.ReplaceAll(text, "\n", "\n       ") // a line of the message never looks like one of ours
	}
	for l := range strings.SplitSeq("error: "+text, "\n") {
		_, _ = fmt.Fprintln(w, terminal.Line(l)) // whole: a configuration may have many faults
	}
	f, ok := fault.As(err)
	if !ok {
		return
	}
	remedy := f.Remedy
	if remedy == "" {
		remedy = fault.Describe(f.Code).Remedy
	}
	_ = printf(w, "  what to do: %s\n", remedy)
}

// noArgs refuses arguments as a usage error.
func noArgs(c *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usageError{fmt.Errorf("%s takes no argument %q\nsee '%s --help'", c.CommandPath(), args[0], c.CommandPath())}
	}
	return nil
}
