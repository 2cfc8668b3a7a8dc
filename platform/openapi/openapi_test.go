package openapi

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/muttproject/mutt/platform/fault"
)

type inner struct {
	Name string `json:"name" doc:"its name" maxlen:"9"`
}

// Thing has every kind of member.
type Thing struct {
	inner
	ID     int64             `json:"id" min:"1" doc:"its number"`
	Fate   string            `json:"fate" enum:"fates"`
	Mode   string            `json:"mode,omitempty" enum:"a|b"`
	At     *time.Time        `json:"at"`
	Score  *float64          `json:"score,omitempty" example:"0.5"`
	Raw    json.RawMessage   `json:"raw"`
	Tags   []string          `json:"tags" maxlen:"3"`
	Counts map[string]int64  `json:"counts"`
	Part   *Piece            `json:"part"`
	Level  any               `json:"level,omitempty" accepts:"integer,string"`
	Other  map[string]string `json:",inline" doc:"the rest"`
	Hidden string            `json:"-"`
}

// Piece is a named part of it.
type Piece struct {
	On bool `json:"on"`
}

type failure struct {
	Error string `json:"error"`
}

func about() Info {
	return Info{Title: "T", Version: "1", Tags: []Tag{{Name: "Things", Description: "all"}}, Error: failure{}, Vocabulary: map[string][]string{"fates": {"x", "y"}},
		Headers: map[string]string{"ETag": "tag", "Retry-After": "seconds"}}
}

func TestSchemaOfATypeInBothDirections(t *testing.T) {
	t.Parallel()
	for d, want := range map[direction]string{
		sent: `{"type":"object","properties":{
			"name":{"type":"string","description":"its name","maxLength":9},"id":{"type":"integer","description":"its number","minimum":1},
			"fate":{"type":"string","enum":["x","y"]},"mode":{"type":"string","enum":["a","b"]},"at":{"type":["string","null"],"format":"date-time"},
			"score":{"type":"number","examples":[0.5]},"raw":{},"tags":{"type":"array","maxItems":3,"items":{"type":"string"}},
			"counts":{"type":"object","additionalProperties":{"type":"integer"}},"part":{"anyOf":[{"$ref":"#/components/schemas/OpenapiPiece"},{"type":"null"}]},"level":{}},
			"required":["name","id","fate","at","raw","tags","counts","part"],"additionalProperties":{"type":"string","description":"the rest"}}`,
		received: `{"type":"object","properties":{
			"name":{"type":"string","description":"its name","maxLength":9},"id":{"type":"integer","description":"its number","minimum":1},
			"fate":{"type":"string","enum":["x","y"]},"mode":{"anyOf":[{"type":"string","enum":["a","b"]},{"type":"null"}]},"at":{"type":["string","null"],"format":"date-time"},
			"score":{"type":["number","null"],"examples":[0.5]},"raw":{},"tags":{"type":"array","maxItems":3,"items":{"type":"string"}},
			"counts":{"type":"object","additionalProperties":{"type":"integer"}},"part":{"anyOf":[{"$ref":"#/components/schemas/OpenapiPieceInput"},{"type":"null"}]},
			"level":{"type":["integer","string","null"]}},
			"required":["name","id","fate","at","raw","tags","counts","part"],"additionalProperties":{"type":"string","description":"the rest"}}`,
	} {
		g := newSchemas(about().Vocabulary, nil)
		got, err := render(g.object(reflect.TypeFor[Thing](), d))
		if err != nil {
			t.Fatal(err)
		}
		var wanted bytes.Buffer
		if err := json.Compact(&wanted, []byte(want)); err != nil {
			t.Fatal(err)
		}
		if string(got) != wanted.String() {
			t.Errorf("direction %v:\n%s\nwant\n%s", d, got, wanted.String())
		}
	}
}

func declared(method, path string, parts ...Part) Operation {
	o := Op("Things", method+path, "Do it", "", Gives(200, "done", Piece{}))
	o.Method, o.Path, o.Role = method, path, "viewer"
	o.Add(parts...)
	return o
}

func TestDocumentIsTheSameEachTime(t *testing.T) {
	t.Parallel()
	operations := func() []Operation {
		return []Operation{declared("GET", "/things", Tagged(), Fails(fault.StoreUnavailable)), declared("PUT", "/things/{id}", InPath("id", "which", Whole(1, 9)), Takes(Thing{})),
			declared("POST", "/things", TakesAs(Content{MediaType: JSON, Type: Piece{}, Needs: [][]string{{"on"}, {"a", "b"}}}), Fails(fault.Conflict, fault.AlreadyExists, fault.Conflict))}
	}
	first := New(about(), operations())
	for range 5 {
		if again := New(about(), operations()); !bytes.Equal(first.JSON(), again.JSON()) || first.Guide().Markdown() != again.Guide().Markdown() {
			t.Fatal("equal declarations gave two documents")
		}
	}
	for _, part := range []string{`"304"`, `"$ref": "#/components/headers/Retry-After"`, `"x-mutt-role": "viewer"`, "`conflict`: the change contradicts the present state; `already_exists`",
		`"anyOf": [`, `"required": [`} {
		if !strings.Contains(string(first.JSON()), part) {
			t.Errorf("the document lacks %s", part)
		}
	}
	for _, part := range []string{"`PUT /things/{id}`: Do it. Role: viewer.", "| `id`* | path | integer, 1 to 9 | which |", "needs on, a or b", "409 `conflict`, `already_exists`", "### Type OpenapiThingInput"} {
		if !strings.Contains(first.Guide().Markdown(), part) {
			t.Errorf("the page lacks %s", part)
		}
	}
}

// A declaration that contradicts itself or another stops the first test, with words that say what to do.
func TestContradictionsPanic(t *testing.T) {
	t.Parallel()
	type Error struct { // the name of another type
		On chan int `json:"on"`
	}
	for want, list := range map[string][]Operation{
		"two operations have the id":         {declared("GET", "/things"), declared("GET", "/things")},
		"has no {id}":                        {declared("GET", "/things", InPath("id", "", Text(0)))},
		"a parameter that is not declared":   {declared("GET", "/things/{id}")},
		"is not declared: give its row":      {{Method: "GET", Path: "/things"}},
		"the header Warning has no descript": {declared("GET", "/things", Gives(201, "", nil, "Warning"))},
		"no schema for the type chan int":    {declared("GET", "/things", Takes(Error{}))},
		"one name":                           {declared("GET", "/things", Takes(struct{ A ThingInput }{}), Takes(Thing{}))},
		"GET /things is declared twice":      {declared("GET", "/things"), {Method: "GET", Path: "/things", ID: "b", Tag: "Things", Summary: "b", Answers: []Answer{{Status: 204}}}},
		`the tag min:"one" is no number`: {declared("GET", "/things", Takes(struct {
			A int `json:"a" min:"one"`
		}{}))},
	} {
		func() {
			defer func() {
				if p := recover(); p == nil || !strings.Contains(p.(string), want) {
					t.Errorf("want %q, got %v", want, p)
				}
			}()
			New(about(), list)
		}()
	}
}

// ThingInput has the name that Thing has when it is received.
type ThingInput struct {
	A int `json:"a"`
}
