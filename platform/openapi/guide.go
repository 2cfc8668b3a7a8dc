package openapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/muttproject/mutt/platform/fault"
)

// Guide is the document as people read it: the page at /docs and docs/reference/api.md are two renderings of it.
type Guide struct {
	Title, Version string
	About          []Paragraph
	Groups         []Group
	Types          []TypeEntry
}

// Paragraph is one of the introduction; a Point is one of a list.
type Paragraph struct {
	Text  string
	Point bool
}

// Group is a tag with its operations.
type Group struct {
	Name, About, Anchor string
	Entries             []Entry
}

// Entry is an operation.
type Entry struct {
	Method, Path, ID, Role, Summary, About string
	Sender                                 bool
	Params                                 []Row
	Bodies                                 []Shape
	Answers                                []Outcome
	Failures                               []Failure
	Curl                                   string
}

// Row is a parameter, or a member of a type.
type Row struct {
	Name, In, About string
	Required        bool
	Type            TypeText
}

// TypeText is what a value may be, in words. Name is an entry of Types, "" for none.
type TypeText struct{ Before, Name, After string }

// String gives the words without a link.
func (t TypeText) String() string { return t.Before + t.Name + t.After }

// Shape is a payload in one media type.
type Shape struct {
	MediaType string
	Type      TypeText
	Example   string
}

// Outcome is a success.
type Outcome struct {
	Status  int
	About   string
	Headers []string
	Shapes  []Shape
}

// Failure is a status with its codes.
type Failure struct {
	Status int
	Codes  []fault.Entry
}

// TypeEntry is a named type.
type TypeEntry struct {
	Name string
	Rows []Row
}

// Guide makes the reading of the document.
func (d *Document) Guide() Guide {
	g := Guide{Title: d.info.Title, Version: d.info.Version}
	for line := range strings.Lines(d.info.Description) {
		if line = strings.TrimSpace(line); line != "" {
			text, point := strings.CutPrefix(line, "- ")
			g.About = append(g.About, Paragraph{text, point})
		}
	}
	for _, tag := range d.info.Tags {
		group := Group{Name: tag.Name, About: tag.Description, Anchor: strings.ReplaceAll(strings.ToLower(tag.Name), " ", "-")}
		for i := range d.operations {
			if d.operations[i].Tag == tag.Name {
				group.Entries = append(group.Entries, d.entry(&d.operations[i]))
			}
		}
		g.Groups = append(g.Groups, group)
	}
	for _, name := range slices.Sorted(maps.Keys(d.schemas.named)) {
		g.Types = append(g.Types, TypeEntry{name, d.rows(d.schemas.named[name])})
	}
	return g
}

func (d *Document) entry(o *Operation) Entry {
	e := Entry{Method: o.Method, Path: o.Path, ID: o.ID, Role: o.Role, Summary: o.Summary, About: o.Description, Sender: o.Sender, Bodies: d.shapes(o.Bodies, received)}
	for _, p := range o.Params {
		e.Params = append(e.Params, Row{p.Name, p.In, p.About, p.Required, typeText(p.Schema)})
	}
	for _, a := range o.Answers {
		e.Answers = append(e.Answers, Outcome{a.Status, a.About, a.Headers, d.shapes(a.Contents, sent)})
	}
	for _, code := range o.Errors {
		e.fails(fault.Describe(code))
	}
	slices.SortStableFunc(e.Failures, func(a, b Failure) int { return a.Status - b.Status })
	e.Curl = d.curl(o, &e)
	return e
}

func (e *Entry) fails(f fault.Entry) {
	for i := range e.Failures {
		if have := &e.Failures[i]; have.Status == f.Status {
			if !slices.Contains(have.Codes, f) {
				have.Codes = append(have.Codes, f)
			}
			return
		}
	}
	e.Failures = append(e.Failures, Failure{f.Status, []fault.Entry{f}})
}

func (d *Document) shapes(list []Content, way direction) []Shape {
	var out []Shape
	for _, c := range list {
		s := d.contents([]Content{c}, way)[c.MediaType].Schema
		text := typeText(s)
		if c.Type != nil {
			text = typeText(d.schemas.of(reflect.TypeOf(c.Type), way))
		}
		if needs := needText(c.Needs); needs != "" {
			text.After += needs
		}
		shape := Shape{MediaType: c.MediaType, Type: text}
		switch example := c.Example.(type) {
		case string:
			shape.Example = example
		case nil:
			if c.MediaType == JSON && c.Schema == nil {
				shape.Example = indented(d.example(s, 0))
			}
		default:
			shape.Example = indented(example)
		}
		out = append(out, shape)
	}
	return out
}

func needText(needs [][]string) string {
	var parts []string
	for _, names := range needs {
		parts = append(parts, strings.Join(names, " or "))
	}
	if len(parts) == 0 {
		return ""
	}
	return "; needs " + strings.Join(parts, ", ")
}

// rows are the members of an object.
func (d *Document) rows(s *Schema) []Row {
	var rows []Row
	for _, p := range s.Properties {
		rows = append(rows, Row{Name: p.Name, About: p.Description, Required: slices.Contains(s.Required, p.Name), Type: typeText(p.Schema)})
	}
	if more, ok := s.Additional.(*Schema); ok {
		rows = append(rows, Row{Name: "…", About: more.Description, Type: typeText(more)})
	}
	return rows
}

// typeText says in words what a schema takes.
func typeText(s *Schema) TypeText {
	if s.Ref != "" {
		return TypeText{Name: s.Ref[strings.LastIndex(s.Ref, "/")+1:]}
	}
	for _, list := range [][]*Schema{s.AnyOf, s.OneOf} {
		if len(list) == 2 {
			first, second := typeText(list[0]), typeText(list[1])
			if first.Name == "" {
				return TypeText{first.Before + " or " + second.Before, second.Name, second.After}
			}
			return TypeText{first.Before, first.Name, first.After + " or " + second.String()}
		}
	}
	if s.Items != nil {
		item := typeText(s.Items)
		item.Before = "list of " + item.Before
		item.After += limits(s)
		return item
	}
	if more, ok := s.Additional.(*Schema); ok {
		value := typeText(more)
		value.Before = "object of " + value.Before
		return value
	}
	if len(s.Type) == 0 {
		return TypeText{Before: "any JSON"}
	}
	text := strings.Join(s.Type, " or ")
	if s.Format != "" {
		text = s.Format
		if len(s.Type) > 1 {
			text += " or null"
		}
	}
	if len(s.Enum) > 0 {
		words := make([]string, len(s.Enum))
		for i, w := range s.Enum {
			if words[i] = w; w == "" {
				words[i] = `""`
			}
		}
		text = strings.Join(words, ", ")
	}
	return TypeText{Before: text + limits(s)}
}

// limits says the bounds and the default of a schema.
func limits(s *Schema) string {
	var parts []string
	switch {
	case s.Minimum != nil && s.Maximum != nil && *s.Maximum > 1<<53:
		parts = append(parts, fmt.Sprintf("from %d", *s.Minimum))
	case s.Minimum != nil && s.Maximum != nil:
		parts = append(parts, fmt.Sprintf("%d to %d", *s.Minimum, *s.Maximum))
	case s.Minimum != nil:
		parts = append(parts, fmt.Sprintf("from %d", *s.Minimum))
	}
	if s.MaxLength != nil {
		parts = append(parts, fmt.Sprintf("at most %d characters", *s.MaxLength))
	}
	if s.MaxItems != nil {
		parts = append(parts, fmt.Sprintf("at most %d", *s.MaxItems))
	}
	if s.Default != nil {
		parts = append(parts, fmt.Sprintf("default %v", s.Default))
	}
	if len(parts) == 0 {
		return ""
	}
	return ", " + strings.Join(parts, ", ")
}

// example makes a value of a schema: its example where it has one.
func (d *Document) example(s *Schema, depth int) any {
	if len(s.Examples) > 0 {
		return s.Examples[0]
	}
	if s.Ref != "" {
		return d.example(d.schemas.named[s.Ref[strings.LastIndex(s.Ref, "/")+1:]], depth)
	}
	for _, list := range [][]*Schema{s.AllOf, s.AnyOf, s.OneOf} {
		if len(list) > 0 {
			return d.example(list[0], depth)
		}
	}
	switch {
	case len(s.Enum) > 0:
		return s.Enum[len(s.Enum)-1]
	case len(s.Type) == 0 || depth > 4:
		return nil
	}
	switch s.Type[0] {
	case "string":
		return map[string]string{"date-time": "2026-11-23T08:00:00Z", "uuid": "019ab3c8-5b4c-7000-8000-000000000001"}[s.Format]
	case "integer", "number":
		return 1
	case "boolean":
		return true
	case "array":
		return []any{d.example(s.Items, depth+1)}
	}
	var o ordered
	for _, p := range s.Properties {
		o = append(o, pair{p.Name, d.example(p.Schema, depth+1)})
	}
	return o
}

// ordered is an object whose members keep their order.
type (
	ordered []pair
	pair    struct {
		name  string
		value any
	}
)

// MarshalJSON writes the members in their order.
func (o ordered) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, p := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		value, err := render(p.value)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, "%q:%s", p.name, value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

func indented(v any) string {
	text, err := render(v)
	var b bytes.Buffer
	if err == nil {
		err = json.Indent(&b, text, "", "  ")
	}
	if err != nil {
		panic(fmt.Sprintf("openapi: write an example: %v", err))
	}
	return b.String()
}

// curl gives a command that makes the call.
func (d *Document) curl(o *Operation, e *Entry) string {
	parts := []string{"curl"}
	if o.Method != "GET" {
		parts = append(parts, "-X "+o.Method)
	}
	if o.Role != "public" {
		parts = append(parts, `-H "X-API-KEY: $KEY"`)
	}
	if len(e.Bodies) > 0 {
		body := e.Bodies[0]
		var compact bytes.Buffer
		if json.Compact(&compact, []byte(body.Example)) != nil {
			compact.Reset()
			compact.WriteString(body.Example)
		}
		parts = append(parts, "-H 'Content-Type: "+body.MediaType+"'", "--data-binary '"+strings.ReplaceAll(compact.String(), "'", `'\''`)+"'")
	}
	path := o.Path
	for _, p := range o.Params {
		if p.In == "path" {
			path = strings.Replace(path, "{"+p.Name+"}", fmt.Sprint(d.example(p.Schema, 0)), 1)
		}
	}
	base := "http://localhost:8090/api/v2"
	if o.Sender {
		base = "http://localhost:8080"
	}
	return strings.Join(append(parts, base+path), " ")
}
