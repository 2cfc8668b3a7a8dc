package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/store"
)

// render gives a payload as JSON. Texts are shown as they are: the answer is never HTML.
func render(payload any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(payload); err != nil {
		return nil, fmt.Errorf("render an answer: %w", err)
	}
	return b.Bytes(), nil
}

// answer writes a payload.
func answer(c echo.Context, status int, payload any) error {
	body, err := render(payload)
	if err != nil {
		return err
	}
	return write(c, status, jsonType, body)
}

func write(c echo.Context, status int, contentType string, body []byte) error {
	h := c.Response().Header()
	if h.Get("Cache-Control") == "" {
		h.Set("Cache-Control", "private, no-cache")
	}
	return c.Blob(status, contentType, body)
}

// answerList writes a list with an ETag made of its content, led by the revision that it was read at or before
// (0 when it has none), so that If-Match can name it.
func answerList(c echo.Context, revision int64, payload any) error {
	body, err := render(payload)
	if err != nil {
		return err
	}
	return answerTagged(c, listTag(revision, body), jsonType, body)
}

// listCache keeps a list as it was last rendered: lists are polled, and change rarely.
type listCache struct{ last atomic.Pointer[renderedList] }

type renderedList struct {
	at   store.Position
	tag  string
	body []byte
}

// cachedList answers with a list of the configuration, which is read anew when anything was changed since. The
// revision is taken first: what is read then is at least as new. While the store is away the list is as it was last.
func (a *API) cachedList(c echo.Context, cache *listCache, read func(context.Context) (any, error)) error {
	ctx, list := c.Request().Context(), cache.last.Load()
	if list != nil { // there is something to answer with when the store takes too long
		bounded, cancel := context.WithTimeout(ctx, storeBound)
		defer cancel()
		ctx = bounded
	}
	now, err := a.renderList(ctx, list, read)
	switch {
	case err == nil:
		list = now
		cache.last.Store(list)
	case list == nil || !storeAway(c, err):
		return err
	default:
		stale(c)
	}
	return answerTagged(c, list.tag, jsonType, list.body)
}

// renderList gives the last list when nothing was changed since, else a new one.
func (a *API) renderList(ctx context.Context, last *renderedList, read func(context.Context) (any, error)) (*renderedList, error) {
	at, err := a.Store.Position(ctx)
	if err != nil || last != nil && last.at == at {
		return last, err
	}
	payload, err := read(ctx)
	if err != nil {
		return nil, err
	}
	body, err := render(payload)
	if err != nil {
		return nil, err
	}
	return &renderedList{at, listTag(at.Revision, body), body}, nil
}

// storeBound is how long a read that can do without the store waits for it.
const storeBound = 2 * time.Second

// storeAway reports whether a read failed because the store is away or takes too long, not by the caller's doing.
func storeAway(c echo.Context, err error) bool {
	return fault.Is(err, fault.StoreUnavailable) || errors.Is(err, context.DeadlineExceeded) && c.Request().Context().Err() == nil
}

// stale says that an answer may be out of date (RFC 7234 section 5.5.1).
func stale(c echo.Context) {
	c.Response().Header().Set("Warning", `110 mutt "the store is away: this is what was read last"`)
}

func listTag(revision int64, body []byte) string {
	hash := fnv.New64a()
	_, _ = hash.Write(body) // never fails
	return fmt.Sprintf(`"%d-%016x"`, revision, hash.Sum64())
}

func revisionTag(revision int64) string { return strconv.Quote(strconv.FormatInt(revision, 10)) }

// answerOne writes one thing with its revision as ETag.
func answerOne(c echo.Context, revision int64, payload any) error {
	body, err := render(payload)
	if err != nil {
		return err
	}
	return answerTagged(c, revisionTag(revision), jsonType, body)
}

// answerTagged writes a body with its ETag, or 304 when the caller has it (RFC 9110 section 13.1.2).
func answerTagged(c echo.Context, tag, contentType string, body []byte) error {
	c.Response().Header().Set("ETag", tag)
	for part := range strings.SplitSeq(c.Request().Header.Get("If-None-Match"), ",") {
		part = strings.TrimSpace(part)
		if part == "*" || strings.TrimPrefix(part, "W/") == tag {
			return c.NoContent(http.StatusNotModified)
		}
	}
	return write(c, http.StatusOK, contentType, body)
}
