package store

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"slices"
	"strconv"

	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/rule"
)

const ruleColumns = `id, name, definition, revision`

func scanRule(rows *sql.Rows, r *rule.Rule) error {
	var id, revision int64
	var name, definition string
	if err := rows.Scan(&id, &name, &definition, &revision); err != nil {
		return err
	}
	return decodeRule(r, id, name, definition, revision)
}

func decodeRule(r *rule.Rule, id int64, name, definition string, revision int64) error {
	if err := json.Unmarshal([]byte(definition), r); err != nil {
		return fault.Wrap(fault.Corrupt, err, "the definition of rule %d does not decode", id)
	}
	r.ID, r.Name, r.Revision = id, name, revision
	return nil
}

func rules(ctx context.Context, q querier) ([]rule.Rule, error) {
	return list(ctx, q, scanRule, `SELECT `+ruleColumns+` FROM alert_rules ORDER BY id`)
}

func ruleByID(ctx context.Context, q querier, id int64) (rule.Rule, error) {
	found, err := list(ctx, q, scanRule, `SELECT `+ruleColumns+` FROM alert_rules WHERE id = $1`, id)
	if err != nil {
		return rule.Rule{}, err
	}
	if len(found) == 0 {
		return rule.Rule{}, noRule(id)
	}
	return found[0], nil
}

// Rules lists all rules by id.
func (s *Store) Rules(ctx context.Context) ([]rule.Rule, error) {
	out, err := rules(ctx, s.reader)
	return out, s.fail(ctx, err, "read the rules")
}

// RuleByID gives one rule; NotFound when there is none.
func (s *Store) RuleByID(ctx context.Context, id int64) (rule.Rule, error) {
	out, err := ruleByID(ctx, s.reader, id)
	return out, s.fail(ctx, err, "read a rule")
}

// Ruleset gives everything that judging needs, as one state.
func (s *Store) Ruleset(ctx context.Context) (all []rule.Rule, tables rule.Tables, err error) {
	err = s.read(ctx, "read the ruleset", func(q querier) error {
		var err error
		tables = rule.Tables{}
		if err = q.QueryRowContext(ctx, `SELECT ruleset_version FROM revisions WHERE id = 1`).Scan(&tables.Version); err != nil {
			return err
		}
		if all, err = rules(ctx, q); err != nil {
			return err
		}
		hosts, err := devHosts(ctx, q)
		if err != nil {
			return err
		}
		for _, h := range hosts {
			tables.DevHosts = append(tables.DevHosts, h.Hostname)
		}
		teams, err := teams(ctx, q)
		tables.Teams = make(map[string]string, len(teams))
		for _, t := range teams {
			tables.Teams[t.Hostname] = t.TeamAssignment
		}
		return err
	})
	return all, tables, err
}

// ruleSet is what a change has made of rules so far. It is written when the change is complete.
type ruleSet struct {
	touched map[int64]*ruleRow // by id; nil for a rule that was removed
	names   map[string]int64   // of the rules that were touched, before and now; 0 for a name that is free by now
	highest int64              // id that was ever used, as far as it is known
	counted bool               // highest is known
}

// ruleRow is a rule as it is stored.
type ruleRow struct {
	name, definition string
	stored           bool // already
}

// touch replaces what is known of a rule; was is its name so far, "" for a rule that is new.
func (l *ruleSet) touch(id int64, was string, now *ruleRow) {
	if l.touched == nil {
		l.touched, l.names = map[int64]*ruleRow{}, map[string]int64{}
	}
	l.touched[id] = now
	if was != "" {
		l.names[was] = 0
	}
	if now != nil {
		l.names[now.name] = id
	}
}

// Rules lists all rules as this change sees them.
func (t *Tx) Rules() ([]rule.Rule, error) {
	all, err := rules(t.ctx, t.tx)
	if err != nil || len(t.rules.touched) == 0 {
		return all, err
	}
	all = slices.DeleteFunc(all, func(r rule.Rule) bool { _, touched := t.rules.touched[r.ID]; return touched })
	for id, row := range t.rules.touched {
		if row == nil {
			continue
		}
		r, err := t.Rule(id)
		if err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b rule.Rule) int { return cmp.Compare(a.ID, b.ID) })
	return all, nil
}

// Rule gives one rule as this change sees it; NotFound when there is none.
func (t *Tx) Rule(id int64) (r rule.Rule, err error) {
	row, touched := t.rules.touched[id]
	switch {
	case !touched:
		return ruleByID(t.ctx, t.tx, id)
	case row == nil:
		return r, noRule(id)
	}
	err = decodeRule(&r, id, row.name, row.definition, t.revision)
	return r, err
}

func noRule(id int64) error { return fault.New(fault.NotFound, "there is no rule %d", id) }

// CreateRule stores a new rule; its ID and Revision are set by the store. AlreadyExists when its name is taken.
// The caller has checked that it compiles.
func (t *Tx) CreateRule(r rule.Rule) (int64, error) {
	if err := t.nameFree(r.Name, 0); err != nil {
		return 0, err
	}
	definition, shown, err := describeRule(&r)
	if err != nil {
		return 0, err
	}
	row := &ruleRow{name: r.Name, definition: definition}
	if r.ID, err = t.newRuleID(row); err != nil {
		return 0, err
	}
	t.rules.touch(r.ID, "", row)
	shown["id"] = json.RawMessage(strconv.FormatInt(r.ID, 10))
	t.record(TableRules, strconv.FormatInt(r.ID, 10), nil, shown)
	return r.ID, nil
}

// newRuleID returns an id that no rule has had. Where only the database can say one, it stores the rule.
func (t *Tx) newRuleID(row *ruleRow) (id int64, err error) {
	l := &t.rules
	if t.highestRule == "" {
		if err := t.within(); err != nil {
			return 0, err
		}
		// A rule of this change had the name: what is left of that rule is stored when the change is complete.
		if _, had := l.names[row.name]; had {
			if err := t.exec(`DELETE FROM alert_rules WHERE name = $1`, row.name); err != nil {
				return 0, err
			}
		}
		row.stored = true
		err = t.tx.QueryRowContext(t.ctx, `INSERT INTO alert_rules (name, definition, revision) VALUES ($1, $2, $3) RETURNING id`,
			row.name, row.definition, t.revision).Scan(&id)
		return id, err
	}
	if !l.counted {
		if err := t.tx.QueryRowContext(t.ctx, t.highestRule).Scan(&id); err != nil {
			return 0, err
		}
		l.highest, l.counted = max(l.highest, id), true
	}
	l.highest++
	return l.highest, nil
}

// UpdateRule replaces the rule with r.ID.
func (t *Tx) UpdateRule(r rule.Rule) error {
	old, before, err := t.ruleForChange(r.ID)
	if err != nil {
		return err
	}
	definition, after, err := describeRule(&r)
	if err != nil || after.equal(before) {
		return err
	}
	if r.Name != old.Name {
		if err := t.nameFree(r.Name, r.ID); err != nil {
			return err
		}
	}
	t.rules.touch(r.ID, old.Name, &ruleRow{name: r.Name, definition: definition})
	t.record(TableRules, strconv.FormatInt(r.ID, 10), before, after, "id", "name")
	return nil
}

// DeleteRule removes a rule; audit rows that name it stay readable.
func (t *Tx) DeleteRule(id int64) error {
	old, before, err := t.ruleForChange(id)
	if err != nil {
		return err
	}
	t.rules.touch(id, old.Name, nil)
	t.record(TableRules, strconv.FormatInt(id, 10), before, nil)
	return nil
}

func (t *Tx) ruleForChange(id int64) (rule.Rule, object, error) {
	old, err := t.Rule(id)
	if err != nil {
		return old, nil, err
	}
	_, shown, err := describeRule(&old)
	return old, shown, err
}

// nameFree refuses a name that another rule has.
func (t *Tx) nameFree(name string, except int64) error {
	if name == "" {
		return fault.Field(fault.Unprocessable, "name", "a rule needs a name")
	}
	id, touched := t.rules.names[name]
	if !touched {
		err := t.tx.QueryRowContext(t.ctx, `SELECT id FROM alert_rules WHERE name = $1`, name).Scan(&id)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
	}
	if id == 0 || id == except {
		return nil
	}
	return fault.Field(fault.AlreadyExists, "name", "rule %d is called %q already", id, name)
}

// describeRule gives a rule as it is stored and as the audit shows it.
func describeRule(r *rule.Rule) (definition string, shown object, err error) {
	plain := *r
	plain.Revision = 0
	if shown, err = objectOf(plain); err != nil {
		return "", nil, err
	}
	stored := object{}
	for k, v := range shown {
		if k != "id" && k != "name" {
			stored[k] = v
		}
	}
	return stored.text(), shown, nil
}
