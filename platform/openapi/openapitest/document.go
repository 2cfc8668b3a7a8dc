// Package openapitest holds a server to its OpenAPI document, from outside: it reads the document as a stranger would,
// and looks at requests and answers. It is imported by tests only.
//
// Principles:
//  1. It knows the document and nothing of the server: no Go type of an answer is used.
//  2. It is stricter than a client: a member, a header, a status or a media type that the document does not name is a fault.
//  3. What it makes up is made of the document and a seed, so that a failure can be repeated.
package openapitest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// place is where the compiler knows the document.
const place = "mem:///openapi.json"

// Document is a document as it is served.
type Document struct {
	Operations []*Operation // by path, then method

	headers  []string                  // that the document knows for answers
	named    map[string]map[string]any // the schemas of its components
	mu       sync.Mutex
	compiler *jsonschema.Compiler
	schemas  map[string]*jsonschema.Schema
	seen     map[string]map[string]int // operation, status
}

// Operation is one method of one path.
type Operation struct {
	Method, Path string
	ID           string `json:"operationId"`
	Role         string `json:"x-mutt-role"`
	Tags         []string
	Parameters   []Parameter
	RequestBody  *struct{ Content map[string]Media }
	Responses    map[string]Response
	Sender       bool `json:"-"` // it has servers of its own

	parts []string
}

// Parameter is one of the path, the query or a header.
type Parameter struct {
	Name, In string
	Required bool
	Schema   Schema
}

// Media is a payload in one media type.
type Media struct {
	Schema  map[string]any
	Example any
}

// Response is what can be answered with one status.
type Response struct {
	Headers map[string]any
	Content map[string]Media
}

// Schema is what the generator needs to know of a parameter.
type Schema struct {
	Type             any
	Enum             []string
	Minimum, Maximum *json.Number
	MaxLength        int
	Format           string
	Examples         []any
}

// Read reads a document.
func Read(text []byte) (*Document, error) {
	var raw struct {
		Paths      map[string]map[string]json.RawMessage
		Components struct {
			Headers map[string]any
			Schemas map[string]map[string]any
		}
	}
	if err := json.Unmarshal(text, &raw); err != nil {
		return nil, fmt.Errorf("read the document: %w", err)
	}
	d := &Document{named: raw.Components.Schemas, schemas: map[string]*jsonschema.Schema{}, seen: map[string]map[string]int{}}
	for name := range raw.Components.Headers {
		d.headers = append(d.headers, name)
	}
	for path, item := range raw.Paths {
		for method, body := range item {
			if method == "servers" {
				continue
			}
			o := &Operation{Method: strings.ToUpper(method), Path: path, Sender: item["servers"] != nil, parts: strings.Split(path, "/")}
			if err := json.Unmarshal(body, o); err != nil {
				return nil, fmt.Errorf("read %s %s: %w", method, path, err)
			}
			d.Operations = append(d.Operations, o)
			d.seen[o.ID] = map[string]int{}
		}
	}
	slices.SortFunc(d.Operations, func(a, b *Operation) int { return strings.Compare(a.Path+" "+a.Method, b.Path+" "+b.Method) })
	return d, d.compile(text)
}

// compile hands the document to the validator, with the payloads of answers closed.
func (d *Document) compile(text []byte) error {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return fmt.Errorf("read the document: %w", err)
	}
	closeObjects(doc)
	d.compiler = jsonschema.NewCompiler()
	d.compiler.DefaultDraft(jsonschema.Draft2020)
	d.compiler.AssertFormat()
	return d.compiler.AddResource(place, doc)
}

// closeObjects lets objects have no members but those that they name: a client must take what is new, but what is
// answered now must be in the document. Bodies of requests say themselves what they are.
func closeObjects(v any) {
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			closeObjects(item)
		}
	case map[string]any:
		_, has := v["properties"].(map[string]any)
		if _, said := v["additionalProperties"]; has && !said && v["type"] == "object" {
			v["additionalProperties"] = false
		}
		for name, item := range v {
			if name != "requestBody" && name != "example" && name != "examples" {
				closeObjects(item)
			}
		}
	}
}

// validate checks a JSON text against the schema at a place of the document, given as the steps to it.
func (d *Document) validate(body []byte, steps ...string) error {
	pointer := ""
	for _, s := range steps {
		pointer += "/" + strings.NewReplacer("~", "~0", "/", "~1", "%", "%25", "{", "%7B", "}", "%7D").Replace(s)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	schema := d.schemas[pointer]
	if schema == nil {
		var err error
		if schema, err = d.compiler.Compile(place + "#" + pointer); err != nil {
			return fmt.Errorf("the schema at %s: %w", pointer, err)
		}
		d.schemas[pointer] = schema
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("not JSON: %w", err)
	}
	return schema.Validate(value)
}

// Find gives the operation of a path below a server, nil for none. A literal path goes before one with parameters.
func (d *Document) Find(method, path string) *Operation {
	var found *Operation
	parts := strings.Split(path, "/")
	for _, o := range d.Operations {
		if o.Method != method || !o.matches(parts) {
			continue
		}
		if found == nil || strings.Count(o.Path, "{") < strings.Count(found.Path, "{") {
			found = o
		}
	}
	return found
}

func (o *Operation) matches(parts []string) bool {
	if len(parts) != len(o.parts) {
		return false
	}
	for i, p := range o.parts {
		if !strings.HasPrefix(p, "{") && p != parts[i] || p != "" && parts[i] == "" {
			return false
		}
	}
	return true
}
