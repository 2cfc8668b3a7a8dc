package api

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/labstack/echo/v4"

	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/httpserver"
	"github.com/muttproject/mutt/platform/openapi"
)

// Bounds on what a caller sends, in bytes.
const (
	maxBody   = 1 << 20
	maxImport = 16 << 20
	maxURL    = 8 << 10
	maxParam  = 1 << 10
	maxReason = 1000
)

// bounded refuses a path, query or header that the operation does not take, before anything looks at it.
func bounded(o openapi.Operation, next echo.HandlerFunc) echo.HandlerFunc {
	known := queryNames(o)
	return func(c echo.Context) error {
		u := c.Request().URL
		if len(u.EscapedPath())+len(u.RawQuery) > maxURL {
			return fault.New(fault.BadRequest, "the path and the query are longer than %d bytes", maxURL)
		}
		query, err := url.ParseQuery(u.RawQuery)
		if err != nil {
			return fault.New(fault.BadRequest, "the query is not well formed").WithRemedy("escape %% as %%25, & as %%26 and ; as %%3B")
		}
		for name, values := range query {
			for _, v := range append(values, name) {
				if !plain(v) || len(v) > maxParam {
					return fault.Field(fault.InvalidField, printable(name), "has control characters, bytes that are not UTF-8, or more than %d bytes", maxParam)
				}
			}
		}
		if err := errors.Join(checkQuery(query, known), checkHeaders(c.Request().Header)); err != nil {
			return err
		}
		err = next(c)
		if err != nil && c.Request().Context().Err() != nil && fault.CodeOf(err) == fault.Internal {
			return fault.Wrap(fault.Closed, err, "the call was given up") // its caller has gone: no fault of MUTT's
		}
		return err
	}
}

// checkHeaders refuses a header that is sent twice where two values contradict each other.
func checkHeaders(h http.Header) error {
	for _, name := range [...]string{"X-Reason", "Content-Type", "Content-Encoding", httpserver.HeaderAPIKey, "Authorization", httpserver.HeaderCSRF} {
		if n := len(h.Values(name)); n > 1 {
			return fault.Field(fault.InvalidField, name, "is sent %d times, and takes one value", n)
		}
	}
	return nil
}

// plain reports whether s is UTF-8 without control characters.
func plain(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

// printable makes a name of the caller fit for an error's field, and short.
func printable(s string) string {
	s = fault.Printable(s)
	if r := []rune(s); len(r) > 60 {
		return string(r[:60]) + "…"
	}
	return s
}

// pathParam gives a path parameter, unescaped. The router matches the escaped path when there is one, so that a
// CIDR can be named as 10.0.0.0%2F8.
func pathParam(c echo.Context, name string) (string, error) {
	v := c.Param(name)
	if c.Request().URL.RawPath != "" {
		var err error
		if v, err = url.PathUnescape(v); err != nil {
			return "", fault.Field(fault.BadRequest, name, "is not well escaped")
		}
	}
	if v == "" || len(v) > maxParam || !plain(v) {
		return "", fault.Field(fault.InvalidField, name, "is empty, longer than %d bytes, or has control characters", maxParam)
	}
	return v, nil
}

// readBody reads the body up to limit and checks that it is of one of the media types; the first is taken when
// none is said. It returns the media type.
func readBody(c echo.Context, limit int64, types ...string) (body []byte, mediaType string, err error) {
	req := c.Request()
	if enc := req.Header.Get(echo.HeaderContentEncoding); enc != "" && !strings.EqualFold(enc, "identity") {
		return nil, "", fault.New(fault.UnsupportedType, "the content encoding %q is not understood here", printable(enc)).
			WithRemedy("send the body without Content-Encoding")
	}
	mediaType, err = mediaTypeOf(req.Header.Get(echo.HeaderContentType), types)
	if err != nil {
		return nil, "", err
	}
	body, err = io.ReadAll(http.MaxBytesReader(c.Response(), req.Body, limit))
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return nil, "", fault.New(fault.TooLarge, "the body is longer than %d bytes", limit)
	}
	if err != nil {
		return nil, "", fault.Wrap(fault.BadRequest, err, "the body ended too early")
	}
	if len(strings.TrimSpace(string(body))) == 0 {
		return nil, "", fault.New(fault.BadRequest, "the body is empty")
	}
	return body, mediaType, nil
}

func mediaTypeOf(header string, types []string) (string, error) {
	if header == "" {
		return types[0], nil
	}
	got, params, err := mime.ParseMediaType(header)
	charset := strings.ToLower(params["charset"])
	if err == nil && (charset == "" || charset == "utf-8" || charset == "us-ascii") {
		for _, t := range types {
			if got == t {
				return t, nil
			}
		}
	}
	return "", fault.New(fault.UnsupportedType, "the content type %q is not understood here", printable(header)).
		WithRemedy("send Content-Type: %s", strings.Join(types, " or "))
}

const jsonType = "application/json"

// readJSON reads a JSON object into out. Unknown and repeated members are refused by name.
func readJSON(c echo.Context, out any) error {
	body, _, err := readBody(c, maxBody, jsonType)
	if err != nil {
		return err
	}
	return decodeStrict(body, out)
}

func decodeStrict(body []byte, out any) error {
	return jsonFault(json.Unmarshal(body, out, json.RejectUnknownMembers(true)))
}

// jsonFault says where in the body an error is, and what is wanted there.
func jsonFault(err error) error {
	if err == nil {
		return nil
	}
	var sem *json.SemanticError
	var syn *jsontext.SyntacticError
	switch {
	case errors.As(err, &sem) && errors.Is(err, json.ErrUnknownName):
		return fault.Field(fault.Unprocessable, fieldOf(sem.JSONPointer), "is not a field of this request")
	case errors.As(err, &sem):
		return fault.Field(fault.Unprocessable, fieldOf(sem.JSONPointer), "wants %s", wanted(sem.GoType))
	case errors.Is(err, jsontext.ErrDuplicateName):
		errors.As(err, &syn)
		return fault.Field(fault.BadRequest, fieldOf(syn.JSONPointer), "is given twice")
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return fault.New(fault.BadRequest, "the body is not valid JSON: it ends too early")
	case errors.As(err, &syn):
		return fault.New(fault.BadRequest, "the body is not valid JSON: fault at byte %d", syn.ByteOffset)
	default:
		return fault.Wrap(fault.BadRequest, err, "the body is not valid JSON")
	}
}

// fieldOf writes a JSON pointer as people name fields: ids[3].
func fieldOf(p jsontext.Pointer) string {
	var b strings.Builder
	for token := range p.Tokens() {
		if _, err := strconv.Atoi(token); err == nil && b.Len() > 0 {
			fmt.Fprintf(&b, "[%s]", token)
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('.')
		}
		b.WriteString(printable(token))
	}
	if b.Len() == 0 {
		return "body"
	}
	return b.String()
}

func wanted(t reflect.Type) string {
	if t == nil {
		return "another type"
	}
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t.Kind() {
	case reflect.String:
		return "a text"
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int64, reflect.Float64:
		return "a number that fits"
	case reflect.Slice:
		return "a list"
	default:
		return "an object"
	}
}
