package openapi

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/muttproject/mutt/platform/fault"
)

// JSON is the media type of most payloads.
const JSON = "application/json"

// Operation is one method of one path: what it takes and what it can answer.
type Operation struct {
	Method, Path string // Path in the document's form: /rules/{id}
	Role         string // the least role of a key, "public" for none
	Tag          string // the resource that it belongs to
	ID           string // unique, for generated clients
	Summary      string
	Description  string
	Sender       bool // it is served by the ingest listener
	Params       []Param
	Bodies       []Content // one of them; none for no body
	Answers      []Answer
	Errors       []fault.Code // what it can fail with
}

// Param is a parameter of the path, the query or a header.
type Param struct {
	Name, In, About string
	Required        bool
	Schema          *Schema
}

// Content is a payload in one media type. Type is a value of the Go type that it is, nil where Schema says it.
type Content struct {
	MediaType string
	Type      any
	Schema    *Schema
	Example   any
	AnyOf     []any      // values of the Go types of which it is one, instead of Type
	Needs     [][]string // members of which one must be there, beyond what Type requires
}

// Answer is a success.
type Answer struct {
	Status   int
	About    string
	Headers  []string // names from Headers
	Contents []Content
}

// Part is something that an operation has.
type Part func(*Operation)

// Op makes an operation.
func Op(tag, id, summary, description string, parts ...Part) Operation {
	o := Operation{Tag: tag, ID: id, Summary: summary, Description: description}
	o.Add(parts...)
	return o
}

// Add gives the operation more parts.
func (o *Operation) Add(parts ...Part) {
	for _, part := range parts {
		part(o)
	}
}

// All makes one part of several.
func All(parts ...Part) Part { return func(o *Operation) { o.Add(parts...) } }

// InPath declares a parameter of the path.
func InPath(name, about string, s *Schema) Part { return param(Param{name, "path", about, true, s}) }

// InQuery declares an optional parameter of the query. An empty one is refused.
func InQuery(name, about string, s *Schema) Part {
	if s.Type[0] == "string" && s.Enum == nil {
		one := 1
		s.MinLength = &one
	}
	return param(Param{name, "query", about, false, s})
}

// InHeader declares an optional header of the request.
func InHeader(name, about string, s *Schema) Part {
	return param(Param{name, "header", about, false, s})
}

func param(p Param) Part { return func(o *Operation) { o.Params = append(o.Params, p) } }

// Takes declares a JSON body of v's type.
func Takes(v any) Part { return TakesAs(Content{MediaType: JSON, Type: v}) }

// TakesAs declares bodies of other media types, or with a schema of their own.
func TakesAs(c ...Content) Part { return func(o *Operation) { o.Bodies = append(o.Bodies, c...) } }

// Gives declares a success with a JSON body of v's type.
func Gives(status int, about string, v any, headers ...string) Part {
	return GivesAs(Answer{status, about, headers, []Content{{MediaType: JSON, Type: v}}})
}

// GivesAs declares a success in other media types.
func GivesAs(a Answer) Part { return func(o *Operation) { o.Answers = append(o.Answers, a) } }

// Tagged says that the answer has an ETag, and that If-None-Match is understood.
func Tagged() Part {
	return All(
		func(o *Operation) {
			for i := range o.Answers {
				o.Answers[i].Headers = append(o.Answers[i].Headers, "ETag")
			}
		},
		GivesAs(Answer{Status: http.StatusNotModified, About: "what the caller has is still right", Headers: []string{"ETag"}}),
		InHeader("If-None-Match", "the ETag of an earlier answer: 304 when nothing changed", Text(0)),
	)
}

// Fails declares the codes of errors that the operation can give.
func Fails(codes ...fault.Code) Part {
	return func(o *Operation) { o.Errors = append(o.Errors, codes...) }
}

// check panics when a declaration is not whole. Every test of a server comes by here.
func (o *Operation) check() {
	if o.ID == "" || o.Summary == "" || o.Tag == "" || len(o.Answers) == 0 {
		panic(fmt.Sprintf("openapi: %s %s is not declared: give its row of the endpoint table an operation (docs/contributing.md)", o.Method, o.Path))
	}
	named := 0
	for _, p := range o.Params {
		if p.In == "path" {
			named++
			if !strings.Contains(o.Path, "{"+p.Name+"}") {
				panic(fmt.Sprintf("openapi: %s %s has no {%s}", o.Method, o.Path, p.Name))
			}
		}
	}
	if named != strings.Count(o.Path, "{") {
		panic(fmt.Sprintf("openapi: %s %s has a parameter that is not declared", o.Method, o.Path))
	}
}
