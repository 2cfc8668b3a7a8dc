package api

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/authn"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/httpserver"
	"github.com/muttproject/mutt/platform/store"
)

// configHistory lists the changes of dynamic keys. Values are shown bare: the record is the key.
func (a *API) configHistory(c echo.Context) error {
	p, err := pageOf(c)
	if err != nil {
		return err
	}
	f := store.ChangeFilter{TableName: store.TableConfig, RecordID: c.QueryParam("key"), Limit: p.limit, Offset: p.offset()}
	rows, pages, err := a.changes(c, p, f)
	if err != nil {
		return err
	}
	for i := range rows {
		rows[i].TableName = ""
		rows[i].OldValue, rows[i].NewValue = bareValue(rows[i].OldValue), bareValue(rows[i].NewValue)
	}
	return answerList(c, 0, apiclient.History{History: rows, Pagination: pages})
}

// listChanges lists the change audit.
func (a *API) listChanges(c echo.Context) error {
	p, err := pageOf(c)
	if err != nil {
		return err
	}
	start, end, err := timesOf(c)
	if err != nil {
		return err
	}
	operation := strings.ToUpper(c.QueryParam("operation"))
	switch operation {
	case "", store.OpCreate, store.OpUpdate, store.OpDelete:
	default:
		return fault.Field(fault.InvalidField, "operation", "is CREATE, UPDATE or DELETE")
	}
	f := store.ChangeFilter{
		ChangedBy: c.QueryParam("changed_by"), Operation: operation, TableName: c.QueryParam("table_name"),
		RecordID: c.QueryParam("record_id"), Start: start, End: end, Limit: p.limit, Offset: p.offset(),
	}
	if !seesKeys(c) {
		if f.TableName == store.TableKeys {
			return keysHidden()
		}
		f.Without = store.TableKeys
	}
	rows, pages, err := a.changes(c, p, f)
	if err != nil {
		return err
	}
	return answerList(c, 0, apiclient.Changes{Logs: rows, Pagination: pages})
}

// seesKeys reports whether the caller may see API keys, and so the changes of them.
func seesKeys(c echo.Context) bool { return httpserver.Identity(c).Role.Allows(authn.Admin) }

func keysHidden() error {
	return fault.New(fault.Forbidden, "changes of API keys are shown to the role admin only")
}

func (a *API) changes(c echo.Context, p paging, f store.ChangeFilter) ([]apiclient.Change, apiclient.Pagination, error) {
	found, err := a.Store.Changes(c.Request().Context(), f)
	if err != nil {
		return nil, apiclient.Pagination{}, err
	}
	rows := make([]apiclient.Change, len(found.Items))
	for i := range found.Items {
		rows[i] = changeRow(&found.Items[i])
	}
	pages := p.pagination(found.Total)
	pages.TotalIsEstimate = found.TotalIsEstimate
	return rows, pages, nil
}

func changeRow(ch *store.Change) apiclient.Change {
	return apiclient.Change{
		ID: ch.ID, ChangedAt: ch.ChangedAt.UTC(), ChangedBy: ch.ChangedBy, Operation: ch.Operation,
		TableName: ch.TableName, RecordID: ch.RecordID, OldValue: rawOrNull(ch.OldValue), NewValue: rawOrNull(ch.NewValue),
		Reason: ch.Reason, CorrelationID: ch.CorrelationID,
	}
}

// getChange shows one row of the change audit.
func (a *API) getChange(c echo.Context) error {
	text, err := pathParam(c, "id")
	if err != nil {
		return err
	}
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil || id < 1 {
		return fault.Field(fault.InvalidField, "id", "is no number of a row: a whole number from 1")
	}
	row, err := a.Store.ChangeByID(c.Request().Context(), id)
	if err != nil {
		return err
	}
	if row == nil {
		return noChange("id", id)
	}
	if row.TableName == store.TableKeys && !seesKeys(c) {
		return keysHidden()
	}
	return answerList(c, 0, changeRow(row))
}

func noChange(field string, id int64) error {
	return fault.Field(fault.NotFound, field, "the change audit has no row %d", id).
		WithRemedy("GET /audit lists the rows; old ones are removed by retention")
}

// rawOrNull puts a stored JSON text into an answer; what is no JSON becomes a string of it.
func rawOrNull(text string) json.RawMessage {
	switch {
	case text == "":
		return json.RawMessage("null")
	case json.Valid([]byte(text)):
		return json.RawMessage(text)
	default:
		quoted, err := json.Marshal(text)
		if err != nil { // a string always encodes
			return json.RawMessage("null")
		}
		return quoted
	}
}

// bareValue takes the value out of {"key":…,"value":…}.
func bareValue(raw json.RawMessage) json.RawMessage {
	var o struct {
		Value json.RawMessage `json:"value"`
	}
	if json.Unmarshal(raw, &o) != nil || o.Value == nil {
		return raw
	}
	return o.Value
}
