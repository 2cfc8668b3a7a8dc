package openapitest

import (
	"net/http"
	"strings"
	"testing"

	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/openapi"
)

// item and failure are payloads of the document that these tests are about.
type item struct {
	ID   int64  `json:"id" min:"1"`
	Name string `json:"name,omitempty" maxlen:"5"`
}

type failure struct {
	Error         string `json:"error"`
	Message       string `json:"message"`
	Code          string `json:"code"`
	CorrelationID string `json:"correlation_id"`
}

func document(t *testing.T) *Document {
	t.Helper()
	get := openapi.Op("Items", "getItem", "Show", "", openapi.InPath("id", "which", openapi.Whole(1, 99)), openapi.InQuery("deep", "or not", openapi.Flag()),
		openapi.Gives(200, "it", item{}, "ETag"), openapi.Fails(fault.NotFound, fault.StoreUnavailable))
	get.Method, get.Path, get.Role = "GET", "/items/{id}", "viewer"
	put := openapi.Op("Items", "putItem", "Change", "", openapi.InPath("id", "which", openapi.Whole(1, 99)), openapi.Takes(item{}), openapi.Gives(200, "it", item{}), openapi.Fails(fault.Unprocessable))
	put.Method, put.Path, put.Role = "PUT", "/items/{id}", "operator"
	d, err := Read(openapi.New(openapi.Info{Title: "T", Version: "1", Tags: []openapi.Tag{{Name: "Items"}}, Error: failure{},
		Headers: map[string]string{"ETag": "tag", "Retry-After": "seconds", "Location": "where"}}, []openapi.Operation{get, put}).JSON())
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// exchange is one that the document allows, changed by f.
func exchange(f func(*Exchange)) Exchange {
	x := Exchange{Method: "GET", Target: "/api/v2/items/7", Request: http.Header{}, Status: 200, Answer: []byte(`{"id":7}`), Header: http.Header{}}
	for name, value := range map[string]string{"X-Correlation-ID": "c", "X-API-Version": "v2.5", "X-API-Supported-Versions": "v1", "X-API-Deprecated": "false",
		"Content-Type": "application/json", "ETag": `"1"`} {
		x.Header.Set(name, value)
	}
	f(&x)
	return x
}

func TestCheckFindsWhatTheDocumentDoesNotSay(t *testing.T) {
	t.Parallel()
	fails := func(status int, body string) func(*Exchange) {
		return func(x *Exchange) { x.Status, x.Answer = status, []byte(body); x.Header.Del("ETag") }
	}
	puts := func(body string) func(*Exchange) {
		return func(x *Exchange) {
			x.Method, x.Body = "PUT", []byte(body)
			x.Header.Del("ETag")
			x.Request.Set("Content-Type", "application/json")
		}
	}
	const notFound = `{"error":"none","message":"none","code":"not_found","correlation_id":"c"}`
	for name, c := range map[string]struct {
		change func(*Exchange)
		want   string // part of the only fault, "" for none
	}{
		"as it is":            {func(*Exchange) {}, ""},
		"an error":            {fails(404, notFound), ""},
		"a change":            {puts(`{"id":7,"name":null}`), ""},
		"unknown status":      {func(x *Exchange) { x.Status = 202 }, "no such status"},
		"unknown member":      {func(x *Exchange) { x.Answer = []byte(`{"id":7,"extra":1}`) }, "additional properties 'extra' not allowed"},
		"missing member":      {func(x *Exchange) { x.Answer = []byte(`{}`) }, "missing property 'id'"},
		"below its bound":     {func(x *Exchange) { x.Answer = []byte(`{"id":0}`) }, "minimum"},
		"not JSON":            {func(x *Exchange) { x.Answer = []byte(`{`) }, "not JSON"},
		"media type":          {func(x *Exchange) { x.Header.Set("Content-Type", "text/html") }, "media type"},
		"header missing":      {func(x *Exchange) { x.Header.Del("ETag") }, "header ETag"},
		"header not declared": {func(x *Exchange) { x.Header.Set("Location", "/x") }, "header Location"},
		"no correlation id":   {func(x *Exchange) { x.Header.Del("X-Correlation-ID") }, "X-Correlation-ID"},
		"not deprecated":      {func(x *Exchange) { x.Target = "/api/v1/items/7" }, "X-API-Deprecated"},
		"error of no form":    {fails(404, `{"error":"none","message":"none","code":"not_found","correlation_id":"other"}`), "form of an error"},
		"no Retry-After":      {fails(503, notFound), "Retry-After"},
		"no operation":        {func(x *Exchange) { x.Target = "/api/v2/items" }, "no such operation"},
		"parameter":           {func(x *Exchange) { x.Target += "?deep=perhaps" }, "accepted, although the parameter deep"},
		"path out of bounds":  {func(x *Exchange) { x.Target = "/api/v2/items/100" }, "accepted, although the parameter id"},
		"body":                {puts(`{"id":7,"name":"longer"}`), "accepted, although the body"},
		"body of other type":  {func(x *Exchange) { puts(`{}`)(x); x.Request.Set("Content-Type", "text/csv") }, "accepted, although bodies of text/csv"},
	} {
		faults := document(t).Check(exchange(c.change))
		switch {
		case c.want == "" && len(faults) == 0:
		case len(faults) != 1 || c.want == "" || !strings.Contains(faults[0].Error(), c.want):
			t.Errorf("%s: got %v, want %q", name, faults, c.want)
		}
	}
}

func TestUncovered(t *testing.T) {
	t.Parallel()
	d := document(t)
	if list := d.Uncovered(); len(list) != 2 {
		t.Fatalf("got %v", list)
	}
	d.Check(exchange(func(*Exchange) {}))
	if list := d.Uncovered(); len(list) != 1 || list[0] != "putItem 200" {
		t.Fatalf("got %v", list)
	}
}

// Equal seeds make equal requests, and every operation is made in many ways.
func TestMakerRepeats(t *testing.T) {
	t.Parallel()
	d := document(t)
	one, two, other := NewMaker(d, 1), NewMaker(d, 1), NewMaker(d, 2)
	made, differ := map[string]bool{}, 0
	for range 200 {
		for _, o := range d.Operations {
			a, b, c := one.Make(o), two.Make(o), other.Make(o)
			if a.Target != b.Target || string(a.Body) != string(b.Body) || len(a.Header) != len(b.Header) {
				t.Fatalf("%v\n%v", a, b)
			}
			made[a.Target+string(a.Body)] = true
			if a.Target != c.Target {
				differ++
			}
		}
	}
	if len(made) < 100 || differ < 100 {
		t.Errorf("%d different requests, %d by another seed", len(made), differ)
	}
}
