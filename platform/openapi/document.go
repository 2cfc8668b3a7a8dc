// Package openapi makes an OpenAPI 3.1 document of declared operations and Go types, and the reference page of it.
//
// Principles:
//  1. One source: an operation is declared beside its handler, a payload is the Go type that the handler renders.
//  2. The same declarations give the same bytes: the document is committed, and a test compares.
//  3. Errors are declared by their codes; status and meaning come from the catalogue of package fault.
//  4. It knows no HTTP framework and no module. What can fail fails while the document is made, which a test does.
package openapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/muttproject/mutt/platform/fault"
)

// Info describes the API as a whole.
type Info struct {
	Title, Version, Description string
	Tags                        []Tag
	Error                       any                   // the Go type of every error's body
	Vocabulary                  map[string][]string   // the words of the enumerations that fields name by their tag
	Members                     map[string]Properties // the known members of maps that fields name by their tag
	Headers                     map[string]string     // what the headers of answers mean
}

// Tag is a group of operations.
type Tag struct {
	Name        string `json:"name"`
	Description string `json:"description"`
}

// Document is a made document.
type Document struct {
	info       Info
	operations []Operation
	schemas    *schemas
	text       []byte
}

// New makes the document. It panics when the declarations contradict each other.
func New(info Info, operations []Operation) *Document {
	d := &Document{info: info, operations: operations, schemas: newSchemas(info.Vocabulary, info.Members)}
	text, err := render(d.root())
	var indented bytes.Buffer
	if err == nil {
		err = json.Indent(&indented, text, "", "  ")
	}
	if err != nil {
		panic(fmt.Sprintf("openapi: write the document: %v", err))
	}
	indented.WriteByte('\n')
	d.text = indented.Bytes()
	return d
}

// JSON gives the document's text. It is the caller's to read only.
func (d *Document) JSON() []byte { return d.text }

// Operations gives what the document was made of.
func (d *Document) Operations() []Operation { return d.operations }

type (
	root struct {
		OpenAPI    string                `json:"openapi"`
		Info       info                  `json:"info"`
		Servers    []server              `json:"servers"`
		Tags       []Tag                 `json:"tags"`
		Security   []map[string][]string `json:"security"`
		Paths      map[string]*pathItem  `json:"paths"`
		Components components            `json:"components"`
	}
	info struct {
		Title       string `json:"title"`
		Version     string `json:"version"`
		Description string `json:"description"`
	}
	server struct {
		URL         string              `json:"url"`
		Description string              `json:"description"`
		Variables   map[string]variable `json:"variables,omitempty"`
	}
	variable struct {
		Default     string `json:"default"`
		Description string `json:"description"`
	}
	components struct {
		Schemas         map[string]*Schema        `json:"schemas"`
		Headers         map[string]header         `json:"headers"`
		SecuritySchemes map[string]securityScheme `json:"securitySchemes"`
	}
	header struct {
		Ref         string  `json:"$ref,omitempty"`
		Description string  `json:"description,omitempty"`
		Schema      *Schema `json:"schema,omitempty"`
	}
	securityScheme struct {
		Type        string `json:"type"`
		Description string `json:"description"`
		In          string `json:"in,omitempty"`
		Name        string `json:"name,omitempty"`
		Scheme      string `json:"scheme,omitempty"`
	}
	// pathItem holds the operations of a path by their method in lower case, or its servers.
	pathItem  map[string]any
	operation struct {
		Tags        []string              `json:"tags"`
		Summary     string                `json:"summary"`
		Description string                `json:"description,omitempty"`
		ID          string                `json:"operationId"`
		Role        string                `json:"x-mutt-role"`
		Security    []map[string][]string `json:"security,omitzero"` // empty: none is needed
		Parameters  []parameter           `json:"parameters,omitempty"`
		RequestBody *requestBody          `json:"requestBody,omitempty"`
		Responses   map[string]*response  `json:"responses"`
	}
	parameter struct {
		Name        string  `json:"name"`
		In          string  `json:"in"`
		Description string  `json:"description"`
		Required    bool    `json:"required,omitempty"`
		Schema      *Schema `json:"schema"`
	}
	requestBody struct {
		Required bool             `json:"required"`
		Content  map[string]media `json:"content"`
	}
	media struct {
		Schema  *Schema `json:"schema"`
		Example any     `json:"example,omitempty"`
	}
	response struct {
		Description string            `json:"description"`
		Headers     map[string]header `json:"headers,omitempty"`
		Content     map[string]media  `json:"content,omitempty"`
	}
)

func (d *Document) root() *root {
	r := &root{
		OpenAPI: "3.1.0",
		Info:    info{d.info.Title, d.info.Version, d.info.Description},
		Servers: []server{{URL: "/api/v2", Description: "the admin listener, by default port 8090"},
			{URL: "/api/v1", Description: "the same payloads under the predecessor's paths; deprecated"}},
		Tags:     d.info.Tags,
		Security: []map[string][]string{{"key": {}}, {"bearer": {}}, {"session": {}}},
		Paths:    map[string]*pathItem{},
		Components: components{Headers: map[string]header{}, SecuritySchemes: map[string]securityScheme{
			"key":    {Type: "apiKey", In: "header", Name: "X-API-KEY", Description: "an API key; x-mutt-role says which role it needs"},
			"bearer": {Type: "http", Scheme: "bearer", Description: "the same key as Authorization: Bearer"},
			"session": {Type: "apiKey", In: "cookie", Name: "mutt_session", Description: "of the admin listener: a session of POST /session; over TLS the cookie is __Host-mutt_session; " +
				"what is no GET needs its csrf_token in X-CSRF-Token"},
		}},
	}
	for name, about := range d.info.Headers {
		r.Components.Headers[name] = header{Description: about, Schema: Text(0)}
	}
	seen := map[string]bool{}
	for i := range d.operations {
		o := &d.operations[i]
		o.check()
		if seen[o.ID] {
			panic("openapi: two operations have the id " + o.ID)
		}
		seen[o.ID] = true
		d.place(r.Paths, o)
	}
	r.Components.Schemas = d.schemas.named
	return r
}

func (d *Document) place(paths map[string]*pathItem, o *Operation) {
	item := paths[o.Path]
	if item == nil {
		item = &pathItem{}
		paths[o.Path] = item
	}
	method := strings.ToLower(o.Method)
	if (*item)[method] != nil {
		panic("openapi: " + o.Method + " " + o.Path + " is declared twice")
	}
	if o.Sender {
		(*item)["servers"] = senderServers(o.Path)
	}
	(*item)[method] = d.operation(o)
}

// senderServers are where the ingest listener has a path: events are also taken below both prefixes.
func senderServers(path string) []server {
	host := map[string]variable{"host": {"localhost:8080", "address of the ingest listener"}}
	servers := []server{{"http://{host}", "the ingest listener", host}}
	if path == "/ingest" {
		servers = append(servers, server{"http://{host}/api/v2", "the same", host}, server{"http://{host}/api/v1", "the same; deprecated", host})
	}
	return servers
}

func (d *Document) operation(o *Operation) *operation {
	out := &operation{Tags: []string{o.Tag}, Summary: o.Summary, Description: o.Description, ID: o.ID, Role: o.Role, Responses: map[string]*response{}}
	if o.Role == "public" {
		out.Security = []map[string][]string{}
	}
	for _, p := range o.Params {
		out.Parameters = append(out.Parameters, parameter{p.Name, p.In, p.About, p.Required, p.Schema})
	}
	if len(o.Bodies) > 0 {
		out.RequestBody = &requestBody{true, d.contents(o.Bodies, received)}
	}
	for _, a := range o.Answers {
		r := &response{Description: a.About, Content: d.contents(a.Contents, sent)}
		for _, name := range a.Headers {
			r.header(d, name)
		}
		out.Responses[strconv.Itoa(a.Status)] = r
	}
	for _, code := range o.Errors {
		d.failure(out.Responses, fault.Describe(code))
	}
	return out
}

func (r *response) header(d *Document, name string) {
	if _, known := d.info.Headers[name]; !known {
		panic("openapi: the header " + name + " has no description")
	}
	if r.Headers == nil {
		r.Headers = map[string]header{}
	}
	r.Headers[name] = header{Ref: "#/components/headers/" + name}
}

func (d *Document) contents(list []Content, way direction) map[string]media {
	if len(list) == 0 {
		return nil
	}
	out := map[string]media{}
	for _, c := range list {
		s := c.Schema
		if c.Type != nil {
			s = needing(d.schemas.of(reflect.TypeOf(c.Type), way), c.Needs)
		}
		if len(c.AnyOf) > 0 {
			s = &Schema{}
			for _, v := range c.AnyOf {
				s.AnyOf = append(s.AnyOf, d.schemas.of(reflect.TypeOf(v), way))
			}
		}
		out[c.MediaType] = media{s, c.Example}
	}
	return out
}

// needing wants one member of each list to be there.
func needing(s *Schema, needs [][]string) *Schema {
	if len(needs) == 0 {
		return s
	}
	all := &Schema{AllOf: []*Schema{s}}
	for _, names := range needs {
		if len(names) == 1 {
			all.Required = append(all.Required, names[0])
			continue
		}
		any := &Schema{}
		for _, name := range names {
			any.AnyOf = append(any.AnyOf, &Schema{Required: []string{name}})
		}
		all.AllOf = append(all.AllOf, any)
	}
	return all
}

// failure adds an error to the answers: several codes share a status, and perhaps a success's other form does.
func (d *Document) failure(responses map[string]*response, e fault.Entry) {
	form := d.schemas.of(reflect.TypeOf(d.info.Error), sent)
	about := fmt.Sprintf("`%s`: %s", e.Code, e.Meaning)
	r := responses[strconv.Itoa(e.Status)]
	switch {
	case r == nil:
		r = &response{Description: about, Content: map[string]media{JSON: {Schema: form}}}
		responses[strconv.Itoa(e.Status)] = r
	case strings.Contains(r.Description, "`"+string(e.Code)+"`"):
		return
	default:
		r.Description += "; " + about
		if m := r.Content[JSON]; m.Schema.Ref != form.Ref && m.Schema.AnyOf == nil {
			r.Content[JSON] = media{Schema: &Schema{AnyOf: []*Schema{m.Schema, form}}}
		}
	}
	if e.Status == 429 || e.Status == 503 {
		r.header(d, "Retry-After")
	}
}
