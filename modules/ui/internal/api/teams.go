package api

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/store"
)

const maxTeam = 200

func (a *API) listTeams(c echo.Context) error {
	return a.cachedList(c, &a.teams, func(ctx context.Context) (any, error) {
		stored, err := a.Store.Teams(ctx)
		out := apiclient.Teams{Teams: make([]apiclient.Team, len(stored))}
		for i, t := range stored {
			out.Teams[i] = apiclient.Team(t)
		}
		return out, err
	})
}

func (a *API) createTeam(c echo.Context) error {
	if isCSV(c) {
		return a.importTeams(c)
	}
	var in apiclient.TeamInput
	if err := cmp.Or(oneEntry(c), readJSON(c, &in)); err != nil {
		return err
	}
	team := store.Team{Hostname: strings.TrimSpace(in.Hostname), TeamAssignment: strings.TrimSpace(in.TeamAssignment)}
	if err := checkTeam(team); err != nil {
		return err
	}
	revision, err := a.change(c, in.Reason, func(tx change) error {
		if err := tx.unchanged(); err != nil {
			return err
		}
		teams, err := tx.Teams()
		if err != nil {
			return err
		}
		if t := findTeam(teams, team.Hostname); t != nil {
			return fault.Field(fault.AlreadyExists, "hostname", "%q has the team %s already", t.Hostname, t.TeamAssignment).
				WithRemedy("change it with PUT")
		}
		return tx.PutTeam(team)
	})
	if err != nil {
		return err
	}
	c.Response().Header().Set("ETag", revisionTag(revision))
	return answer(c, http.StatusCreated, apiclient.Done{Message: fmt.Sprintf("%q belongs to %s", team.Hostname, team.TeamAssignment)})
}

func (a *API) updateTeam(c echo.Context) error {
	name, err := pathParam(c, "hostname")
	if err != nil {
		return err
	}
	var in apiclient.TeamChangeInput
	if err := readJSON(c, &in); err != nil {
		return err
	}
	if in.Hostname != "" && !event.SameHost(in.Hostname, name) {
		return fault.Field(fault.Unprocessable, "hostname", "%q is not that of the path: a hostname is not changed, it is deleted and made anew", printable(in.Hostname))
	}
	team := store.Team{Hostname: name, TeamAssignment: strings.TrimSpace(in.TeamAssignment)}
	if err := checkTeam(team); err != nil {
		return err
	}
	_, err = a.change(c, in.Reason, func(tx change) error {
		old, err := presentTeam(tx, name)
		if err != nil {
			return err
		}
		team.Hostname = old.Hostname
		return tx.PutTeam(team)
	})
	if err != nil {
		return err
	}
	return answer(c, http.StatusOK, apiclient.Done{Message: fmt.Sprintf("%q belongs to %s", team.Hostname, team.TeamAssignment)})
}

func (a *API) deleteTeam(c echo.Context) error {
	name, err := pathParam(c, "hostname")
	if err != nil {
		return err
	}
	_, err = a.change(c, "", func(tx change) error {
		old, err := presentTeam(tx, name)
		if err != nil {
			return err
		}
		return tx.DeleteTeam(old.Hostname)
	})
	if err != nil {
		return err
	}
	return answer(c, http.StatusOK, apiclient.Done{Message: fmt.Sprintf("%q has no team any more", name)})
}

// presentTeam finds the team that is about to be changed and checks If-Match.
func presentTeam(tx change, name string) (store.Team, error) {
	teams, err := tx.Teams()
	if err != nil {
		return store.Team{}, err
	}
	old := findTeam(teams, name)
	if old == nil {
		return store.Team{}, fault.Field(fault.NotFound, "hostname", "%q has no team", name)
	}
	return *old, tx.want.check("the team of "+old.Hostname, old.Revision)
}

// importTeams brings the teams to what a CSV file says.
func (a *API) importTeams(c echo.Context) error {
	return a.importInventory(c, inventory{
		what: "teams", columns: []column{hostColumn(), teamColumn()},
		check:   checkTeam,
		read:    func() ([]store.Team, error) { return a.Store.Teams(c.Request().Context()) },
		present: func(tx change) ([]store.Team, error) { return tx.Teams() },
		put:     func(tx change, t store.Team) error { return tx.PutTeam(t) },
		remove:  func(tx change, name string) error { return tx.DeleteTeam(name) },
	})
}

func findTeam(teams []store.Team, hostname string) *store.Team {
	for i := range teams {
		if event.SameHost(teams[i].Hostname, hostname) {
			return &teams[i]
		}
	}
	return nil
}

func checkTeam(t store.Team) error {
	if err := checkHostEntry(t.Hostname); err != nil {
		return err
	}
	switch {
	case t.TeamAssignment == "":
		return fault.Field(fault.Unprocessable, "team_assignment", "is required")
	case len(t.TeamAssignment) > maxTeam, !plain(t.TeamAssignment):
		return fault.Field(fault.Unprocessable, "team_assignment", "takes at most %d bytes without control characters", maxTeam)
	}
	return nil
}
