package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"net/http"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"
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
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "private, no-cache")
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
