package store

import (
	"context"
	"database/sql"

	"github.com/muttproject/mutt/platform/fault"
)

func scanDevHost(rows *sql.Rows, h *DevHost) error { return rows.Scan(&h.Hostname, &h.Revision) }

func scanTeam(rows *sql.Rows, t *Team) error {
	return rows.Scan(&t.Hostname, &t.TeamAssignment, &t.Revision)
}

func devHosts(ctx context.Context, q querier) ([]DevHost, error) {
	return list(ctx, q, scanDevHost, `SELECT hostname, revision FROM development_hosts ORDER BY hostname`)
}

func teams(ctx context.Context, q querier) ([]Team, error) {
	return list(ctx, q, scanTeam, `SELECT hostname, team_assignment, revision FROM device_teams ORDER BY hostname`)
}

// DevHosts lists the development hosts by name.
func (s *Store) DevHosts(ctx context.Context) ([]DevHost, error) {
	out, err := devHosts(ctx, s.reader)
	return out, s.fail(ctx, err, "read the development hosts")
}

// Teams lists the teams of devices by hostname.
func (s *Store) Teams(ctx context.Context) ([]Team, error) {
	out, err := teams(ctx, s.reader)
	return out, s.fail(ctx, err, "read the teams")
}

// first gives the first item, nil when there is none.
func first[T any](items []T, err error) (*T, error) {
	if err != nil || len(items) == 0 {
		return nil, err
	}
	return &items[0], nil
}

// DevHosts lists the development hosts as this change sees them.
func (t *Tx) DevHosts() ([]DevHost, error) {
	stored, err := t.hosts.all(func() ([]Team, error) {
		return list(t.ctx, t.tx, scanHostEntry, `SELECT hostname, revision FROM development_hosts ORDER BY hostname`)
	})
	if err != nil {
		return nil, err
	}
	out := make([]DevHost, len(stored))
	for i, e := range stored {
		out[i] = DevHost{Hostname: e.Hostname, Revision: e.Revision}
	}
	return out, nil
}

// Teams lists the teams as this change sees them.
func (t *Tx) Teams() ([]Team, error) {
	return t.teams.all(func() ([]Team, error) { return teams(t.ctx, t.tx) })
}

// scanHostEntry reads a development host as an entry without a team.
func scanHostEntry(rows *sql.Rows, e *Team) error { return rows.Scan(&e.Hostname, &e.Revision) }

// devHost returns the entry of a host, in whatever case it is stored.
func (t *Tx) devHost(hostname string) (*Team, error) {
	return t.hosts.one(hostname, func(identity string) (*Team, error) {
		return first(list(t.ctx, t.tx, scanHostEntry, `SELECT hostname, revision FROM development_hosts WHERE lower(hostname) = $1`, identity))
	})
}

// team returns the entry of a host, in whatever case it is stored.
func (t *Tx) team(hostname string) (*Team, error) {
	return t.teams.one(hostname, func(identity string) (*Team, error) {
		return first(list(t.ctx, t.tx, scanTeam,
			`SELECT hostname, team_assignment, revision FROM device_teams WHERE lower(hostname) = $1`, identity))
	})
}

// PutDevHost adds a development host; AlreadyExists when it is one, in whatever case of its name.
func (t *Tx) PutDevHost(hostname string) error {
	if hostname == "" {
		return fault.Field(fault.Unprocessable, "hostname", "a development host needs a name")
	}
	old, err := t.devHost(hostname)
	if err != nil {
		return err
	}
	if old != nil {
		return fault.Field(fault.AlreadyExists, "hostname", "%q is a development host already", old.Hostname)
	}
	t.hosts.set(Team{Hostname: hostname, Revision: t.revision})
	t.record(TableDevHosts, hostname, nil, hostObject(hostname))
	return nil
}

// DeleteDevHost makes a host a production host again.
func (t *Tx) DeleteDevHost(hostname string) error {
	old, err := t.devHost(hostname)
	if err != nil {
		return err
	}
	if old == nil {
		return fault.New(fault.NotFound, "%q is not a development host", hostname)
	}
	t.removeDevHost(old.Hostname)
	return nil
}

// removeDevHost removes the entry with this spelling.
func (t *Tx) removeDevHost(spelling string) {
	t.hosts.drop(spelling)
	t.record(TableDevHosts, spelling, hostObject(spelling), nil)
}

// PutTeam sets the team of a device, whether it had one or not. The spelling that is stored stays.
func (t *Tx) PutTeam(team Team) error {
	if team.Hostname == "" || team.TeamAssignment == "" {
		return fault.Field(fault.Unprocessable, "team_assignment", "a team needs a hostname and a name")
	}
	old, err := t.team(team.Hostname)
	if err != nil {
		return err
	}
	var before object
	if old != nil {
		if old.TeamAssignment == team.TeamAssignment {
			return nil
		}
		before, team.Hostname = teamObject(*old), old.Hostname
	}
	team.Revision = t.revision
	t.teams.set(team)
	t.record(TableTeams, team.Hostname, before, teamObject(team), "hostname")
	return nil
}

// DeleteTeam takes a device's team away.
func (t *Tx) DeleteTeam(hostname string) error {
	old, err := t.team(hostname)
	if err != nil {
		return err
	}
	if old == nil {
		return fault.New(fault.NotFound, "%q has no team", hostname)
	}
	t.removeTeam(*old)
	return nil
}

// removeTeam removes the entry with this spelling.
func (t *Tx) removeTeam(team Team) {
	t.teams.drop(team.Hostname)
	t.record(TableTeams, team.Hostname, teamObject(team), nil)
}
