package api

import (
	"cmp"
	"context"
	"errors"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/labstack/echo/v4"
	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/httpserver"
	"github.com/muttproject/mutt/platform/store"
)

// change is one write in the making: the transaction and what the caller requires of the present state.
type change struct {
	*store.Tx
	want precondition
}

// change runs fn as the caller's change and brings it into force here before it returns. reason is that of the
// body; X-Reason stands in for it.
func (a *API) change(c echo.Context, reason string, fn func(change) error) (revision int64, err error) {
	return a.changeBy(c, a.Store.Change, reason, fn)
}

// changeMany is change for what may change many hosts, teams or rules.
func (a *API) changeMany(c echo.Context, reason string, fn func(change) error) (revision int64, err error) {
	return a.changeBy(c, a.Store.ChangeMany, reason, fn)
}

// storeChange is Change or ChangeMany of the store.
type storeChange func(ctx context.Context, actor store.Actor, reason string, fn func(*store.Tx) error) (int64, error)

func (a *API) changeBy(c echo.Context, do storeChange, reason string, fn func(change) error) (revision int64, err error) {
	want, err := parseIfMatch(c.Request().Header.Values("If-Match"))
	if err != nil {
		return 0, err
	}
	if reason, err = reasonOf(c, reason); err != nil {
		return 0, err
	}
	ctx := c.Request().Context()
	revision, err = do(ctx, a.actor(c), reason, func(tx *store.Tx) error { return fn(change{tx, want}) })
	if err != nil {
		return 0, err
	}
	// The change is committed: it comes into force although the caller may have gone.
	if err := a.Apply(context.WithoutCancel(ctx)); err != nil {
		a.Logger.Warn("a change is stored but not yet in force in this process: the revision poll will apply it",
			zap.Int64("revision", revision), zap.String("correlation_id", httpserver.CorrelationID(c)), zap.Error(err))
	}
	return revision, nil
}

func (a *API) actor(c echo.Context) store.Actor {
	return store.Actor{Name: httpserver.Identity(c).Name, CorrelationID: httpserver.CorrelationID(c)}
}

// reasonOf gives the reason of a write: the body's, else that of X-Reason.
func reasonOf(c echo.Context, body string) (string, error) {
	header := c.Request().Header.Get("X-Reason")
	if err := errors.Join(checkReason("reason", body), checkReason("X-Reason", header)); err != nil {
		return "", err
	}
	return cmp.Or(strings.TrimSpace(body), strings.TrimSpace(header)), nil
}

func checkReason(field, reason string) error {
	control := func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }
	if len(reason) > maxReason || !utf8.ValidString(reason) || strings.ContainsFunc(reason, control) {
		return fault.Field(fault.InvalidField, field, "takes at most %d bytes of UTF-8 without control characters", maxReason)
	}
	return nil
}

// precondition is what If-Match asks for (RFC 9110 section 13.1.1): the revision that the caller has seen.
type precondition struct {
	set       bool
	revisions []int64 // none for "*": anything that exists
}

// parseIfMatch reads revisions: 12, "12", W/"12", "12-abcdef" (a list's ETag), several of them, or *.
// Weak tags count, because proxies that compress weaken them.
func parseIfMatch(values []string) (precondition, error) {
	var p precondition
	for part := range strings.SplitSeq(strings.Join(values, ","), ",") {
		tag := strings.TrimSpace(part)
		if tag == "" {
			continue
		}
		p.set = true
		if tag == "*" && strings.TrimSpace(strings.Join(values, ",")) == "*" { // beside revisions it would make them worthless
			return p, nil
		}
		tag = strings.Trim(strings.TrimPrefix(tag, "W/"), `"`)
		tag, _, _ = strings.Cut(tag, "-")
		n, err := strconv.ParseInt(tag, 10, 64)
		if err != nil || n < 0 {
			return p, fault.Field(fault.InvalidField, "If-Match", "is not a revision: send the ETag of an answer, or its revision number")
		}
		p.revisions = append(p.revisions, n)
	}
	if len(values) > 0 && !p.set {
		return p, fault.Field(fault.InvalidField, "If-Match", "is empty, so it guards nothing: send the ETag of an answer, or its revision number, or leave the header out")
	}
	return p, nil
}

// check compares the revision of the thing that is about to be changed.
func (p precondition) check(what string, present int64) error {
	if !p.set || len(p.revisions) == 0 {
		return nil
	}
	for _, n := range p.revisions {
		if n == present {
			return nil
		}
	}
	return fault.Field(fault.PreconditionFail, "If-Match", "%s is at revision %d by now", what, present)
}

// unchanged refuses a dry run as change.unchanged would refuse the change itself.
func (a *API) unchanged(c echo.Context) error {
	want, err := parseIfMatch(c.Request().Header.Values("If-Match"))
	if err != nil || !want.set {
		return err
	}
	revision, _, err := a.Store.Revisions(c.Request().Context())
	if err != nil {
		return err
	}
	return want.check("the configuration as a whole", revision)
}

// unchanged is check for a whole list: nothing at all was changed since.
func (c change) unchanged() error {
	return c.want.check("the configuration as a whole", c.Revision()-1)
}
