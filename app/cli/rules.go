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
	"time"

	"github.com/spf13/cobra"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/private"
	"github.com/muttproject/mutt/platform/rule"
	"github.com/muttproject/mutt/platform/terminal"
)

func newRules(s streams) *cobra.Command {
	cmd := &cobra.Command{Use: "rules", Short: "list, show, change, check, import and export rules, and show how often they win"}
	f := addClientFlags(cmd)
	cmd.AddCommand(rulesList(s, f), rulesShow(s, f), rulesCreate(s, f), rulesUpdate(s, f), rulesDelete(s, f),
		rulesSwitch(s, f, "enable", "let rules match again", true), rulesSwitch(s, f, "disable", "stop rules from matching, without deleting them", false),
		rulesCheck(s, f), rulesImport(s, f), rulesExport(s, f), rulesStats(s, f))
	return cmd
}

func rulesList(s streams, f *clientFlags) *cobra.Command {
	return f.list(s, "list", "list the rules of a running server", func(ctx context.Context, c *apiclient.Client) (any, [][]string, error) {
		rules, err := listRules(ctx, c)
		return apiclient.Rules{Rules: rules}, rulesTable(rules), err
	})
}

func rulesStats(s streams, f *clientFlags) *cobra.Command {
	return f.list(s, "stats", "show how often each rule won in 24 hours, when it won last, and which rules never win", func(ctx context.Context, c *apiclient.Client) (any, [][]string, error) {
		var got apiclient.RuleStats
		err := c.Do(ctx, apiclient.Call{Method: http.MethodGet, Path: []string{"rules", "stats"}}, &got)
		rows := [][]string{{"ID", "NAME", "HITS", "LAST MATCH", "EXPIRES", "REMARK"}}
		for _, r := range got.Rules {
			remark := ""
			switch {
			case !r.IsActive:
				remark = "inactive"
			case r.Expires != nil && !r.Expires.After(time.Now()):
				remark = "ended"
			case !got.ShadowsKnown:
				remark = "whether it can win was not found out"
			case r.ShadowedBy != nil:
				remark = fmt.Sprintf("never wins: rule %d (%s) takes everything from it", r.ShadowedBy.ID, r.ShadowedBy.Name)
			}
			rows = append(rows, []string{strconv.FormatInt(r.RuleID, 10), r.Name, strconv.FormatInt(r.Hits, 10), timeOrDash(r.LastMatch), timeOrDash(r.Expires), remark})
		}
		return got, append(rows, []string{"-", "(no rule: unhandled)", strconv.FormatInt(got.Unhandled, 10), "-", "-", ""}), err
	})
}

func timeOrDash(t *time.Time) string {
	if t == nil {
		return "-"
	}
	return t.Format(time.RFC3339)
}

func rulesTable(rules []rule.Rule) [][]string {
	rows := [][]string{{"ID", "PRIORITY", "NAME", "MATCH", "PROD", "DEV", "TEAM", "ACTIVE"}}
	for _, r := range rules {
		match := string(r.MatchType) + " " + r.MatchString
		if r.TrapOID != "" {
			match = strings.TrimSpace(r.MatchString + " oid " + r.TrapOID)
		}
		rows = append(rows, []string{strconv.FormatInt(r.ID, 10), strconv.Itoa(r.Priority), r.Name, short(match, 50),
			r.ProdHandling, r.DevHandling, r.TeamAssignment, strconv.FormatBool(r.IsActive)})
	}
	return rows
}

// short cuts a text for a table.
func short(s string, n int) string { return terminal.Cut(terminal.Line(s), n) }

func rulesCheck(s streams, f *clientFlags) *cobra.Command {
	return &cobra.Command{Use: "check FILE", Short: "check a rule file and its examples, without a server", Args: exactly(1, "one FILE, or - for the standard input"),
		Example: "  mutt rules check configs/rules/starter.yaml",
		RunE: func(cmd *cobra.Command, args []string) error {
			data, err := readInput(s, args[0])
			if err != nil {
				return err
			}
			rules, err := rule.ParseFile(args[0], data)
			if err != nil {
				return err
			}
			if err := rule.CheckExamples(cmd.Context(), rules); err != nil {
				return err
			}
			result := struct {
				Rules int `json:"rules"`
			}{len(rules)}
			return print(cmd.OutOrStdout(), *f.output, result, func(w io.Writer) error {
				return printf(w, "%d rules are good, and so are their examples\n", len(rules))
			})
		}}
}

func rulesImport(s streams, f *clientFlags) *cobra.Command {
	var dryRun, replace bool
	cmd := &cobra.Command{Use: "import FILE", Short: "import rules, all or nothing", Args: exactly(1, "one FILE, or - for the standard input"),
		Long: "Rules are told apart by name: new ones are created, known ones changed. With --replace, rules that the file\n" +
			"does not name are deleted. --dry-run shows what would change.",
		Example: "  mutt rules import --dry-run configs/rules/starter.yaml"}
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "show what would change, change nothing")
	cmd.Flags().BoolVar(&replace, "replace", false, "delete the rules that the file does not name")
	change := addChangeFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		data, err := readInput(s, args[0])
		if err != nil {
			return err
		}
		// Checked here first: errors then name the file and line.
		if _, err := rule.ParseFile(args[0], data); err != nil {
			return err
		}
		q := url.Values{"dry_run": {strconv.FormatBool(dryRun)}, "mode": {map[bool]string{false: "merge", true: "replace"}[replace]}}
		return ask(cmd, s, f, change.of(apiclient.Call{Method: http.MethodPost, Path: []string{"rules", "import"}, Query: q,
			Body: data, ContentType: "application/yaml"}), importText)
	}
	return cmd
}

func importText(w io.Writer, r apiclient.ImportResult) error {
	for _, c := range r.Changes {
		if err := printf(w, "%s %s %s\n", c.Operation, strconv.Quote(c.Name), strings.Join(c.Fields, ", ")); err != nil {
			return err
		}
	}
	verb := ""
	if r.DryRun {
		verb = "would be "
	}
	err := printf(w, "%d %screated, %d %schanged, %d %sdeleted, %d as they were\n", r.Created, verb, r.Updated, verb, r.Deleted, verb, r.Unchanged)
	return errors.Join(err, undoHint(w, r.AuditID))
}

func rulesExport(s streams, f *clientFlags) *cobra.Command {
	var file string
	cmd := &cobra.Command{Use: "export", Short: "write the rules as a file that import takes", Args: noArgs}
	cmd.Flags().StringVarP(&file, "file", "f", "-", "where to write; - for the standard output")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := f.client(s)
		if err != nil {
			return err
		}
		format := map[bool]string{true: "json", false: "yaml"}[*f.output == "json"]
		var got []byte
		if err := c.Do(cmd.Context(), apiclient.Call{Method: http.MethodGet, Path: []string{"rules", "export"},
			Query: url.Values{"format": {format}}, Accept: "*/*"}, &got); err != nil {
			return err
		}
		if file == "-" {
			_, err = cmd.OutOrStdout().Write(got)
			return err
		}
		if err := private.Write(file, got); err != nil {
			return fmt.Errorf("write the rules: %w", err)
		}
		return nil
	}
	return cmd
}
