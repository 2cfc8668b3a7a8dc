package api

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/labstack/echo/v4"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/rule"
	"github.com/muttproject/mutt/platform/store"
)

// maxHostname is the longest DNS name (RFC 1035 section 2.3.4), and enough for a CIDR or a glob.
const maxHostname = 253

func (a *API) listHosts(c echo.Context) error {
	return a.cachedList(c, &a.hosts, func(ctx context.Context) (any, error) {
		stored, err := a.Store.DevHosts(ctx)
		out := apiclient.Hosts{Hosts: make([]apiclient.Host, len(stored))}
		for i, h := range stored {
			out.Hosts[i] = apiclient.Host(h)
		}
		return out, err
	})
}

func (a *API) createHost(c echo.Context) error {
	if isCSV(c) {
		return a.importHosts(c)
	}
	var in apiclient.HostInput
	if err := cmp.Or(oneEntry(c), readJSON(c, &in)); err != nil {
		return err
	}
	name := strings.TrimSpace(in.Hostname)
	if err := checkHostEntry(name); err != nil {
		return err
	}
	revision, err := a.change(c, in.Reason, func(tx change) error {
		if err := tx.unchanged(); err != nil {
			return err
		}
		hosts, err := tx.DevHosts()
		if err != nil {
			return err
		}
		if h := findHost(hosts, name); h != nil {
			return fault.Field(fault.AlreadyExists, "hostname", "%q is a development host already", h.Hostname)
		}
		return tx.PutDevHost(name)
	})
	if err != nil {
		return err
	}
	c.Response().Header().Set("ETag", revisionTag(revision))
	return answer(c, http.StatusCreated, apiclient.Done{Message: fmt.Sprintf("development host %q added", name)})
}

func (a *API) deleteHost(c echo.Context) error {
	name, err := pathParam(c, "hostname")
	if err != nil {
		return err
	}
	_, err = a.change(c, "", func(tx change) error {
		hosts, err := tx.DevHosts()
		if err != nil {
			return err
		}
		h := findHost(hosts, name)
		if h == nil {
			return fault.Field(fault.NotFound, "hostname", "%q is no development host", name)
		}
		if err := tx.want.check("the development host "+h.Hostname, h.Revision); err != nil {
			return err
		}
		return tx.DeleteDevHost(h.Hostname)
	})
	if err != nil {
		return err
	}
	return answer(c, http.StatusOK, apiclient.Done{Message: fmt.Sprintf("development host %q removed", name)})
}

// importHosts brings the development hosts to what a CSV file says.
func (a *API) importHosts(c echo.Context) error {
	entries := func(hosts []store.DevHost, err error) ([]store.Team, error) {
		out := make([]store.Team, len(hosts))
		for i, h := range hosts {
			out[i].Hostname = h.Hostname
		}
		return out, err
	}
	return a.importInventory(c, inventory{
		what: "development hosts", columns: []column{hostColumn()},
		check:   func(t store.Team) error { return checkHostEntry(t.Hostname) },
		read:    func() ([]store.Team, error) { return entries(a.Store.DevHosts(c.Request().Context())) },
		present: func(tx change) ([]store.Team, error) { return entries(tx.DevHosts()) },
		put:     func(tx change, t store.Team) error { return tx.PutDevHost(t.Hostname) },
		remove:  func(tx change, name string) error { return tx.DeleteDevHost(name) },
	})
}

func isCSV(c echo.Context) bool {
	t, err := mediaTypeOf(c.Request().Header.Get(echo.HeaderContentType), []string{jsonType, csvType})
	return err == nil && t == csvType
}

// findHost finds an entry whatever its case: matching ignores it.
func findHost(hosts []store.DevHost, name string) *store.DevHost {
	for i := range hosts {
		if event.SameHost(hosts[i].Hostname, name) {
			return &hosts[i]
		}
	}
	return nil
}

// checkHostEntry takes a name, a glob, an address or a CIDR: an entry that can never match is refused.
func checkHostEntry(s string) error {
	return cmp.Or(checkHostname(s), rule.CheckHostEntry(s))
}

func checkHostname(s string) error {
	switch {
	case s == "":
		return fault.Field(fault.Unprocessable, "hostname", "is required")
	case len(s) > maxHostname:
		return fault.Field(fault.Unprocessable, "hostname", "is longer than %d bytes", maxHostname)
	case !utf8.ValidString(s), strings.ContainsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }):
		return fault.Field(fault.Unprocessable, "hostname", "%+q has spaces or characters that do not print", printable(s))
	}
	return nil
}
