package store

import (
	"encoding/json"
	"strconv"

	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/rule"
)

// Record gives a rule, development host, team or dynamic value as this change sees it, in the form of the change audit,
// and its revision; nil and 0 when there is none. A host is one of this spelling. Unprocessable for any other table.
func (t *Tx) Record(table, id string) (map[string]json.RawMessage, int64, error) {
	switch table {
	case TableConfig:
		v, err := t.ConfigValue(id)
		if v == nil {
			return nil, 0, err
		}
		return configObject(v.Key, v.Value), v.Revision, err
	case TableDevHosts:
		h, err := t.devHost(id)
		if h == nil || h.Hostname != id {
			return nil, 0, err
		}
		return hostObject(h.Hostname), h.Revision, nil
	case TableTeams:
		team, err := t.team(id)
		if team == nil || team.Hostname != id {
			return nil, 0, err
		}
		return teamObject(*team), team.Revision, nil
	case TableRules:
		return t.ruleRecord(id)
	default:
		return nil, 0, fault.Field(fault.Unprocessable, "table_name", "%q has no records that can be put back", table)
	}
}

func (t *Tx) ruleRecord(id string) (map[string]json.RawMessage, int64, error) {
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil {
		return nil, 0, fault.Wrap(fault.Corrupt, err, "%q is no rule id", id)
	}
	r, err := t.Rule(n)
	switch {
	case fault.Is(err, fault.NotFound):
		return nil, 0, nil
	case err != nil:
		return nil, 0, err
	}
	_, shown, err := describeRule(&r)
	return shown, r.Revision, err
}

// RestoreRule stores a rule that was deleted, under the id that it had, so that what names the id stays true.
// AlreadyExists when its id or name is taken. The caller has checked that it compiles.
func (t *Tx) RestoreRule(r rule.Rule) error {
	if have, _, err := t.ruleRecord(strconv.FormatInt(r.ID, 10)); err != nil || have != nil {
		if err == nil {
			err = fault.Field(fault.AlreadyExists, "id", "there is a rule %d", r.ID)
		}
		return err
	}
	if err := t.nameFree(r.Name, 0); err != nil {
		return err
	}
	definition, shown, err := describeRule(&r)
	if err != nil {
		return err
	}
	t.rules.touch(r.ID, "", &ruleRow{name: r.Name, definition: definition})
	t.rules.highest = max(t.rules.highest, r.ID)
	t.record(TableRules, strconv.FormatInt(r.ID, 10), nil, shown)
	return nil
}
