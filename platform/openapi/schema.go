package openapi

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// Schema is the part of JSON Schema 2020-12 that MUTT's payloads need.
type Schema struct {
	Ref         string     `json:"$ref,omitempty"`
	Type        Types      `json:"type,omitempty"`
	Format      string     `json:"format,omitempty"`
	Description string     `json:"description,omitempty"`
	Enum        []string   `json:"enum,omitempty"`
	Default     any        `json:"default,omitempty"`
	Minimum     *int64     `json:"minimum,omitempty"`
	Maximum     *int64     `json:"maximum,omitempty"`
	MinLength   *int       `json:"minLength,omitempty"`
	MaxLength   *int       `json:"maxLength,omitempty"`
	Pattern     string     `json:"pattern,omitempty"`
	MaxItems    *int       `json:"maxItems,omitempty"`
	Items       *Schema    `json:"items,omitempty"`
	Properties  Properties `json:"properties,omitempty"`
	Required    []string   `json:"required,omitempty"`
	// Additional is what members that Properties does not name may be: nil for anything, false for none.
	Additional any       `json:"additionalProperties,omitempty"`
	AllOf      []*Schema `json:"allOf,omitempty"`
	AnyOf      []*Schema `json:"anyOf,omitempty"`
	OneOf      []*Schema `json:"oneOf,omitempty"`
	Examples   []any     `json:"examples,omitempty"`
}

// Types is what a value may be; it is written as one name when it holds one.
type Types []string

// MarshalJSON writes a name, or a list of them.
func (t Types) MarshalJSON() ([]byte, error) {
	if len(t) == 1 {
		return json.Marshal(t[0])
	}
	return json.Marshal([]string(t))
}

// Property is a member of an object.
type Property struct {
	Name string
	*Schema
}

// Properties are the members of an object, in the order of the answer.
type Properties []Property

// MarshalJSON writes an object in that order.
func (p Properties) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range p {
		if i > 0 {
			b.WriteByte(',')
		}
		name, err := json.Marshal(m.Name)
		if err != nil {
			return nil, fmt.Errorf("write the name of a member: %w", err)
		}
		value, err := render(m.Schema)
		if err != nil {
			return nil, fmt.Errorf("write the schema of %s: %w", m.Name, err)
		}
		b.Write(name)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// render writes JSON in which <, > and & stand as they are.
func render(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}

// Text is any text; a positive longest bounds it, in characters.
func Text(longest int) *Schema {
	s := &Schema{Type: Types{"string"}}
	if longest > 0 {
		s.MaxLength = &longest
	}
	return s
}

// OneOf is a text that is one of words.
func OneOf(words ...string) *Schema { return &Schema{Type: Types{"string"}, Enum: words} }

// Whole is a whole number from least to most.
func Whole(least, most int64) *Schema {
	return &Schema{Type: Types{"integer"}, Minimum: &least, Maximum: &most}
}

// Flag is true or false.
func Flag() *Schema { return &Schema{Type: Types{"boolean"}} }

// Formatted is a text of a format of OpenAPI's registry.
func Formatted(format string) *Schema { return &Schema{Type: Types{"string"}, Format: format} }

// WithDefault says what an absent value counts as.
func (s *Schema) WithDefault(v any) *Schema { s.Default = v; return s }

// WithExample adds an example.
func (s *Schema) WithExample(v any) *Schema { s.Examples = append(s.Examples, v); return s }

// WithPattern says which form a text has.
func (s *Schema) WithPattern(p string) *Schema { s.Pattern = p; return s }

// nullable is s or null.
func nullable(s *Schema) *Schema {
	if s.Ref != "" {
		return &Schema{AnyOf: []*Schema{s, {Type: Types{"null"}}}}
	}
	if len(s.Type) == 0 {
		return s // anything, null included
	}
	s.Type = append(s.Type, "null")
	if len(s.Enum) > 0 { // an enumeration must name null as well
		return &Schema{Description: s.Description, AnyOf: []*Schema{{Type: Types{"string"}, Enum: s.Enum}, {Type: Types{"null"}}}}
	}
	return s
}
