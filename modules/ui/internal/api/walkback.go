package api

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/rule"
	"github.com/muttproject/mutt/platform/store"
)

// walkBack is a ruleset as it was before some of the last changes.
type walkBack struct {
	rules map[string]record // by id
	hosts map[string]bool
	teams map[string]string
}

func newWalkBack(rules []rule.Rule, tables rule.Tables) (*walkBack, error) {
	w := &walkBack{rules: make(map[string]record, len(rules)), hosts: make(map[string]bool, len(tables.DevHosts)), teams: maps.Clone(tables.Teams)}
	if w.teams == nil {
		w.teams = map[string]string{}
	}
	for i := range rules {
		text, err := json.Marshal(rules[i])
		if err != nil {
			return nil, fmt.Errorf("render rule %d: %w", rules[i].ID, err)
		}
		var r record
		if err := json.Unmarshal(text, &r); err != nil {
			return nil, fmt.Errorf("read rule %d: %w", rules[i].ID, err)
		}
		w.rules[strconv.FormatInt(rules[i].ID, 10)] = r
	}
	for _, h := range tables.DevHosts {
		w.hosts[h] = true
	}
	return w, nil
}

// undo takes back one change. Changes are undone from the newest to the oldest.
func (w *walkBack) undo(row *store.Change) error {
	u, err := newUndo(row, nil)
	if err != nil {
		return err
	}
	there := row.Operation != store.OpCreate // before the change
	switch row.TableName {
	case store.TableDevHosts:
		delete(w.hosts, row.RecordID)
		if there {
			w.hosts[row.RecordID] = true
		}
	case store.TableTeams:
		delete(w.teams, row.RecordID)
		if there {
			var team string
			if err := json.Unmarshal(u.old["team_assignment"], &team); err != nil {
				return fault.Wrap(fault.Corrupt, err, "the team in change %d does not decode", row.ID)
			}
			w.teams[row.RecordID] = team
		}
	default:
		if !there {
			delete(w.rules, row.RecordID)
			return nil
		}
		r := maps.Clone(w.rules[row.RecordID])
		if r == nil || row.Operation == store.OpDelete {
			r = record{}
		}
		for k, v := range u.old {
			if r[k] = v; string(v) == "null" {
				delete(r, k)
			}
		}
		for k := range u.now { // what the change added
			if _, before := u.old[k]; !before && row.Operation == store.OpUpdate {
				delete(r, k)
			}
		}
		w.rules[row.RecordID] = r
	}
	return nil
}

// ruleset returns what is left, as a ruleset of the given version, in the order of the rules' ids.
func (w *walkBack) ruleset(version int64) ([]rule.Rule, rule.Tables, error) {
	tables := rule.Tables{DevHosts: slices.Sorted(maps.Keys(w.hosts)), Teams: w.teams, Version: version}
	rules := make([]rule.Rule, 0, len(w.rules))
	for id, r := range w.rules {
		text, err := json.Marshal(r)
		if err != nil {
			return nil, tables, fmt.Errorf("render rule %s: %w", id, err)
		}
		var past rule.Rule
		if err := json.Unmarshal(text, &past); err != nil {
			return nil, tables, fault.Wrap(fault.Corrupt, err, "rule %s in the change audit does not decode", id)
		}
		if past.ID, err = strconv.ParseInt(id, 10, 64); err != nil {
			return nil, tables, fault.Wrap(fault.Corrupt, err, "the change audit has a rule with the id %q", id)
		}
		rules = append(rules, past)
	}
	slices.SortFunc(rules, func(a, b rule.Rule) int { return int(a.ID - b.ID) })
	return rules, tables, nil
}
