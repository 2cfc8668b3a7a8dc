package openapi

import (
	"encoding/json"
	"fmt"
	"path"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// schemas makes schemas of Go types and gathers the named ones. The tags of a field say what its type does not:
//
//	doc       what it means
//	enum      the words that it may be: a vocabulary's name, or the words themselves with | between them
//	min, max  bounds of a number
//	maxlen    bound of a text in characters, or of a list in elements
//	format    the format of a text: date-time, uuid
//	accepts   in a request: the JSON types that are understood, with commas
//	optional  all, at an embedded type: each of its fields may be absent
//	members   the list of Info.Members that names the known members of a map
//	example   a value to show
type schemas struct {
	vocabulary map[string][]string
	members    map[string]Properties
	named      map[string]*Schema
	owner      map[string]owner
}

// owner is who has a name.
type owner struct {
	t reflect.Type
	d direction
}

func newSchemas(vocabulary map[string][]string, members map[string]Properties) *schemas {
	return &schemas{vocabulary, members, map[string]*Schema{}, map[string]owner{}}
}

// direction is the way that a payload goes. What is received is closed: members that it does not name are refused,
// and null counts as absent where a member is optional. What is sent is open: members may be added.
type direction bool

const (
	sent     direction = false
	received direction = true
)

// of gives the schema of a type.
func (g *schemas) of(t reflect.Type, d direction) *Schema {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return Formatted("date-time")
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8, t.Kind() == reflect.Interface:
		return &Schema{} // raw JSON: anything
	}
	switch t.Kind() {
	case reflect.Pointer:
		return nullable(g.of(t.Elem(), d))
	case reflect.Struct:
		return g.ofStruct(t, d)
	case reflect.Slice:
		return &Schema{Type: Types{"array"}, Items: g.of(t.Elem(), d)}
	case reflect.Map:
		return &Schema{Type: Types{"object"}, Additional: g.of(t.Elem(), d)}
	case reflect.String:
		return Text(0)
	case reflect.Bool:
		return Flag()
	case reflect.Int, reflect.Int64:
		return &Schema{Type: Types{"integer"}}
	case reflect.Float64:
		return &Schema{Type: Types{"number"}}
	default:
		panic(fmt.Sprintf("openapi: no schema for the type %s", t)) // a test makes the whole document
	}
}

// ofStruct gives a reference to a named type, and the schema itself of one without a name.
func (g *schemas) ofStruct(t reflect.Type, d direction) *Schema {
	if t.Name() == "" {
		return g.object(t, d)
	}
	name := nameOf(t, d)
	if other, taken := g.owner[name]; taken && other != (owner{t, d}) {
		panic(fmt.Sprintf("openapi: %s and %s, or its two directions, have one name", t, other.t))
	}
	if _, known := g.named[name]; !known {
		g.owner[name], g.named[name] = owner{t, d}, nil // a type that holds itself ends here
		g.named[name] = g.object(t, d)
	}
	return &Schema{Ref: "#/components/schemas/" + name}
}

// nameOf names a type. Those of apiclient have the API's names; others are led by that of their package. What is
// received is an input, for the same type may be sent in its open form.
func nameOf(t reflect.Type, d direction) string {
	name, pkg := t.Name(), path.Base(t.PkgPath())
	if lead := strings.ToUpper(pkg[:1]) + pkg[1:]; pkg != "apiclient" && !strings.HasPrefix(name, lead) {
		name = lead + name
	}
	if d == received && !strings.HasSuffix(name, "Input") && !strings.HasSuffix(name, "Request") {
		name += "Input"
	}
	return name
}

func (g *schemas) object(t reflect.Type, d direction) *Schema {
	s := &Schema{Type: Types{"object"}}
	if d == received {
		s.Additional = false
	}
	g.fields(s, t, d, false)
	return s
}

// members adds the fields of t, all of them optional when optional is true.
func (g *schemas) fields(s *Schema, t reflect.Type, d direction, optional bool) {
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case name == "-" || !f.IsExported() && !f.Anonymous:
		case options == "inline": // of a map: members of any other name
			more := g.of(f.Type.Elem(), d)
			more.Description = f.Tag.Get("doc")
			s.Additional = more
		case f.Anonymous && name == "":
			g.fields(s, f.Type, d, f.Tag.Get("optional") == "all")
		default:
			optional := optional || strings.Contains(options, "omitempty") || strings.Contains(options, "omitzero")
			s.Properties = append(s.Properties, Property{name, g.member(f, d, optional)})
			if !optional {
				s.Required = append(s.Required, name)
			}
		}
	}
}

func (g *schemas) member(f reflect.StructField, d direction, optional bool) *Schema {
	t := f.Type
	if optional && t.Kind() == reflect.Pointer {
		t = t.Elem() // absent, never null
	}
	s := g.of(t, d)
	if accepts := f.Tag.Get("accepts"); accepts != "" && d == received {
		s = &Schema{Type: strings.Split(accepts, ",")}
	} else {
		g.restrict(s, f.Tag)
	}
	if optional && d == received {
		s = nullable(s)
	}
	s.Description = f.Tag.Get("doc")
	if example := f.Tag.Get("example"); example != "" {
		s.Examples = []any{exampleOf(example)}
	}
	return s
}

// restrict applies the tags that narrow a value.
func (g *schemas) restrict(s *Schema, tag reflect.StructTag) {
	if words := tag.Get("enum"); words != "" {
		list, known := g.vocabulary[words]
		if !known {
			list = strings.Split(words, "|")
		}
		target := s
		if s.Items != nil {
			target = s.Items
		}
		target.Enum = list
	}
	if list := tag.Get("members"); list != "" {
		known, there := g.members[list]
		if !there {
			panic(fmt.Sprintf("openapi: the tag members:%q names no list of Info.Members", list))
		}
		s.Properties = known
	}
	if format := tag.Get("format"); format != "" {
		s.Format = format
	}
	s.Minimum, s.Maximum = bound[int64](tag, "min"), bound[int64](tag, "max")
	switch longest := bound[int](tag, "maxlen"); {
	case s.Items != nil:
		s.MaxItems = longest
	default:
		s.MaxLength = longest
	}
}

func bound[N int | int64](tag reflect.StructTag, name string) *N {
	text, set := tag.Lookup(name)
	if !set {
		return nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		panic(fmt.Sprintf("openapi: the tag %s:%q is no number", name, text))
	}
	out := N(n)
	return &out
}

// exampleOf reads an example as JSON when it is some, else as a text.
func exampleOf(text string) any {
	if json.Valid([]byte(text)) {
		return json.RawMessage(text)
	}
	return text
}
