package cli

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/rule"
)

func rulesShow(s streams, f *clientFlags) *cobra.Command {
	return &cobra.Command{Use: "show ID|NAME", Short: "show one rule whole", Args: exactly(1, "one ID or NAME"), ValidArgsFunction: f.complete(s, ruleNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := f.client(s)
			if err != nil {
				return err
			}
			ids, err := ruleIDs(cmd.Context(), c, args)
			if err != nil {
				return err
			}
			var got rule.Rule
			if err := c.Do(cmd.Context(), apiclient.Call{Method: http.MethodGet, Path: []string{"rules", ids[args[0]]}}, &got); err != nil {
				return err
			}
			return print(cmd.OutOrStdout(), *f.output, got, func(w io.Writer) error { return fields(w, got) })
		}}
}

func rulesCreate(s streams, f *clientFlags) *cobra.Command {
	cmd := &cobra.Command{Use: "create", Short: "create a rule", Args: noArgs,
		Example: "  mutt rules create --name 'fan tray' --match-string 'fan tray' --prod-handling Page_only --dev-handling Ignore --team DCOPS\n" +
			"  mutt rules create --file rule.yaml --reason 'new gear'"}
	change, given := addChangeFlags(cmd), addRuleFields(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		body, err := given.body(s)
		if err != nil {
			return err
		}
		return ask(cmd, s, f, change.of(apiclient.Call{Method: http.MethodPost, Path: []string{"rules"}, Body: body}), func(w io.Writer, got apiclient.Created) error {
			return printf(w, "%s, with the id %d\n", got.Message, got.ID)
		})
	}
	return cmd
}

func rulesUpdate(s streams, f *clientFlags) *cobra.Command {
	cmd := &cobra.Command{Use: "update ID|NAME", Short: "change fields of a rule", Args: exactly(1, "one ID or NAME"), ValidArgsFunction: f.complete(s, ruleNames),
		Long:    "Fields that are not named stay as they are; --unset puts a field's default back.",
		Example: "  mutt rules update 'fan tray' --priority 10 --reason 'too many pages'"}
	change, given := addChangeFlags(cmd), addRuleFields(cmd)
	cmd.Flags().StringArrayVar(&given.unset, "unset", nil, "field to put back to its default, as in 'mutt rules show'; may be repeated")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		body, err := given.body(s)
		if err != nil {
			return err
		}
		return f.updateRules(cmd, s, change, args, body)
	}
	return cmd
}

// rulesSwitch makes enable and disable.
func rulesSwitch(s streams, f *clientFlags, use, short string, active bool) *cobra.Command {
	cmd := &cobra.Command{Use: use + " ID|NAME…", Short: short, Args: atLeastOne, ValidArgsFunction: f.complete(s, ruleNames)}
	change := addChangeFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return f.updateRules(cmd, s, change, args, map[string]any{"is_active": active})
	}
	return cmd
}

// updateRules changes the same fields of some rules.
func (f *clientFlags) updateRules(cmd *cobra.Command, s streams, change *changeFlags, names []string, body map[string]any) error {
	return f.eachRule(cmd, s, names, change.of(apiclient.Call{Method: http.MethodPut, Body: body}))
}

func rulesDelete(s streams, f *clientFlags) *cobra.Command {
	cmd := &cobra.Command{Use: "delete ID|NAME…", Short: "delete rules", Args: atLeastOne, ValidArgsFunction: f.complete(s, ruleNames),
		Long: "Deletes rules for good; 'mutt rules disable' keeps them. What was judged by a deleted rule stays readable."}
	change := addDeleteFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := change.sure(s, quoted("rules", args)); err != nil {
			return err
		}
		return f.eachRule(cmd, s, args, change.of(apiclient.Call{Method: http.MethodDelete}))
	}
	return cmd
}

// eachRule makes a call for each of some rules. All names are looked up first: a misspelt one changes nothing.
func (f *clientFlags) eachRule(cmd *cobra.Command, s streams, names []string, call apiclient.Call) error {
	c, err := f.client(s)
	if err != nil {
		return err
	}
	ids, err := ruleIDs(cmd.Context(), c, names)
	if err != nil {
		return err
	}
	return each(cmd, *f.output, names, func(name string) (string, error) {
		call.Path = []string{"rules", ids[name]}
		var got apiclient.RuleSaved
		err := c.Do(cmd.Context(), call, &got)
		return got.Message, err
	})
}

// ruleIDs returns the ids of rules that are named by their ids or names.
func ruleIDs(ctx context.Context, c *apiclient.Client, words []string) (map[string]string, error) {
	rules, err := listRules(ctx, c)
	if err != nil {
		return nil, err
	}
	things := make([]named, len(rules))
	for i := range rules {
		things[i] = named{rules[i].ID, rules[i].Name}
	}
	return pickAll("rule", "mutt rules list", words, things)
}

func listRules(ctx context.Context, c *apiclient.Client) ([]rule.Rule, error) {
	var got apiclient.Rules
	err := c.Do(ctx, apiclient.Call{Method: http.MethodGet, Path: []string{"rules"}}, &got)
	return got.Rules, err
}

// ruleNames completes the names of rules.
func ruleNames(ctx context.Context, c *apiclient.Client) (names []string, err error) {
	rules, err := listRules(ctx, c)
	for _, r := range rules {
		names = append(names, r.Name+"\t"+strconv.FormatInt(r.ID, 10))
	}
	return names, err
}

// ruleFields are the fields of a rule that a command line gives.
type ruleFields struct {
	cmd   *cobra.Command
	file  string
	unset []string
	flags map[string]string // the fields' names, by flag
}

// addRuleFields adds a flag for each field of a rule but the examples, and --file.
func addRuleFields(cmd *cobra.Command) *ruleFields {
	g := &ruleFields{cmd: cmd, flags: map[string]string{}}
	cmd.Flags().StringVarP(&g.file, "file", "f", "", "fields from a file, YAML or JSON; - for the standard input; flags go before it")
	field := func(name string) string {
		flag := strings.ReplaceAll(name, "_", "-")
		g.flags[flag] = name
		return flag
	}
	for _, text := range [...][2]string{{"name", "unique"}, {"description", "for people"}, {"match_type", "contains, regex, equals, glob or oid_prefix"},
		{"match_string", "what to look for"}, {"trap_oid", "OID that a trap must be at or under"}, {"host_pattern", "glob or CIDR of hosts"},
		{"source", "http, syslog or trap; all when it is not given"}, {"prod_handling", "what becomes of events of production hosts"},
		{"dev_handling", "what becomes of events of development hosts"}, {"team_assignment", "who gets the alert"},
		{"signature", "template of what one problem is"}, {"valid_from", "RFC 3339"}, {"valid_until", "RFC 3339"}} {
		cmd.Flags().String(field(text[0]), "", text[1])
	}
	for _, number := range [...][2]string{{"priority", "the lowest wins"}, {"syslog_severity", "exactly this one, 0 to 7"}, {"min_severity", "0 to 7"},
		{"max_severity", "0 to 7"}, {"severity_override", "what the destination gets, 0 clear to 5 critical"}} {
		cmd.Flags().Var(&typedText{kind: "int"}, field(number[0]), number[1])
	}
	cmd.Flags().Var(&typedText{value: "true", kind: "bool"}, field("is_active"), "whether it matches anything")
	cmd.Flags().Lookup("is-active").NoOptDefVal = "true"
	g.words("match-type", string(rule.Contains), string(rule.Regex), string(rule.Equals), string(rule.Glob), string(rule.OIDPrefix))
	g.words("prod-handling", handlings()...)
	g.words("dev-handling", handlings()...)
	return g
}

// typedText is a flag whose text the field of the rule types: pflag would read 0100 as an octal number.
type typedText struct{ value, kind string }

func (t *typedText) Set(text string) error { t.value = text; return nil }
func (t *typedText) String() string        { return t.value }
func (t *typedText) Type() string          { return t.kind }

func (g *ruleFields) words(flag string, words ...string) {
	must(g.cmd.RegisterFlagCompletionFunc(flag, func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return words, cobra.ShellCompDirectiveNoFileComp
	}))
}

func handlings() (words []string) {
	for _, h := range event.Handlings() {
		words = append(words, h.String())
	}
	return words
}

// body returns the fields that were named, typed as the server wants them. The server checks them.
func (g *ruleFields) body(s streams) (map[string]any, error) {
	body := map[string]any{}
	if g.file != "" {
		data, err := readInput(s, g.file)
		if err != nil {
			return nil, err
		}
		fields, err := rule.ParseFields(g.file, data, "reason")
		if err != nil {
			return nil, err
		}
		for name, value := range fields {
			body[name] = value
		}
	}
	for _, name := range g.unset {
		body[name] = nil
	}
	for flag, name := range g.flags {
		given := g.cmd.Flags().Lookup(flag)
		if !given.Changed {
			continue
		}
		value, err := rule.FieldValue(name, given.Value.String())
		if err != nil {
			f, _ := fault.As(err)
			return nil, usageError{fmt.Errorf("--%s %s", flag, f.Message)}
		}
		body[name] = value
	}
	if len(body) == 0 {
		return nil, usageError{fmt.Errorf("name at least one field of the rule\nsee '%s --help'", g.cmd.CommandPath())}
	}
	return body, nil
}
