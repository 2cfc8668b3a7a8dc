package openapitest

import (
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Exchange is one request and its answer.
type Exchange struct {
	Method, Target string // Target as in the request line: path, escaped, and query
	Request        http.Header
	Body           []byte
	Status         int
	Header         http.Header
	Answer         []byte
}

// split takes the prefix of a server off the path.
func (x *Exchange) split() (prefix, path, query string) {
	path, query, _ = strings.Cut(x.Target, "?")
	for _, p := range []string{"/api/v1", "/api/v2"} {
		if rest, ok := strings.CutPrefix(path, p); ok && strings.HasPrefix(rest, "/") {
			return p, rest, query
		}
	}
	return "", path, query
}

// Check tells in what an exchange contradicts the document, nil for nothing, and notes that it was seen. A path that the
// document does not have is refused, perhaps for something else in the request: the router takes slashes in a last parameter.
func (d *Document) Check(x Exchange) []error {
	prefix, path, query := x.split()
	var faults []error
	fault := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("%s %.200s: %d: "+format, append([]any{x.Method, x.Target, x.Status}, args...)...))
	}
	for _, err := range x.everyAnswer(prefix) {
		fault("%w", err)
	}
	o := d.Find(x.Method, path)
	if o == nil {
		if x.Status < 400 || x.Status > 499 {
			fault("the document has no such operation")
		}
		return faults
	}
	status := strconv.Itoa(x.Status)
	r, known := o.Responses[status]
	if !known {
		fault("%s has no such status: %.300s", o.ID, x.Answer)
		return faults
	}
	d.mu.Lock()
	d.seen[o.ID][status]++
	d.mu.Unlock()
	for _, err := range d.answer(o, &r, &x) {
		fault("%w", err)
	}
	if x.Status < 300 {
		for _, err := range d.request(o, &x, path, query) {
			fault("accepted, although %w", err)
		}
	}
	return faults
}

// everyAnswer checks what all answers have in common.
func (x *Exchange) everyAnswer(prefix string) (faults []error) {
	for _, name := range []string{"X-Correlation-ID", "X-API-Version", "X-API-Supported-Versions"} {
		if x.Header.Get(name) == "" {
			faults = append(faults, fmt.Errorf("the header %s is missing", name))
		}
	}
	if want := map[string]string{"/api/v1": "true", "/api/v2": "false"}[prefix]; x.Header.Get("X-API-Deprecated") != want {
		faults = append(faults, fmt.Errorf("X-API-Deprecated is %q below %q", x.Header.Get("X-API-Deprecated"), prefix))
	}
	if x.Status < 400 {
		return faults
	}
	var e struct {
		Error, Message, Code string
		CorrelationID        string `json:"correlation_id"`
	}
	if err := json.Unmarshal(x.Answer, &e); err != nil || e.Error == "" || e.CorrelationID != x.Header.Get("X-Correlation-ID") {
		faults = append(faults, fmt.Errorf("not the form of an error: %.200s", x.Answer))
	}
	if retry := x.Header.Get("Retry-After"); retry == "" && (x.Status == 429 || x.Status == 503) {
		faults = append(faults, fmt.Errorf("Retry-After is missing"))
	}
	return faults
}

// answer checks headers, media type and body against what the document says of the status.
func (d *Document) answer(o *Operation, r *Response, x *Exchange) (faults []error) {
	for _, name := range d.headers {
		_, named := r.Headers[name]
		if there := x.Header.Get(name) != ""; named && !there && x.Status < 400 || there && !named && x.Status != http.StatusNotModified {
			faults = append(faults, fmt.Errorf("header %s: there %v, in the document %v", name, there, named))
		}
	}
	if len(r.Content) == 0 {
		if len(x.Answer) > 0 {
			faults = append(faults, fmt.Errorf("has a body: %.200s", x.Answer))
		}
		return faults
	}
	kind, _, err := mime.ParseMediaType(x.Header.Get("Content-Type"))
	if _, named := r.Content[kind]; err != nil || !named {
		return append(faults, fmt.Errorf("the media type %q is not in the document", x.Header.Get("Content-Type")))
	}
	if kind == "application/json" {
		err := d.validate(x.Answer, "paths", o.Path, strings.ToLower(o.Method), "responses", strconv.Itoa(x.Status), "content", kind, "schema")
		if err != nil {
			faults = append(faults, fmt.Errorf("the body: %w\n%.600s", err, x.Answer))
		}
	}
	return faults
}

// request says why the document forbids a request, nil when it does not.
func (d *Document) request(o *Operation, x *Exchange, path, query string) (faults []error) {
	values, err := url.ParseQuery(query)
	if err != nil && slices.ContainsFunc(o.Parameters, func(p Parameter) bool { return p.In == "query" }) {
		return []error{fmt.Errorf("the query is malformed: %w", err)}
	}
	for name, given := range values {
		if declared := slices.ContainsFunc(o.Parameters, func(p Parameter) bool { return p.In == "query" && p.Name == name }); !o.Sender && (!declared || len(given) > 1) {
			faults = append(faults, fmt.Errorf("the query has %.60q %d times, declared: %v", name, len(given), declared))
		}
	}
	parts := strings.Split(path, "/")
	for i, p := range o.Parameters {
		text, given := values.Get(p.Name), values.Has(p.Name)
		switch p.In {
		case "header":
			text, given = x.Request.Get(p.Name), x.Request.Get(p.Name) != ""
		case "path":
			at := slices.Index(o.parts, "{"+p.Name+"}")
			if text, err = url.PathUnescape(parts[at]); err != nil {
				return []error{err}
			}
			given = true
		}
		if !given {
			continue
		}
		if err := d.validate(p.Schema.JSON(text), "paths", o.Path, strings.ToLower(o.Method), "parameters", strconv.Itoa(i), "schema"); err != nil {
			faults = append(faults, fmt.Errorf("the parameter %s is %.60q: %w", p.Name, text, err))
		}
	}
	if o.RequestBody == nil {
		return faults
	}
	return append(faults, d.body(o, x)...)
}

func (d *Document) body(o *Operation, x *Exchange) []error {
	kind, _, err := mime.ParseMediaType(x.Request.Get("Content-Type"))
	if err != nil {
		return []error{fmt.Errorf("it has no media type: %w", err)}
	}
	if _, named := o.RequestBody.Content[kind]; !named {
		return []error{fmt.Errorf("bodies of %s are not in the document", kind)}
	}
	if kind != "application/json" {
		return nil
	}
	if err := d.validate(x.Body, "paths", o.Path, strings.ToLower(o.Method), "requestBody", "content", kind, "schema"); err != nil {
		return []error{fmt.Errorf("the body is %.300s: %w", x.Body, err)}
	}
	return nil
}

// JSON writes a parameter's text as the JSON value that its schema means.
func (s *Schema) JSON(text string) []byte {
	if s.Type == "integer" || s.Type == "boolean" {
		return []byte(text)
	}
	quoted, _ := json.Marshal(text) // a text always encodes
	return quoted
}

// Uncovered names the successes of the document that no exchange had, as "createRule 201".
func (d *Document) Uncovered() (list []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, o := range d.Operations {
		for status := range o.Responses {
			if status < "400" && d.seen[o.ID][status] == 0 {
				list = append(list, o.ID+" "+status)
			}
		}
	}
	slices.Sort(list)
	return list
}
