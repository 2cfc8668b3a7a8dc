package api

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/rule"
	"github.com/muttproject/mutt/platform/store"
)

// putBack writes the target in the place of the present record. What is not valid any more is refused.
func (a *API) putBack(ctx context.Context, tx change, u *undo, target record) error {
	id := u.row.RecordID
	switch u.row.TableName {
	case store.TableConfig:
		return a.putBackConfig(tx, id, target)
	case store.TableDevHosts:
		if target == nil {
			return tx.DeleteDevHost(id)
		}
		return putBackHost(tx, id)
	case store.TableTeams:
		if target == nil {
			return tx.DeleteTeam(id)
		}
		return putBackTeam(tx, id, target)
	default:
		return putBackRule(ctx, tx, u, target)
	}
}

func putBackHost(tx change, name string) error {
	if err := checkHostEntry(name); err != nil {
		return err
	}
	hosts, err := tx.DevHosts()
	if err != nil {
		return err
	}
	if h := findHost(hosts, name); h != nil {
		return fault.Field(fault.Conflict, "audit_id", "%q is a development host", h.Hostname)
	}
	return tx.PutDevHost(name)
}

func putBackTeam(tx change, hostname string, target record) error {
	team := store.Team{Hostname: hostname}
	if err := json.Unmarshal(target["team_assignment"], &team.TeamAssignment); err != nil {
		return fault.Wrap(fault.Corrupt, err, "the team of %q in the change audit does not decode", hostname)
	}
	if err := checkTeam(team); err != nil {
		return err
	}
	teams, err := tx.Teams()
	if err != nil {
		return err
	}
	if t := findTeam(teams, hostname); t != nil && t.Hostname != hostname {
		return fault.Field(fault.Conflict, "audit_id", "%q has the team %s", t.Hostname, t.TeamAssignment)
	}
	return tx.PutTeam(team)
}

func (a *API) putBackConfig(tx change, name string, target record) error {
	if target == nil {
		return tx.UnsetConfig(name)
	}
	key, err := a.Dynamic.Registry().Lookup(name)
	if err != nil {
		return fault.Wrap(fault.Unprocessable, err, "this version of MUTT has no key %s", name)
	}
	value, err := key.Parse(target["value"])
	if err != nil {
		return err
	}
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("render the value of %s: %w", name, err)
	}
	return tx.SetConfig(name, string(text))
}

func putBackRule(ctx context.Context, tx change, u *undo, target record) error {
	id, err := strconv.ParseInt(u.row.RecordID, 10, 64)
	if err != nil {
		return fault.Wrap(fault.Corrupt, err, "change %d names no rule", u.row.ID)
	}
	if target == nil {
		return tx.DeleteRule(id)
	}
	text, err := json.Marshal(target)
	if err != nil {
		return fmt.Errorf("render rule %d: %w", id, err)
	}
	r, err := rule.Decode(text)
	if err != nil {
		return ruleFault("", err)
	}
	own, err := ownExamples(r)
	if err != nil {
		return err
	}
	if err := examplesWithin(ctx, undoWithin, own); err != nil {
		return err
	}
	if r.ID = id; u.present != nil {
		return tx.UpdateRule(r)
	}
	return tx.RestoreRule(r)
}
