package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"

	"github.com/labstack/echo/v4"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/authn"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/httpserver"
	"github.com/muttproject/mutt/platform/store"
)

// record is a record as the change audit shows it, nil for one that does not exist.
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
	err = a.settled(func(moved func() error) error {
		checked, err := a.checkUndone(c.Request().Context(), in)
		if err != nil {
			return err
		}
		run := a.change
		if in.Whole {
			run = a.changeMany
		}
		_, err = run(c, reason, func(tx change) error {
			row, err := tx.ChangeByID(in.AuditID)
			switch {
			case err != nil:
				return err
			case row == nil:
				return noChange("audit_id", in.AuditID)
			}
			r := &restorer{api: a, tx: tx, admin: admin, force: in.Force, checked: checked, moved: moved}
			if in.Whole {
				out, err = r.whole(row)
			} else {
				out, err = r.one(row)
			}
			return err
		})
		return err
	})
	if err != nil {
		return err
	}
	return answer(c, http.StatusOK, out)
}

// maxWhole bounds the rows that one rollback puts back: as many as an import can change.
const maxWhole = maxChanged

// restorer puts records back within one change.
type restorer struct {
	api          *API
	tx           change
	admin, force bool

	hosts, teams map[string]string // stored spellings by their lower-case form; nil until they are read
	checked      checkedRules
	moved        func() error // says that what was checked is not what the rollback finds
}

// one puts back what a row replaced.
func (r *restorer) one(row *store.Change) (apiclient.RolledBack, error) {
	var out apiclient.RolledBack
	u, revision, err := r.undo(row)
	if err == nil {
		err = r.tx.want.check(u.name(), revision)
	}
	if err != nil {
		return out, err
	}
	target, already, err := u.target(r.force)
	if err != nil {
		return out, err
	}
	if already != "" {
		return out, u.conflict(already)
	}
	before := r.tx.AuditID()
	if err := r.putBack(u, target); err != nil {
		return out, err
	}
	if r.tx.AuditID() == before {
		return out, u.conflict(asBefore)
	}
	return r.api.rolledBack(r.tx, u)
}

// whole puts back everything that was changed together with a row, the last first: all or nothing. A record that is already as it
// was before stays.
func (r *restorer) whole(row *store.Change) (apiclient.RolledBack, error) {
	out := apiclient.RolledBack{TableName: row.TableName, Operation: store.OpUpdate, Revision: r.tx.Revision()}
	if err := r.tx.unchanged(); err != nil {
		return out, err
	}
	rows, err := r.tx.ChangesWith(row, maxWhole+1)
	if err != nil {
		return out, err
	}
	if len(rows) > maxWhole {
		return out, fault.Field(fault.Unprocessable, "whole", "more than %d records were changed together with change %d", maxWhole, row.ID).
			WithRemedy("bring them back with an import")
	}
	for i := range slices.Backward(rows) {
		u, _, err := r.undo(&rows[i])
		if err != nil {
			return out, err
		}
		target, already, err := u.target(r.force)
		if err != nil {
			return out, err
		}
		if already != "" {
			continue
		}
		if err := r.putBack(u, target); err != nil {
			return out, fmt.Errorf("put back change %d: %w", rows[i].ID, err)
		}
		out.Records++
	}
	if out.AuditID = r.tx.AuditID(); out.Records == 0 {
		return out, fault.Field(fault.Conflict, "audit_id", "everything that was changed with change %d is already as it was before", row.ID)
	}
	return out, nil
}

// undo is a change and the present state of what it changed.
type undo struct {
	row      *store.Change
	old, now record // what the change replaced, and what it made
	present  record
}

// undo finds the present state of what a change is about, with its revision, and refuses what cannot be put back.
func (r *restorer) undo(row *store.Change) (*undo, int64, error) {
	switch row.TableName {
	case store.TableRules, store.TableDevHosts, store.TableTeams:
	case store.TableConfig:
		if !r.admin {
			return nil, 0, fault.New(fault.Forbidden, "change %d is of a dynamic key: rolling it back takes the role admin", row.ID)
		}
	case store.TableDeadLetters:
		return nil, 0, fault.Field(fault.Unprocessable, "audit_id", "change %d is about dead letters, which no rollback brings back", row.ID).
			WithRemedy("a replayed letter is in its queue or was delivered; a discarded one is gone")
	default:
		return nil, 0, fault.Field(fault.Unprocessable, "audit_id", "change %d is of %s, which cannot be rolled back", row.ID, row.TableName).
			WithRemedy("dynamic keys, rules, development hosts and teams can; make any other change by hand")
	}
	present, revision, err := r.tx.Record(row.TableName, row.RecordID)
	if err != nil {
		return nil, 0, err
	}
	u, err := newUndo(row, present)
	return u, revision, err
}

func newUndo(row *store.Change, present record) (*undo, error) {
	u := &undo{row: row, present: present}
	for text, into := range map[string]*record{row.OldValue: &u.old, row.NewValue: &u.now} {
		if text == "" {
			continue
		}
		if err := json.Unmarshal([]byte(text), into); err != nil {
			return nil, fault.Wrap(fault.Corrupt, err, "the values of change %d do not decode", row.ID)
		}
	}
	return u, nil
}

func (u *undo) name() string { return u.row.TableName + " " + strconv.Quote(u.row.RecordID) }

const asBefore = "it is already as it was before"

// target returns the record as the rollback leaves it, nil for none. already says that there is nothing to do, "" otherwise. Conflict
// when the present state is not what the change made: forced, only a state that cannot be reached is refused.
func (u *undo) target(force bool) (target record, already string, err error) {
	switch u.row.Operation {
	case store.OpCreate:
		if u.present == nil {
			return nil, "it is gone already", nil
		}
		if !force && (len(u.present) != len(u.now) || !same(u.present, u.now, u.now)) {
			return nil, "", u.conflict("it was changed since").WithRemedy(forceRemedy)
		}
		return nil, "", nil
	case store.OpDelete:
		if u.present != nil && same(u.present, u.old, u.old) {
			return nil, "it is there again, as it was", nil
		}
		if u.present != nil && !force {
			return nil, "", u.conflict("there is another one by now").WithRemedy(forceRemedy)
		}
		return u.old, "", nil
	}
	changed := record{}
	for k, v := range u.old {
		if !bytes.Equal(v, u.now[k]) {
			changed[k] = v
		}
	}
	switch {
	case u.present == nil:
		return nil, "", u.conflict("it is gone by now").WithRemedy("roll its deletion back first")
	case same(u.present, u.old, changed):
		return nil, asBefore, nil
	case !force && !same(u.present, u.now, changed):
		return nil, "", u.conflict("the same fields were changed since").WithRemedy(forceRemedy)
	}
	target = maps.Clone(u.present)
	for k, v := range changed {
		if target[k] = v; string(v) == "null" {
			delete(target, k)
		}
	}
	return target, "", nil
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
	out := apiclient.RolledBack{Records: 1, AuditID: tx.AuditID(), TableName: u.row.TableName, RecordID: u.row.RecordID, Operation: store.OpUpdate}
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

// effective returns the value that a stored one stands for: that of the variable or the default when there is none. Of a
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
