package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/authn"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/httpserver"
	"github.com/muttproject/mutt/platform/store"
)

// record is a record as the change audit shows it, nil when there is none.
type record = map[string]json.RawMessage

// rollback puts back what a change replaced, as a new change. The route lets operators pass, who may change rules,
// hosts and teams; a dynamic key takes an admin, as setting it does.
func (a *API) rollback(c echo.Context) error {
	var in apiclient.RollbackRequest
	if err := readJSON(c, &in); err != nil {
		return err
	}
	if in.AuditID < 1 {
		return fault.Field(fault.Unprocessable, "audit_id", "is required: the id of a row of GET /audit")
	}
	reason, err := reasonOf(c, in.Reason)
	if err != nil {
		return err
	}
	if noted := fmt.Sprintf("rollback of change %d", in.AuditID); reason == "" {
		reason = noted
	} else if len(noted)+2+len(reason) <= maxReason {
		reason = noted + ": " + reason
	}
	admin := httpserver.Identity(c).Role.Allows(authn.Admin)
	var out apiclient.RolledBack
	_, err = a.change(c, reason, func(tx change) error {
		u, err := findUndo(tx, in.AuditID, admin)
		if err != nil {
			return err
		}
		target, err := u.target(in.Force)
		if err != nil {
			return err
		}
		before := tx.AuditID()
		if err := a.putBack(c.Request().Context(), tx, u, target); err != nil {
			return err
		}
		if tx.AuditID() == before {
			return u.conflict("it is already as it was before")
		}
		out, err = a.rolledBack(tx, u)
		return err
	})
	if err != nil {
		return err
	}
	return answer(c, http.StatusOK, out)
}

// undo is a change and the present state of what it changed.
type undo struct {
	row      *store.Change
	old, now record // what the change replaced, and what it made
	present  record
}

// findUndo reads a change and the record that it is about, and refuses what cannot be put back.
func findUndo(tx change, id int64, admin bool) (*undo, error) {
	row, err := tx.ChangeByID(id)
	if err != nil {
		return nil, err
	}
	if row == nil {
		return nil, noChange("audit_id", id)
	}
	switch row.TableName {
	case store.TableRules, store.TableDevHosts, store.TableTeams:
	case store.TableConfig:
		if !admin {
			return nil, fault.New(fault.Forbidden, "change %d is of a dynamic key: rolling it back takes the role admin", id)
		}
	case store.TableDeadLetters:
		return nil, fault.Field(fault.Unprocessable, "audit_id", "change %d is about dead letters, which no rollback brings back", id).
			WithRemedy("a replayed letter is in its queue or was delivered; a discarded one is gone")
	default:
		return nil, fault.Field(fault.Unprocessable, "audit_id", "change %d is of %s, which cannot be rolled back", id, row.TableName).
			WithRemedy("dynamic keys, rules, development hosts and teams can; make any other change by hand")
	}
	u := &undo{row: row}
	for text, into := range map[string]*record{row.OldValue: &u.old, row.NewValue: &u.now} {
		if text == "" {
			continue
		}
		if err := json.Unmarshal([]byte(text), into); err != nil {
			return nil, fault.Wrap(fault.Corrupt, err, "the values of change %d do not decode", id)
		}
	}
	var revision int64
	if u.present, revision, err = tx.Record(row.TableName, row.RecordID); err != nil {
		return nil, err
	}
	return u, tx.want.check(u.name(), revision)
}

func (u *undo) name() string { return u.row.TableName + " " + strconv.Quote(u.row.RecordID) }

// target gives the record as the rollback leaves it, nil for none. Conflict when the present state is not what the change
// made: forced, only a state that cannot be reached, or is there already, is refused.
func (u *undo) target(force bool) (record, error) {
	switch u.row.Operation {
	case store.OpCreate:
		if u.present == nil {
			return nil, u.conflict("it is gone already")
		}
		if !force && (len(u.present) != len(u.now) || !same(u.present, u.now, u.now)) {
			return nil, u.conflict("it was changed since").WithRemedy(forceRemedy)
		}
		return nil, nil
	case store.OpDelete:
		if u.present != nil && same(u.present, u.old, u.old) {
			return nil, u.conflict("it is there again, as it was")
		}
		if u.present != nil && !force {
			return nil, u.conflict("there is another one by now").WithRemedy(forceRemedy)
		}
		return u.old, nil
	}
	changed := record{}
	for k, v := range u.old {
		if !bytes.Equal(v, u.now[k]) {
			changed[k] = v
		}
	}
	switch {
	case u.present == nil:
		return nil, u.conflict("it is gone by now").WithRemedy("roll its deletion back first")
	case same(u.present, u.old, changed):
		return nil, u.conflict("it is already as it was before")
	case !force && !same(u.present, u.now, changed):
		return nil, u.conflict("the same fields were changed since").WithRemedy(forceRemedy)
	}
	target := maps.Clone(u.present)
	for k, v := range changed {
		if target[k] = v; string(v) == "null" {
			delete(target, k)
		}
	}
	return target, nil
}

const forceRemedy = `look at what was changed since (GET /audit); "force": true overwrites it`

func (u *undo) conflict(why string) *fault.Error {
	return fault.Field(fault.Conflict, "audit_id", "change %d of %s cannot be rolled back: %s", u.row.ID, u.name(), why)
}

// same reports whether two records agree in the members that fields has; an absent one is null.
func same(a, b, fields record) bool {
	for k := range fields {
		v, w := a[k], b[k]
		if v == nil {
			v = json.RawMessage("null")
		}
		if w == nil {
			w = json.RawMessage("null")
		}
		if !bytes.Equal(v, w) {
			return false
		}
	}
	return true
}

// rolledBack describes what was done, as this change sees it.
func (a *API) rolledBack(tx change, u *undo) (apiclient.RolledBack, error) {
	out := apiclient.RolledBack{AuditID: tx.AuditID(), TableName: u.row.TableName, RecordID: u.row.RecordID, Operation: store.OpUpdate}
	after, revision, err := tx.Record(u.row.TableName, u.row.RecordID)
	if err != nil {
		return out, err
	}
	switch {
	case u.present == nil:
		out.Operation = store.OpCreate
	case after == nil:
		out.Operation = store.OpDelete
	}
	out.OldValue, out.NewValue, out.Revision = u.present, after, revision
	if u.row.TableName == store.TableConfig {
		out.Key = u.row.RecordID
		out.OldValue, out.NewValue = a.effective(out.Key, u.present), a.effective(out.Key, after)
	}
	return out, nil
}

// effective gives the value that a stored one stands for: that of the variable or the default when there is none. Of a
// key that this version does not know, it is the stored one.
func (a *API) effective(name string, stored record) any {
	key, err := a.Dynamic.Registry().Lookup(name)
	if err != nil {
		return stored["value"]
	}
	if stored == nil {
		return a.item(key, nil).Value
	}
	return a.item(key, parsed(key, &store.ConfigValue{Value: string(stored["value"])})).Value
}
