package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
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
		return rule.Rule{}, fault.New(fault.NotFound, "there is no rule %d", id)
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

// Rules lists all rules as this change sees them.
func (t *Tx) Rules() ([]rule.Rule, error) { return rules(t.ctx, t.tx) }

// Rule gives one rule as this change sees it; NotFound when there is none.
func (t *Tx) Rule(id int64) (rule.Rule, error) { return ruleByID(t.ctx, t.tx, id) }

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
	if err := t.within(); err != nil {
		return 0, err
	}
	if err := t.tx.QueryRowContext(t.ctx, `INSERT INTO alert_rules (name, definition, revision) VALUES ($1, $2, $3) RETURNING id`,
		r.Name, definition, t.revision).Scan(&r.ID); err != nil {
		return 0, err
	}
	shown["id"] = json.RawMessage(strconv.FormatInt(r.ID, 10))
	t.record(TableRules, strconv.FormatInt(r.ID, 10), nil, shown)
	return r.ID, nil
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
	if err := t.exec(`UPDATE alert_rules SET name = $1, definition = $2, revision = $3 WHERE id = $4`,
		r.Name, definition, t.revision, r.ID); err != nil {
		return err
	}
	t.record(TableRules, strconv.FormatInt(r.ID, 10), before, after, "id", "name")
	return nil
}

// DeleteRule removes a rule; audit rows that name it stay readable.
func (t *Tx) DeleteRule(id int64) error {
	_, before, err := t.ruleForChange(id)
	if err != nil {
		return err
	}
	if err := t.exec(`DELETE FROM alert_rules WHERE id = $1`, id); err != nil {
		return err
	}
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

// nameFree checks before writing: a failed statement would end the transaction on PostgreSQL.
func (t *Tx) nameFree(name string, except int64) error {
	if name == "" {
		return fault.Field(fault.Unprocessable, "name", "a rule needs a name")
	}
	var id int64
	err := t.tx.QueryRowContext(t.ctx, `SELECT id FROM alert_rules WHERE name = $1`, name).Scan(&id)
	switch {
	case errors.Is(err, sql.ErrNoRows), err == nil && id == except:
		return nil
	case err != nil:
		return err
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
