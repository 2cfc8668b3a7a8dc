package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/labstack/echo/v4"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/rule"
)

const (
	yamlType    = "application/yaml" // RFC 9512
	modeMerge   = "merge"
	modeReplace = "replace"
)

// exportRules gives all rules as a file that the import takes back.
func (a *API) exportRules(c echo.Context) error {
	asJSON := strings.Contains(c.Request().Header.Get("Accept"), jsonType)
	switch c.QueryParam("format") {
	case "":
	case "json":
		asJSON = true
	case "yaml":
		asJSON = false
	default:
		return fault.Field(fault.InvalidField, "format", "is yaml or json")
	}
	ctx := c.Request().Context()
	revision, _, err := a.Store.Revisions(ctx)
	if err != nil {
		return err
	}
	rules, err := a.Store.Rules(ctx)
	if err != nil {
		return err
	}
	contentType, name, file := yamlType, "rules.yaml", rule.WriteFile
	if asJSON {
		contentType, name, file = jsonType, "rules.json", rulesAsJSON
	}
	body, err := file(rules)
	if err != nil {
		return err
	}
	c.Response().Header().Set("Vary", "Accept")
	c.Response().Header().Set("Content-Disposition", `attachment; filename="`+name+`"`)
	return answerTagged(c, listTag(revision, body), contentType, body)
}

// rulesAsJSON is rule.WriteFile in JSON: without what belongs to this server, ids and revisions.
func rulesAsJSON(rules []rule.Rule) ([]byte, error) {
	list := make([]map[string]json.RawMessage, len(rules))
	for i := range rules {
		var err error
		if list[i], err = inFile(&rules[i]); err != nil {
			return nil, err
		}
	}
	return render(struct {
		Version int                          `json:"version"`
		Rules   []map[string]json.RawMessage `json:"rules"`
	}{1, list})
}

// inFile returns a rule as a file has it.
func inFile(r *rule.Rule) (map[string]json.RawMessage, error) {
	text, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("render rule %d: %w", r.ID, err)
	}
	var out map[string]json.RawMessage
	if err := json.Unmarshal(text, &out); err != nil {
		return nil, fmt.Errorf("render rule %d: %w", r.ID, err)
	}
	delete(out, "id")
	delete(out, "revision")
	return out, nil
}

// importRules brings the stored rules to what a file says, all or nothing.
func (a *API) importRules(c echo.Context) error {
	opts, err := importOptionsOf(c)
	if err != nil {
		return err
	}
	rules, reason, err := a.importBody(c)
	if err != nil {
		return err
	}
	if !opts.examples && !opts.dryRun {
		if reason, err = unchecked(c, reason, "check_examples=false"); err != nil {
			return err
		}
	}
	var result apiclient.ImportResult
	err = a.settled(func(moved func() error) error {
		stored, err := a.Store.Rules(c.Request().Context())
		if err != nil {
			return err
		}
		target := opts.target(stored, rules)
		if err := rule.CheckSteps(target); err != nil {
			return err
		}
		if opts.examples {
			if err := a.checkExamples(c.Request().Context(), target); err != nil {
				return err
			}
		}
		result = opts.plan(stored, target)
		if err := checkChanged(len(result.Changes), "rules"); err != nil {
			return err
		}
		if opts.dryRun {
			return a.unchanged(c)
		}
		revision, err := a.changeMany(c, reason, func(tx change) error {
			if err := tx.unchanged(); err != nil {
				return err
			}
			now, err := tx.Rules()
			if err != nil {
				return err
			}
			if !slices.EqualFunc(stored, now, func(a, b rule.Rule) bool { return a.ID == b.ID && a.Revision == b.Revision }) {
				return moved()
			}
			if err := carryOut(tx, rules, result.Changes); err != nil {
				return err
			}
			result.AuditID = tx.AuditID()
			return nil
		})
		if result.Revision = revision; err != nil || len(result.Changes) == 0 {
			result.Revision, result.AuditID = 0, 0
		}
		return err
	})
	if err != nil {
		return err
	}
	return answer(c, http.StatusOK, result)
}

type importOptions struct {
	mode     string
	dryRun   bool
	examples bool // check the examples of the whole set that would result
}

func importOptionsOf(c echo.Context) (o importOptions, err error) {
	switch o.mode = c.QueryParam("mode"); o.mode {
	case "":
		o.mode = modeMerge
	case modeMerge, modeReplace:
	default:
		return o, fault.Field(fault.InvalidField, "mode", "is merge (by name, the default) or replace")
	}
	if o.dryRun, err = flagOf(c, "dry_run", false); err != nil {
		return o, err
	}
	o.examples, err = flagOf(c, "check_examples", true)
	return o, err
}

func flagOf(c echo.Context, name string, absent bool) (bool, error) {
	switch c.QueryParam(name) {
	case "":
		return absent, nil
	case "true", "1":
		return true, nil
	case "false", "0":
		return false, nil
	default:
		return false, fault.Field(fault.InvalidField, name, "is true or false")
	}
}

// target returns the rules as the import leaves them.
func (o importOptions) target(stored, imported []rule.Rule) []rule.Rule {
	if o.mode == modeMerge {
		return merged(stored, imported)
	}
	return imported
}

// plan describes what the import changes.
func (o importOptions) plan(stored, target []rule.Rule) apiclient.ImportResult {
	result := apiclient.ImportResult{DryRun: o.dryRun, Mode: o.mode, Changes: rule.Diff(stored, target)}
	if result.Changes == nil {
		result.Changes = []rule.Change{}
	}
	for _, ch := range result.Changes {
		switch ch.Operation {
		case "create":
			result.Created++
		case "update":
			result.Updated++
		case "delete":
			result.Deleted++
		}
	}
	result.Unchanged = len(target) - result.Created - result.Updated
	return result
}

// merged gives the stored rules with those of the same name replaced and the new ones added.
func merged(stored, imported []rule.Rule) []rule.Rule {
	at := make(map[string]int, len(stored))
	out := append([]rule.Rule(nil), stored...)
	for i := range out {
		at[out[i].Name] = i
	}
	for _, r := range imported {
		if i, known := at[r.Name]; known {
			r.ID = out[i].ID
			out[i] = r
			continue
		}
		out = append(out, r)
	}
	return out
}

func carryOut(tx change, rules []rule.Rule, changes []rule.Change) error {
	byName := make(map[string]rule.Rule, len(rules))
	for _, r := range rules {
		byName[r.Name] = r
	}
	for _, ch := range changes {
		r := byName[ch.Name]
		r.ID = ch.ID
		var err error
		switch ch.Operation {
		case "create":
			_, err = tx.CreateRule(r)
		case "update":
			err = tx.UpdateRule(r)
		case "delete":
			err = tx.DeleteRule(ch.ID)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// fileTypes are the media types of a file of rules: YAML has had several names.
func fileTypes() []string {
	return []string{yamlType, jsonType, "application/x-yaml", "text/yaml", "text/x-yaml", "text/plain"}
}

// importBody reads rules as YAML, or as JSON in the form of the export or of GET /rules.
func (a *API) importBody(c echo.Context) (rules []rule.Rule, reason string, err error) {
	body, mediaType, err := readBody(c, maxImport, fileTypes()...)
	if err != nil {
		return nil, "", err
	}
	err = a.aside(c.Request().Context(), func(context.Context) (err error) {
		if mediaType == jsonType {
			rules, reason, err = rulesFromJSON(body)
			return err
		}
		rules, err = rule.ParseFile("import", body)
		return ruleFault("", err)
	})
	return rules, reason, err
}

func rulesFromJSON(body []byte) ([]rule.Rule, string, error) {
	var doc struct {
		Version *int              `json:"version"`
		Rules   *[]jsontext.Value `json:"rules"`
		Reason  string            `json:"reason"`
	}
	if err := jsonFault(jsonv2.Unmarshal(body, &doc, jsonv2.RejectUnknownMembers(true))); err != nil {
		return nil, "", err
	}
	if doc.Version != nil && *doc.Version != 1 {
		return nil, "", fault.Field(fault.Unprocessable, "version", "is %d, and this MUTT reads version 1", *doc.Version)
	}
	if doc.Rules == nil {
		return nil, "", fault.Field(fault.Unprocessable, "rules", "is missing: want a list of rules (it may be empty)")
	}
	names := make(map[string]int, len(*doc.Rules))
	rules := make([]rule.Rule, len(*doc.Rules))
	var errs []error
	unread := make([]error, len(rules))
	for i, raw := range *doc.Rules {
		rules[i], unread[i] = rule.Decode(raw)
	}
	if err := rule.CheckSteps(rules); err != nil {
		return nil, "", err
	}
	for i, r := range rules {
		where, err := fmt.Sprintf("rules[%d].", i), unread[i]
		if err == nil {
			err = r.Validate()
		}
		errs = append(errs, ruleFault(where, err))
		if first, twice := names[r.Name]; twice && err == nil {
			errs = append(errs, fault.Field(fault.Unprocessable, where+"name", "is the name of rules[%d] too", first))
		}
		names[r.Name] = i
	}
	return rules, doc.Reason, ruleFault("", errors.Join(errs...))
}
