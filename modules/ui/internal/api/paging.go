package api

import (
	"encoding/base64"
	"hash/crc32"
	"math"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/fault"
)

const (
	defaultLimit = 50
	maxLimit     = 200
)

// paging is what a caller asked of a list: a page or a cursor.
type paging struct {
	page   int64 // from 1; 0 in a walk by cursor
	limit  int
	cursor event.ID // zero for none
}

func (p paging) offset() int { return int(max(p.page-1, 0)) * p.limit }

// pageOf reads page and limit.
func pageOf(c echo.Context) (paging, error) {
	p := paging{page: 1, limit: defaultLimit}
	if s := c.QueryParam("limit"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 || n > maxLimit {
			return p, fault.Field(fault.InvalidField, "limit", "is a whole number from 1 to %d", maxLimit)
		}
		p.limit = n
	}
	if s := c.QueryParam("page"); s != "" {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil || n < 1 || n > math.MaxInt64/maxLimit {
			return p, fault.Field(fault.InvalidField, "page", "is a whole number from 1")
		}
		p.page = n
	}
	return p, nil
}

// cursorOf reads page, limit and a cursor of the given list.
func cursorOf(c echo.Context, list byte) (paging, error) {
	p, err := pageOf(c)
	text := c.QueryParam("cursor")
	if err != nil || text == "" {
		return p, err
	}
	if c.QueryParam("page") != "" {
		return p, fault.Field(fault.InvalidField, "cursor", "goes without page: a walk is by one or the other")
	}
	id, ok := decodeCursor(list, text)
	if !ok {
		return p, fault.Field(fault.InvalidField, "cursor", "is none that this list gave out").
			WithRemedy("begin again without a cursor")
	}
	p.cursor, p.page = id, 0
	return p, nil
}

// The lists that give out cursors. The letter is part of the cursor.
const (
	auditCursor = 'a'
	deadCursor  = 'd'
)

// encodeCursor makes an opaque cursor: list, id and a checksum, so that a cut or changed one is refused and not
// misread. It is no secret and protects nothing.
func encodeCursor(list byte, id event.ID) string {
	if id == (event.ID{}) {
		return ""
	}
	b := append([]byte{list}, id[:]...)
	sum := crc32.ChecksumIEEE(b)
	b = append(b, byte(sum>>24), byte(sum>>16), byte(sum>>8), byte(sum))
	return base64.RawURLEncoding.EncodeToString(b)
}

func decodeCursor(list byte, text string) (id event.ID, ok bool) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(b) != 1+16+4 || b[0] != list {
		return id, false
	}
	copy(id[:], b[1:17])
	return id, encodeCursor(list, id) == text
}

// pagination describes the part that is answered.
func (p paging) pagination(total int64) apiclient.Pagination {
	out := apiclient.Pagination{Page: p.page, Limit: p.limit, Total: total}
	if p.page > 0 {
		out.Pages = (total + int64(p.limit) - 1) / int64(p.limit)
	}
	return out
}

// timesOf reads start_date (inclusive) and end_date (exclusive; a bare date means the whole of that day).
func timesOf(c echo.Context) (start, end time.Time, err error) {
	if start, _, err = timeOf(c, "start_date"); err != nil {
		return start, end, err
	}
	var bareDate bool
	if end, bareDate, err = timeOf(c, "end_date"); err != nil {
		return start, end, err
	}
	if bareDate {
		end = end.AddDate(0, 0, 1)
	}
	if !start.IsZero() && !end.IsZero() && !start.Before(end) {
		return start, end, fault.Field(fault.InvalidField, "end_date", "is not after start_date")
	}
	return start, end, nil
}

// timeOf reads one time: RFC 3339, or without a zone (taken as UTC), or a date. It must fit the store's
// microseconds, and an id's milliseconds, without a sign.
func timeOf(c echo.Context, name string) (t time.Time, bareDate bool, err error) {
	text := c.QueryParam(name)
	if text == "" {
		return t, false, nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04", time.DateOnly} {
		if t, err = time.Parse(layout, text); err == nil {
			if y := t.Year(); y < 1970 || y > 9998 {
				break
			}
			return t.UTC(), layout == time.DateOnly, nil
		}
	}
	wrong := fault.Field(fault.InvalidField, name, "is not a time: want for example 2026-11-23T08:00:00Z or 2026-11-23")
	if i := strings.LastIndexByte(text, ' '); i > 0 { // what a + becomes
		if zoned := text[:i] + "+" + text[i+1:]; timeLike(zoned) {
			return time.Time{}, false, wrong.WithRemedy("write the + as %%2B, because a + in a URL is a blank: %s", url.QueryEscape(zoned))
		}
	}
	return time.Time{}, false, wrong
}

func timeLike(text string) bool {
	_, err := time.Parse(time.RFC3339Nano, text)
	return err == nil
}
