package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/muttproject/mutt/app"
	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/config"
)

// newDynamic makes the commands for the dynamic keys of a running server.
func newDynamic(s streams) []*cobra.Command {
	return []*cobra.Command{configGet(s), configSet(s), configUnset(s), configHistory(s), configRollback(s), configWatch(s)}
}

// completeKey completes the names of dynamic keys.
func completeKey(_ *cobra.Command, args []string, _ string) (out []string, _ cobra.ShellCompDirective) {
	if len(args) == 0 {
		for _, k := range app.DynamicKeys() {
			out = append(out, k.Name+"\t"+k.Description)
		}
	}
	return out, cobra.ShellCompDirectiveNoFileComp
}

// atMost refuses more arguments as a usage error.
func atMost(n int, what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) > n {
			return usageError{fmt.Errorf("%s takes %s\nsee '%s --help'", c.CommandPath(), what, c.CommandPath())}
		}
		return nil
	}
}

func configGet(s streams) *cobra.Command {
	cmd := &cobra.Command{Use: "get [KEY]", Short: "show the dynamic keys, or one with all that is known of it", Args: atMost(1, "one KEY at the most"),
		ValidArgsFunction: completeKey}
	f := addClientFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := f.client(s)
		if err != nil {
			return err
		}
		if len(args) == 1 {
			var item apiclient.ConfigItem
			if err := c.Do(cmd.Context(), apiclient.Call{Method: http.MethodGet, Path: []string{"config", args[0]}}, &item); err != nil {
				return err
			}
			return print(cmd.OutOrStdout(), *f.output, item, func(w io.Writer) error { return itemText(w, item) })
		}
		var all apiclient.Config
		if err := c.Do(cmd.Context(), apiclient.Call{Method: http.MethodGet, Path: []string{"config"}}, &all); err != nil {
			return err
		}
		return print(cmd.OutOrStdout(), *f.output, all, func(w io.Writer) error {
			rows := [][]string{{"KEY", "VALUE", "UNIT", "DEFAULT", "REVISION", "SET BY"}}
			for _, i := range all.Items {
				rows = append(rows, []string{i.Key, fmt.Sprint(i.Value), i.Unit, fmt.Sprint(i.Default), strconv.FormatInt(i.Revision, 10), i.UpdatedBy})
			}
			return table(w, rows)
		})
	}
	return cmd
}

// itemText shows one key.
func itemText(w io.Writer, i apiclient.ConfigItem) error {
	set := "not set: its variable's value, else its default"
	if i.UpdatedAt != nil {
		set = fmt.Sprintf("by %s at %s", i.UpdatedBy, i.UpdatedAt.Format(time.RFC3339))
	}
	takes := i.Type
	switch {
	case len(i.Options) > 0:
		takes = strings.Join(i.Options, ", ")
	case i.Min != nil && i.Max != nil:
		takes = fmt.Sprintf("%s from %s to %s", i.Type, number(*i.Min), number(*i.Max))
	}
	return table(w, [][]string{{i.Key, strings.TrimSpace(fmt.Sprint(i.Value, " ", i.Unit))}, {"default", fmt.Sprint(i.Default)}, {"takes", takes},
		{"set", set}, {"revision", strconv.FormatInt(i.Revision, 10)}, {"read by", strings.Join(i.Readers, ", ")}, {"meaning", i.Description}})
}

func number(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

func configSet(s streams) *cobra.Command {
	cmd := &cobra.Command{Use: "set KEY VALUE", Short: "set a dynamic key; in force everywhere within a second", Args: exactly(2, "a KEY and a VALUE"),
		Example: "  mutt config set moog_rate_limit 75 --reason 'the destination has been enlarged'", ValidArgsFunction: completeKey}
	f, change := addClientFlags(cmd), addChangeFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := f.client(s)
		if err != nil {
			return err
		}
		var item apiclient.ConfigItem // says whether the value is a text
		if err := c.Do(cmd.Context(), apiclient.Call{Method: http.MethodGet, Path: []string{"config", args[0]}}, &item); err != nil {
			return err
		}
		value := json.RawMessage(args[1])
		if item.Type == string(config.String) || !json.Valid(value) {
			if value, err = json.Marshal(args[1]); err != nil {
				return fmt.Errorf("render the value: %w", err)
			}
		}
		var got apiclient.ConfigChanged
		if err := c.Do(cmd.Context(), change.of(apiclient.Call{Method: http.MethodPut, Path: []string{"config", args[0]},
			Body: map[string]any{"value": value}}), &got); err != nil {
			return err
		}
		return print(cmd.OutOrStdout(), *f.output, got, func(w io.Writer) error { return changedText(w, got) })
	}
	return cmd
}

func configUnset(s streams) *cobra.Command {
	cmd := &cobra.Command{Use: "unset KEY", Short: "give a dynamic key its variable's value again, else its default", Args: exactly(1, "one KEY"), ValidArgsFunction: completeKey}
	f, change := addClientFlags(cmd), addChangeFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return ask(cmd, s, f, change.of(apiclient.Call{Method: http.MethodDelete, Path: []string{"config", args[0]}}), changedText)
	}
	return cmd
}

// changedText shows old → new.
func changedText(w io.Writer, c apiclient.ConfigChanged) error {
	if c.OldValue == c.NewValue {
		return printf(w, "%s: %v as before (revision %d)\n", c.Key, c.NewValue, c.Revision)
	}
	return printf(w, "%s: %v → %v (revision %d)\n", c.Key, c.OldValue, c.NewValue, c.Revision)
}

func configRollback(s streams) *cobra.Command {
	cmd := &cobra.Command{Use: "rollback AUDIT_ID", Short: "put back what a change replaced, as a new change",
		Long: "AUDIT_ID is that of 'mutt config history' or 'mutt audit list'. Rolls back changes of dynamic keys, rules, development\n" +
			"hosts and teams. When the same thing was changed again since, it is refused, unless --force.\n" +
			"An import is one change of many rows: with --whole everything that was changed together with the row is put back.",
		Args: exactly(1, "one AUDIT_ID"), Example: "  mutt config rollback 17 --reason 'it was too fast'"}
	f, change := addClientFlags(cmd), addChangeFlags(cmd)
	force := cmd.Flags().Bool("force", false, "also when it was changed again since")
	whole := cmd.Flags().Bool("whole", false, "put back everything that was changed together with that row, such as an import: all or nothing")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		id, err := strconv.ParseInt(args[0], 10, 64)
		if err != nil || id < 1 {
			return usageError{fmt.Errorf("AUDIT_ID must be a whole number from 1, not %q: see 'mutt config history'", args[0])}
		}
		return ask(cmd, s, f, change.of(apiclient.Call{Method: http.MethodPost, Path: []string{"config", "rollback"},
			Body: apiclient.RollbackRequest{AuditID: id, Force: *force, Whole: *whole, Reason: change.reason}}), func(w io.Writer, got apiclient.RolledBack) error {
			if *whole {
				return line(w, fmt.Sprintf("records put back: %d, as before change %d (noted up to change %d)", got.Records, id, got.AuditID))
			}
			if got.Key != "" {
				return printf(w, "%s: %v → %v, as before change %d (noted as change %d)\n", got.Key, got.OldValue, got.NewValue, id, got.AuditID)
			}
			return printf(w, "%s %s: %s, as before change %d (noted as change %d)\n", got.TableName, got.RecordID, got.Operation, id, got.AuditID)
		})
	}
	return cmd
}
