package api

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/store"
)

// How many rows of the change audit one call verifies: about a second's work.
const (
	defaultVerify = 100_000
	maxVerify     = 1_000_000
)

// auditHead gives the end of the change audit, to be kept where nobody who can write the database can write.
func (a *API) auditHead(c echo.Context) error {
	h, err := a.Store.ChainHead(c.Request().Context())
	if err != nil {
		return err
	}
	out := apiclient.AuditHead{AuditPoint: pointOf(h.ChainPoint), Anchor: anchorOf(h.Anchor)}
	if !h.ChangedAt.IsZero() {
		at := h.ChangedAt.UTC()
		out.ChangedAt = &at
	}
	return answerList(c, 0, out)
}

// verifyAudit verifies the change audit, or the next part of it. A broken chain is an answer, not a failure of the call.
func (a *API) verifyAudit(c echo.Context) error {
	p := store.VerifyParams{Limit: defaultVerify}
	var err error
	if p.After, err = chainPointOf(c, "after"); err != nil {
		return err
	}
	if p.Expect, err = chainPointOf(c, "expect"); err != nil {
		return err
	}
	if s := c.QueryParam("limit"); s != "" {
		if p.Limit, err = strconv.ParseInt(s, 10, 64); err != nil || p.Limit < 1 || p.Limit > maxVerify {
			return fault.Field(fault.InvalidField, "limit", "is a whole number from 1 to %d", maxVerify)
		}
	}
	part, err := a.Store.VerifyPart(c.Request().Context(), p)
	if err != nil && part.Broken == 0 {
		return err
	}
	out := apiclient.AuditVerified{
		Valid: err == nil, Complete: part.Complete, Rows: part.Rows, From: pointOf(part.From), To: pointOf(part.To),
		Head: pointOf(part.Head), Anchor: anchorOf(part.Anchor), BrokenAt: part.Broken,
	}
	if f, ok := fault.As(err); ok {
		out.Message = f.Message
	}
	return answer(c, http.StatusOK, out)
}

// How many records one call compares: about a second's work.
const (
	defaultRecords = 20_000
	maxRecords     = 100_000
)

// verifyRecords compares the tables with the change audit, or the next part of them. A difference is an answer, not a failure.
func (a *API) verifyRecords(c echo.Context) error {
	var after store.RecordPoint
	if text := c.QueryParam("after"); text != "" {
		table, record, ok := strings.Cut(text, ":")
		if !ok || table == "" {
			return fault.Field(fault.InvalidField, "after", "must be TABLE:RECORD, as to of the answer before")
		}
		after = store.RecordPoint{Table: table, Record: record}
	}
	limit := defaultRecords
	if s := c.QueryParam("limit"); s != "" {
		var err error
		if limit, err = strconv.Atoi(s); err != nil || limit < 1 || limit > maxRecords {
			return fault.Field(fault.InvalidField, "limit", "must be a whole number from 1 to %d", maxRecords)
		}
	}
	part, err := a.Store.CompareRecords(c.Request().Context(), after, limit)
	if err != nil {
		return err
	}
	out := apiclient.RecordsVerified{Valid: len(part.Differences) == 0, Complete: part.Complete, Compared: part.Compared, UnknownCount: part.UnknownCount,
		Differences: make([]apiclient.AuditDifference, len(part.Differences)), Unknown: make([]apiclient.AuditRecord, len(part.Unknown)), To: part.To.Table + ":" + part.To.Record}
	for i, d := range part.Differences {
		if d.Table == store.TableKeys && !seesKeys(c) {
			out.Differences[i] = apiclient.AuditDifference{TableName: d.Table, Message: "an API key differs; which one is shown to the role admin only"}
			continue
		}
		out.Differences[i] = apiclient.AuditDifference{TableName: d.Table, RecordID: d.Record, Member: d.Member, Message: d.Message}
	}
	for i, u := range part.Unknown {
		if u.Table == store.TableKeys && !seesKeys(c) {
			out.Unknown[i] = apiclient.AuditRecord{TableName: u.Table}
			continue
		}
		out.Unknown[i] = apiclient.AuditRecord{TableName: u.Table, RecordID: u.Record}
	}
	return answer(c, http.StatusOK, out)
}

// chainPointOf reads a point of the chain, ID:HASH, as /audit/head gives it.
func chainPointOf(c echo.Context, name string) (p store.ChainPoint, err error) {
	text := c.QueryParam(name)
	if text == "" {
		return p, nil
	}
	id, hash, ok := strings.Cut(text, ":")
	p.Hash = strings.ToLower(hash)
	if p.ID, err = strconv.ParseInt(id, 10, 64); err != nil || !ok || p.ID < 0 || !isHash(p.Hash) && (p.ID != 0 || hash != "") {
		return p, fault.Field(fault.InvalidField, name, "is no point of the chain: want ID:HASH as /audit/head gives it")
	}
	return p, nil
}

// isHash reports whether s is a SHA-256 in hexadecimal.
func isHash(s string) bool { return len(s) == 64 && strings.Trim(s, "0123456789abcdef") == "" }

func pointOf(p store.ChainPoint) apiclient.AuditPoint {
	return apiclient.AuditPoint{ID: p.ID, Hash: p.Hash, Point: strconv.FormatInt(p.ID, 10) + ":" + p.Hash}
}

func anchorOf(a *store.Anchor) *apiclient.AuditAnchor {
	if a == nil {
		return nil
	}
	return &apiclient.AuditAnchor{AuditPoint: pointOf(a.ChainPoint), Removed: a.Removed, OlderThan: a.OlderThan.UTC(), MadeAt: a.MadeAt.UTC()}
}
