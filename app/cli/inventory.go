package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/fault"
)

func newHosts(s streams) *cobra.Command {
	cmd := &cobra.Command{Use: "hosts", Short: "list, add, remove and import development hosts",
		Long: "A development host is a name, a glob of * and ?, an address, or a CIDR. Its events are handled as a rule's dev_handling says."}
	f := addClientFlags(cmd)
	list := f.list(s, "list", "list the development hosts", func(ctx context.Context, c *apiclient.Client) (any, [][]string, error) {
		got, err := hosts(ctx, c)
		rows := [][]string{{"HOSTNAME", "REVISION"}}
		for _, h := range got.Hosts {
			rows = append(rows, []string{h.Hostname, decimal(h.Revision)})
		}
		return got, rows, err
	})
	cmd.AddCommand(list, hostsAdd(s, f), f.remove(s, "remove development hosts", "development hosts", "dev-hosts", hostNames), f.importCSV(s, "hostname", "dev-hosts",
		"Adds the development hosts of a CSV file with the column hostname, all or none; known ones stay."))
	return cmd
}

func hosts(ctx context.Context, c *apiclient.Client) (got apiclient.Hosts, err error) {
	err = c.Do(ctx, apiclient.Call{Method: http.MethodGet, Path: []string{"dev-hosts"}}, &got)
	return got, err
}

func hostNames(ctx context.Context, c *apiclient.Client) (names []string, err error) {
	got, err := hosts(ctx, c)
	for _, h := range got.Hosts {
		names = append(names, h.Hostname)
	}
	return names, err
}

func hostsAdd(s streams, f *clientFlags) *cobra.Command {
	cmd := &cobra.Command{Use: "add HOST…", Short: "add development hosts", Args: atLeastOne, Example: "  mutt hosts add 'lab-*' 10.20.0.0/16 --reason 'new lab'"}
	change := addChangeFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := f.client(s)
		if err != nil {
			return err
		}
		return each(cmd, *f.output, args, func(host string) (string, error) {
			var got apiclient.Done
			err := c.Do(cmd.Context(), change.of(apiclient.Call{Method: http.MethodPost, Path: []string{"dev-hosts"}, Body: map[string]string{"hostname": host}}), &got)
			return got.Message, err
		})
	}
	return cmd
}

func newTeams(s streams) *cobra.Command {
	cmd := &cobra.Command{Use: "teams", Short: "list, set, remove and import the teams of devices",
		Long: "The team of a device gets the meta-alerts of its unhandled events. A device is a name, a glob of * and ?, an address, or a\n" +
			"CIDR; an exact name wins over a glob, and a glob over an address or a CIDR."}
	f := addClientFlags(cmd)
	list := f.list(s, "list", "list the teams of devices", func(ctx context.Context, c *apiclient.Client) (any, [][]string, error) {
		got, err := teams(ctx, c)
		rows := [][]string{{"HOSTNAME", "TEAM", "REVISION"}}
		for _, t := range got.Teams {
			rows = append(rows, []string{t.Hostname, t.TeamAssignment, decimal(t.Revision)})
		}
		return got, rows, err
	})
	cmd.AddCommand(list, teamsSet(s, f), f.remove(s, "remove the teams of hosts", "the teams of", "teams", teamNames), f.importCSV(s, "hostname,team_assignment", "teams",
		"Sets the teams of a CSV file with the columns hostname and team_assignment, all or none."))
	return cmd
}

func teams(ctx context.Context, c *apiclient.Client) (got apiclient.Teams, err error) {
	err = c.Do(ctx, apiclient.Call{Method: http.MethodGet, Path: []string{"teams"}}, &got)
	return got, err
}

func teamNames(ctx context.Context, c *apiclient.Client) (names []string, err error) {
	got, err := teams(ctx, c)
	for _, t := range got.Teams {
		names = append(names, t.Hostname+"\t"+t.TeamAssignment)
	}
	return names, err
}

func teamsSet(s streams, f *clientFlags) *cobra.Command {
	cmd := &cobra.Command{Use: "set HOST TEAM", Short: "set the team of a device, whether it has one or not", Args: exactly(2, "a HOST and a TEAM"),
		ValidArgsFunction: f.complete(s, teamNames)}
	change := addChangeFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := f.client(s)
		if err != nil {
			return err
		}
		body := map[string]string{"team_assignment": args[1]}
		var got apiclient.Done
		err = c.Do(cmd.Context(), change.of(apiclient.Call{Method: http.MethodPut, Path: []string{"teams", args[0]}, Body: body}), &got)
		if fault.Is(err, fault.NotFound) && change.revision == 0 {
			body["hostname"] = args[0]
			err = c.Do(cmd.Context(), change.of(apiclient.Call{Method: http.MethodPost, Path: []string{"teams"}, Body: body}), &got)
		}
		if err != nil {
			return err
		}
		return print(cmd.OutOrStdout(), *f.output, got, func(w io.Writer) error { return line(w, got.Message) })
	}
	return cmd
}

// remove makes the command that deletes named things of a collection.
func (f *clientFlags) remove(s streams, short, what, collection string, names func(context.Context, *apiclient.Client) ([]string, error)) *cobra.Command {
	cmd := &cobra.Command{Use: "remove HOST…", Short: short, Args: atLeastOne, ValidArgsFunction: f.complete(s, names)}
	change := addDeleteFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := change.sure(s, quoted(what, args)); err != nil {
			return err
		}
		c, err := f.client(s)
		if err != nil {
			return err
		}
		return each(cmd, *f.output, args, func(name string) (string, error) {
			var got apiclient.Done
			err := c.Do(cmd.Context(), change.of(apiclient.Call{Method: http.MethodDelete, Path: []string{collection, name}}), &got)
			return got.Message, err
		})
	}
	return cmd
}

// importCSV makes the command that sends a CSV file to a collection.
func (f *clientFlags) importCSV(s streams, columns, collection, long string) *cobra.Command {
	cmd := &cobra.Command{Use: "import FILE", Short: "import a CSV file of " + columns, Args: exactly(1, "one FILE, or - for the standard input"), Long: long}
	var dryRun, replace bool
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "show what would change, change nothing")
	cmd.Flags().BoolVar(&replace, "replace", false, "remove the entries that the file does not name")
	change := addChangeFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		data, err := readInput(s, args[0])
		if err != nil {
			return err
		}
		var got apiclient.Imported
		q := url.Values{"dry_run": {strconv.FormatBool(dryRun)}, "mode": {map[bool]string{false: "merge", true: "replace"}[replace]}}
		call := change.of(apiclient.Call{Method: http.MethodPost, Path: []string{collection}, Query: q, Body: data, ContentType: "text/csv"})
		if err := f.do(cmd.Context(), s, call, &got); err != nil {
			return fmt.Errorf("%s: %w", args[0], err)
		}
		return print(cmd.OutOrStdout(), *f.output, got, func(w io.Writer) error {
			for _, ch := range got.Changes {
				if err := line(w, strings.TrimRight(ch.Operation+" "+strconv.Quote(ch.Hostname)+" "+strings.Trim(ch.From+" → "+ch.To, "→ "), " ")); err != nil {
					return err
				}
			}
			if got.ChangesLeftOut > 0 {
				if err := line(w, fmt.Sprintf("and %d more", got.ChangesLeftOut)); err != nil {
					return err
				}
			}
			return errors.Join(line(w, got.Message), undoHint(w, got.AuditID))
		})
	}
	return cmd
}

// undoHint prints how an import is taken back; nothing for one that changed nothing.
func undoHint(w io.Writer, auditID int64) error {
	if auditID == 0 {
		return nil
	}
	return line(w, fmt.Sprintf("to take it back: mutt config rollback %d --whole", auditID))
}
