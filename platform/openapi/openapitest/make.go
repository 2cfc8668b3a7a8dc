package openapitest

import (
	"encoding/json"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Request is a made request.
type Request struct {
	Operation *Operation
	Method    string
	Target    string // path below a server, escaped, and query
	Header    http.Header
	Body      []byte
	Twist     string // what was done to it, "" for nothing
}

// Maker makes requests from a document and a seed: valid ones, at the bounds, and beyond them. It takes ids, names and
// cursors from answers, so that it also comes to what exists.
type Maker struct {
	// Headers lets it make headers that a client cannot send over a connection: with line breaks and NUL.
	Headers bool

	doc    *Document
	rnd    *rand.Rand
	learnt map[string][]string // by tag and member
}

// NewMaker makes a Maker. Equal seeds and answers give equal requests.
func NewMaker(d *Document, seed uint64) *Maker {
	return &Maker{doc: d, rnd: rand.New(rand.NewPCG(seed, 0)), learnt: map[string][]string{}}
}

// Make makes a request of an operation.
func (m *Maker) Make(o *Operation) Request {
	r := Request{Operation: o, Method: o.Method, Header: http.Header{}}
	path, query := o.Path, url.Values{}
	for _, p := range o.Parameters {
		switch {
		case p.In == "path":
			path = strings.Replace(path, "{"+p.Name+"}", url.PathEscape(m.parameter(o, &p)), 1)
		case p.In == "query" && m.chance(35):
			query.Add(p.Name, m.parameter(o, &p))
		case p.In == "header" && m.chance(25):
			r.Header.Set(p.Name, m.headerText(m.parameter(o, &p)))
		}
	}
	r.Target = path
	if len(query) > 0 {
		r.Target += "?" + query.Encode()
	}
	if o.RequestBody != nil {
		m.body(&r)
	}
	if m.chance(30) {
		m.twist(&r)
	}
	return r
}

func (m *Maker) chance(percent int) bool { return m.rnd.IntN(100) < percent }

func pick[T any](m *Maker, list []T) T { return list[m.rnd.IntN(len(list))] }

// parameter gives a text for a parameter: something known, something valid, a bound, or something hostile.
func (m *Maker) parameter(o *Operation, p *Parameter) string {
	if known := m.learnt[key(o, p.Name)]; len(known) > 0 && m.chance(60) {
		return pick(m, known)
	}
	if m.chance(25) {
		return pick(m, hostile())
	}
	switch {
	case len(p.Schema.Enum) > 0:
		return pick(m, p.Schema.Enum)
	case len(p.Schema.Examples) > 0 && m.chance(50):
		if text, ok := pick(m, p.Schema.Examples).(string); ok {
			return text
		}
	case p.Schema.Type == "boolean":
		return pick(m, []string{"true", "false"})
	case p.Schema.Type == "integer":
		return pick(m, numbers(p.Schema.Minimum, p.Schema.Maximum))
	case p.Schema.MaxLength > 0 && m.chance(20):
		return strings.Repeat("x", p.Schema.MaxLength+m.rnd.IntN(2))
	}
	return pick(m, words())
}

// headerText keeps a text fit for a header on a connection.
func (m *Maker) headerText(s string) string {
	if m.Headers {
		return s
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, s)
}

// Learn notes what an answer shows, for requests to come. Long ones show nothing more.
func (m *Maker) Learn(o *Operation, answer []byte) {
	var v any
	if len(answer) < 64<<10 && json.Unmarshal(answer, &v) == nil {
		m.learn(o, "", v)
	}
}

func (m *Maker) learn(o *Operation, name string, v any) {
	switch v := v.(type) {
	case []any:
		for _, item := range v[:min(len(v), 5)] {
			m.learn(o, name, item)
		}
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			m.learn(o, name, v[name])
		}
	case string:
		m.note(o, name, v)
	case float64:
		m.note(o, name, strconv.FormatFloat(v, 'f', -1, 64))
	}
}

// note remembers a value for the parameters and members that take it.
func (m *Maker) note(o *Operation, name, value string) {
	names := []string{name}
	switch name {
	case "next_cursor":
		names = []string{"cursor"}
	case "revision":
		names = []string{"If-Match"}
	case "id":
		names = []string{"id", "audit_id", "rule_id"}
	}
	for _, n := range names {
		k := key(o, n)
		if list := m.learnt[k]; !slices.Contains(list, value) {
			m.learnt[k] = append(list, value)[max(0, len(list)-20):]
		}
	}
}

func key(o *Operation, name string) string { return strings.Join(o.Tags, ",") + "." + name }
