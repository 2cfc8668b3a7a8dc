package api

import (
	"net/http"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/openapi"
	"github.com/muttproject/mutt/platform/rule"
)

const tagRules = "Rules"

func opListRules() openapi.Operation {
	return openapi.Op(tagRules, "listRules", "List the rules", "In the order of their ids. What is matched first is decided by priority, then id.",
		openapi.Gives(ok, "all rules", apiclient.Rules{}), openapi.Tagged())
}

func opGetRule() openapi.Operation {
	return openapi.Op(tagRules, "getRule", "Show a rule", "Its ETag is what If-Match takes.",
		ruleInPath(), openapi.Gives(ok, "the rule", rule.Rule{}), openapi.Tagged())
}

func opCreateRule() openapi.Operation {
	return openapi.Op(tagRules, "createRule", "Create a rule",
		"match_string or trap_oid is required. Names of handlings and match types are taken in any case.",
		openapi.TakesAs(openapi.Content{MediaType: openapi.JSON, Type: apiclient.RuleInput{}, Example: exampleRule(), Needs: ruleNeeds()}), changed(), checkedExamples(),
		openapi.Gives(http.StatusCreated, "the rule is in force", apiclient.Created{}, "Location", "ETag"),
		openapi.Fails(fault.AlreadyExists))
}

// ruleNeeds is what a rule must say to be made.
func ruleNeeds() [][]string {
	return [][]string{{"match_string", "trap_oid"}, {"prod_handling"}, {"dev_handling"}, {"team_assignment"}}
}

func opUpdateRule(id string) openapi.Operation {
	return openapi.Op(tagRules, id, "Change a rule", "Takes the fields to change; null puts a field's default back. PUT and PATCH do the same.",
		ruleInPath(), openapi.TakesAs(openapi.Content{MediaType: openapi.JSON, Type: apiclient.RuleInput{}, Example: map[string]any{"priority": 50, "reason": "first of all"}}),
		changed(), checkedExamples(), openapi.Gives(ok, "the rule as changed is in force", apiclient.RuleSaved{}, "ETag"), openapi.Fails(fault.AlreadyExists))
}

func opDeleteRule() openapi.Operation {
	return openapi.Op(tagRules, "deleteRule", "Delete a rule", "Audit rows of events that it matched keep its id and name.",
		ruleInPath(), changed(), checkedExamples(), openapi.Gives(ok, "the rule is not in force any more", apiclient.RuleSaved{}), openapi.Fails(fault.Unprocessable))
}

// checkedExamples is the parameter that says which examples may stop a change.
func checkedExamples() openapi.Part {
	return openapi.InQuery("examples", "which examples stop the change when they would not hold: own, those of the rule itself but expect; all, those of every rule that hold today as well; "+
		"none needs the role admin and a reason, which the change audit shows", openapi.OneOf(examplesOwn, examplesAll, examplesNone).WithDefault(examplesOwn))
}

func ruleInPath() openapi.Part { return named("id", "id of the rule", openapi.Whole(1, greatest)) }

func opExportRules() openapi.Operation {
	return openapi.Op(tagRules, "exportRules", "Export the rules as a file", "The import takes it back.",
		openapi.InQuery("format", "of the file; without it, JSON when Accept asks for it", openapi.OneOf("yaml", "json")),
		openapi.GivesAs(openapi.Answer{Status: ok, About: "the file", Headers: []string{"Content-Disposition"}, Contents: []openapi.Content{
			{MediaType: yamlType, Schema: openapi.Text(0)}, {MediaType: openapi.JSON, Type: apiclient.RulesFile{}}}}),
		openapi.Tagged(), openapi.Fails(fault.Conflict))
}

func opImportRules() openapi.Operation {
	var files []openapi.Content
	for _, mediaType := range fileTypes() {
		files = append(files, openapi.Content{MediaType: mediaType, Type: apiclient.RulesFileInput{}})
	}
	files[0].Example = exampleFile
	files[1].Example = map[string]any{"rules": []any{exampleRule()}}
	return openapi.Op(tagRules, "importRules", "Import rules from a file", "All or nothing. A rule is known by its name.",
		openapi.InQuery("mode", "merge adds and replaces by name; replace deletes the others as well", openapi.OneOf(modeMerge, modeReplace).WithDefault(modeMerge)),
		openapi.InQuery("dry_run", "only tell what would change", openapi.Flag().WithDefault(false)),
		openapi.InQuery("check_examples", "refuse a result that contradicts the examples of its rules; without dry_run, false takes the role admin and a reason", openapi.Flag().WithDefault(true)),
		openapi.TakesAs(files...),
		changed(), openapi.Gives(ok, "what was changed, or with dry_run what would be", apiclient.ImportResult{}), openapi.Fails(fault.Conflict, fault.AlreadyExists))
}

const exampleFile = `version: 1
rules:
  - name: link down
    match_string: link down
    prod_handling: Page_and_ticket
    dev_handling: Log_only
    team_assignment: NETOPS
`

func opRuleStats() openapi.Operation {
	return openapi.Op(tagRules, "ruleStats", "Show how often rules win", "Hits of 24 hours, the last match, and the rules that never win because another one takes everything from them. The latter is found by comparing "+
		"conditions: it is never wrong, but does not find every such rule.", openapi.Gives(ok, "all rules", apiclient.RuleStats{}))
}

func opTestRule() openapi.Operation {
	return openapi.Op(tagRules, "testRule", "Try an event on the rules", "Tells which rule wins, and why each better-ranked one lost; with a draft as if it were stored. Nothing is stored. "+
		"A caller has one such call at once, the process a few (`limits.tryouts`); a call that takes longer than `limits.tryout_time` is refused with 422.",
		openapi.TakesAs(openapi.Content{MediaType: openapi.JSON, Type: apiclient.RuleTestRequest{},
			Example: map[string]any{"event": map[string]any{"hostname": "sw1", "message": "link down on Gi0/1"}}}),
		openapi.Gives(ok, "how it is judged", apiclient.RuleTest{}), openapi.Fails(fault.RateLimited, fault.Busy))
}

func opPreviewRules() openapi.Operation {
	return openapi.Op(tagRules, "previewRules", "Try drafts of rules on past events",
		"Judges the newest audited events by the stored rules and with the drafts, and reports how many would be handled differently. Nothing is stored. "+
			"The expressions of the drafts may compile to 1,000,000 steps together. A caller has one such call at once, the process a few (`limits.tryouts`); after `limits.tryout_time` the answer is partial. "+
			"With window_hours it looks at the newest 100,000 events of that time and answers with a review as well.",
		openapi.TakesAs(openapi.Content{MediaType: openapi.JSON, Type: apiclient.RulePreviewRequest{},
			Example: map[string]any{"rules": []any{exampleRule()}, "events": 500}}),
		openapi.Gives(ok, "what would change", apiclient.RulePreview{}), openapi.Fails(fault.AlreadyExists, fault.RateLimited, fault.Busy))
}

func opMatchRule() openapi.Operation {
	return openapi.Op(tagRules, "matchRule", "Try a draft on samples of a day", "Tries the draft alone on the newest event of each host and mask among the newest 100,000 events of 24 hours, and names near misses. Nothing is stored. "+
		"A caller has one such call at once, the process a few (`limits.tryouts`); a call that takes longer than `limits.tryout_time` is refused with 422.",
		openapi.TakesAs(openapi.Content{MediaType: openapi.JSON, Type: apiclient.RuleMatchRequest{}, Example: map[string]any{"rule": exampleRule()}}),
		openapi.Gives(ok, "what it matches", apiclient.RuleMatches{}), openapi.Fails(fault.RateLimited, fault.Busy))
}

func exampleRule() map[string]any {
	return map[string]any{"name": "link down", "match_string": "link down", "prod_handling": "Page_and_ticket", "dev_handling": "Log_only", "team_assignment": "NETOPS"}
}
