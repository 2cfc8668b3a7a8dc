package store

import (
	"context"
	"database/sql"

	"github.com/muttproject/mutt/platform/event"
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

// DevHosts lists the development hosts as this change sees them.
func (t *Tx) DevHosts() ([]DevHost, error) { return devHosts(t.ctx, t.tx) }

// Teams lists the teams as this change sees them.
func (t *Tx) Teams() ([]Team, error) { return teams(t.ctx, t.tx) }

// devHost returns the entry of a host, in whatever case it is stored.
func (t *Tx) devHost(hostname string) (*DevHost, error) {
	return first(list(t.ctx, t.tx, scanDevHost,
		`SELECT hostname, revision FROM development_hosts WHERE lower(hostname) = $1`, event.FoldHost(hostname)))
}

// team returns the entry of a host, in whatever case it is stored.
func (t *Tx) team(hostname string) (*Team, error) {
	return first(list(t.ctx, t.tx, scanTeam,
		`SELECT hostname, team_assignment, revision FROM device_teams WHERE lower(hostname) = $1`, event.FoldHost(hostname)))
}

// first gives the first item, nil when there is none.
func first[T any](items []T, err error) (*T, error) {
	if err != nil || len(items) == 0 {
		return nil, err
	}
	return &items[0], nil
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
	if err := t.exec(`INSERT INTO development_hosts (hostname, revision) VALUES ($1, $2)`, hostname, t.revision); err != nil {
		return err
	}
	shown, err := objectOf(DevHost{Hostname: hostname})
	t.record(TableDevHosts, hostname, nil, shown)
	return err
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
	return t.removeDevHost(old.Hostname)
}

// removeDevHost removes the entry with this spelling.
func (t *Tx) removeDevHost(spelling string) error {
	if err := t.exec(`DELETE FROM development_hosts WHERE hostname = $1`, spelling); err != nil {
		return err
	}
	shown, err := objectOf(DevHost{Hostname: spelling})
	t.record(TableDevHosts, spelling, shown, nil)
	return err
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
	query := `INSERT INTO device_teams (hostname, team_assignment, revision) VALUES ($1, $2, $3)`
	if old != nil {
		if old.TeamAssignment == team.TeamAssignment {
			return nil
		}
		if before, err = objectOf(Team{Hostname: old.Hostname, TeamAssignment: old.TeamAssignment}); err != nil {
			return err
		}
		team.Hostname, query = old.Hostname, `UPDATE device_teams SET team_assignment = $2, revision = $3 WHERE hostname = $1`
	}
	if err := t.exec(query, team.Hostname, team.TeamAssignment, t.revision); err != nil {
		return err
	}
	after, err := objectOf(Team{Hostname: team.Hostname, TeamAssignment: team.TeamAssignment})
	t.record(TableTeams, team.Hostname, before, after, "hostname")
	return err
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
	return t.removeTeam(*old)
}

// removeTeam removes the entry with this spelling.
func (t *Tx) removeTeam(team Team) error {
	if err := t.exec(`DELETE FROM device_teams WHERE hostname = $1`, team.Hostname); err != nil {
		return err
	}
	before, err := objectOf(Team{Hostname: team.Hostname, TeamAssignment: team.TeamAssignment})
	t.record(TableTeams, team.Hostname, before, nil)
	return err
}
