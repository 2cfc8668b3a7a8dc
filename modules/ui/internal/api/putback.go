package api

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/store"
)

// putBack writes the target in the place of the present record. What is not valid any more is refused.
func (r *restorer) putBack(u *undo, target record) error {
	switch u.row.TableName {
	case store.TableConfig:
		return r.api.putBackConfig(r.tx, u.row.RecordID, target)
	case store.TableDevHosts:
		return r.putBackHost(u.row.RecordID, target)
	case store.TableTeams:
		return r.putBackTeam(u.row.RecordID, target)
	default:
		return r.putBackRule(u, target)
	}
}

func (r *restorer) putBackHost(name string, target record) error {
	if r.hosts == nil {
		hosts, err := r.tx.DevHosts()
		if err != nil {
			return err
		}
		r.hosts = make(map[string]string, len(hosts))
		for _, h := range hosts {
			r.hosts[event.FoldHost(h.Hostname)] = h.Hostname
		}
	}
	if target == nil {
		delete(r.hosts, event.FoldHost(name))
		return r.tx.DeleteDevHost(name)
	}
	if err := checkHostEntry(name); err != nil {
		return err
	}
	if stored, there := r.hosts[event.FoldHost(name)]; there {
		return fault.Field(fault.Conflict, "audit_id", "%q is a development host", stored)
	}
	r.hosts[event.FoldHost(name)] = name
	return r.tx.PutDevHost(name)
}

func (r *restorer) putBackTeam(hostname string, target record) error {
	if r.teams == nil {
		teams, err := r.tx.Teams()
		if err != nil {
			return err
		}
		r.teams = make(map[string]string, len(teams))
		for _, t := range teams {
			r.teams[event.FoldHost(t.Hostname)] = t.Hostname
		}
	}
	if target == nil {
		delete(r.teams, event.FoldHost(hostname))
		return r.tx.DeleteTeam(hostname)
	}
	team := store.Team{Hostname: hostname}
	if err := json.Unmarshal(target["team_assignment"], &team.TeamAssignment); err != nil {
		return fault.Wrap(fault.Corrupt, err, "the team of %q in the change audit does not decode", hostname)
	}
	if err := checkTeam(team); err != nil {
		return err
	}
	if stored, there := r.teams[event.FoldHost(hostname)]; there && stored != hostname {
		return fault.Field(fault.Conflict, "audit_id", "%q has a team", stored)
	}
	r.teams[event.FoldHost(hostname)] = hostname
	return r.tx.PutTeam(team)
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

func (r *restorer) putBackRule(u *undo, target record) error {
	id, err := strconv.ParseInt(u.row.RecordID, 10, 64)
	if err != nil {
		return fault.Wrap(fault.Corrupt, err, "change %d names no rule", u.row.ID)
	}
	if target == nil {
		return r.tx.DeleteRule(id)
	}
	text, err := json.Marshal(target)
	if err != nil {
		return fmt.Errorf("render rule %d: %w", id, err)
	}
	old, known := r.checked[string(text)]
	if !known {
		return r.moved()
	}
	if old.ID = id; u.present != nil {
		return r.tx.UpdateRule(old)
	}
	return r.tx.RestoreRule(old)
}
