package page

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/authn"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/httpserver"
	"github.com/muttproject/mutt/platform/store"
)

// toldFor is how long after a change a page tells of it: the link of a page may be kept.
const toldFor = 10 * time.Minute

// doneView is a toast about a change.
type doneView struct {
	what, name, did string
	change          int64
	mayUndo         bool
	failed          *problem
}

// done answers the toast about a change that the reader has just made, from the change audit.
func (p *Pages) done(c echo.Context) error {
	var row apiclient.Change
	if _, err := p.call(c, http.MethodGet, "/audit/:id", httpserver.Call{Params: map[string]string{"id": c.QueryParam("change")}}, &row); err != nil {
		return err
	}
	reader := httpserver.Identity(c)
	if p.Now().Sub(row.ChangedAt) > toldFor || row.ChangedBy != reader.Name {
		return c.NoContent(http.StatusNoContent)
	}
	v := doneView{what: "Record", name: row.RecordID, change: row.ID, mayUndo: reader.Role.Allows(authn.Operator),
		did: map[string]string{store.OpCreate: "created", store.OpUpdate: "saved", store.OpDelete: "deleted"}[row.Operation]}
	if row.TableName == store.TableRules {
		v.what, v.name = "Rule", p.ruleName(c, &row)
	}
	return p.show(c, http.StatusOK, doneToast(&v))
}

// ruleName returns the name of the rule that a change is about: the change itself may not have it.
func (p *Pages) ruleName(c echo.Context, row *apiclient.Change) string {
	for _, value := range []json.RawMessage{row.NewValue, row.OldValue} {
		var r ruleRecord
		if json.Unmarshal(value, &r) == nil && r.text("name") != "" {
			return visible(r.text("name"))
		}
	}
	if id, err := strconv.ParseInt(row.RecordID, 10, 64); err == nil {
		if r, _, err := p.storedRule(c, id); err == nil {
			return visible(r.text("name"))
		}
	}
	return row.RecordID
}

// undo puts back what a change replaced, as a change of its own.
func (p *Pages) undo(c echo.Context) error {
	form, err := formOf(c, maxForm)
	if err != nil {
		return err
	}
	id, err := strconv.ParseInt(form.Get("change"), 10, 64)
	if err != nil || id < 1 {
		return fault.Field(fault.InvalidField, "change", "must be a whole number from 1")
	}
	var back apiclient.RolledBack
	_, err = p.call(c, http.MethodPost, "/config/rollback", httpserver.Call{Body: body(apiclient.RollbackRequest{AuditID: id, Reason: "undone in the console"})}, &back)
	if err != nil {
		v := doneView{failed: problemOf(c, err)}
		return p.show(c, fault.Describe(fault.Code(v.failed.Code)).Status, doneToast(&v))
	}
	record, _ := strconv.ParseInt(back.RecordID, 10, 64) // of a rule; else the list names none
	secure(c.Response().Header())
	c.Response().Header().Set("HX-Redirect", landing(record, back.AuditID))
	return c.NoContent(http.StatusOK)
}
