package api

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/muttproject/mutt/platform/apiclient"
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
	if err := readJSON(c, &in); err != nil {
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

// importHosts adds the hosts of a CSV file; those that exist stay as they are.
func (a *API) importHosts(c echo.Context) error {
	body, _, err := readBody(c, maxImport, csvType)
	if err != nil {
		return err
	}
	rows, err := parseCSV(body, []string{"hostname"}, func(cells []string) error { return checkHostEntry(cells[0]) })
	if err != nil {
		return err
	}
	var done apiclient.Imported
	_, err = a.change(c, "", func(tx change) error {
		if err := tx.unchanged(); err != nil {
			return err
		}
		hosts, err := tx.DevHosts()
		if err != nil {
			return err
		}
		present := make(map[string]bool, len(hosts))
		for _, h := range hosts {
			present[strings.ToLower(h.Hostname)] = true
		}
		for _, row := range rows {
			if present[strings.ToLower(row.cells[0])] {
				done.Unchanged++
				continue
			}
			if err := tx.PutDevHost(row.cells[0]); err != nil {
				return err
			}
			done.Created++
		}
		return nil
	})
	if err != nil {
		return err
	}
	done.Message = fmt.Sprintf("%d development hosts added, %d were known", done.Created, done.Unchanged)
	return answer(c, http.StatusOK, done)
}

func isCSV(c echo.Context) bool {
	t, err := mediaTypeOf(c.Request().Header.Get(echo.HeaderContentType), []string{jsonType, csvType})
	return err == nil && t == csvType
}

// findHost finds an entry whatever its case: matching ignores it.
func findHost(hosts []store.DevHost, name string) *store.DevHost {
	for i := range hosts {
		if strings.EqualFold(hosts[i].Hostname, name) {
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
	case !plain(s), strings.ContainsAny(s, " \t"):
		return fault.Field(fault.Unprocessable, "hostname", "%q has spaces or control characters", printable(s))
	}
	return nil
}
