package config

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/muttproject/mutt/platform/fault"
)

// Type is the type of a dynamic value.
type Type string

// The types.
const (
	Int    Type = "int"
	Float  Type = "float"
	Bool   Type = "bool"
	String Type = "string"
)

// Key describes one dynamic key as it was declared. Default and every value of the key have the Go type of its Type:
// int64, float64, bool or string.
type Key struct {
	Name        string
	Type        Type
	Default     any
	Min, Max    float64 // of numbers; Max of a text is its greatest length in bytes
	Unit        string  // "s", "ms", "events", …, "" for none
	Options     []string
	Description string
	Readers     []string // the roles that read it

	index int // its place in the registry and in Values
}

// Env returns the name of the variable that sets the initial value.
func (k *Key) Env() string { return strings.ToUpper(k.Name) }

// Parse reads a JSON value of the key's type and checks its bounds. Errors are fault.Unprocessable on field "value".
func (k *Key) Parse(raw json.RawMessage) (any, error) {
	var v any
	dec := json.NewDecoder(strings.NewReader(string(raw)))
	dec.UseNumber()
	if err := dec.Decode(&v); err != nil {
		return nil, fault.Field(fault.BadRequest, "value", "is not valid JSON")
	}
	return k.check(v)
}

// ParseText reads a value as a person or an environment variable writes it.
func (k *Key) ParseText(s string) (any, error) {
	s = strings.TrimSpace(s)
	switch k.Type {
	case String:
		return k.check(s)
	case Bool:
		b, err := strconv.ParseBool(strings.ToLower(s))
		if err != nil {
			return nil, k.wrong(s)
		}
		return b, nil
	default:
		return k.check(json.Number(s))
	}
}

func (k *Key) check(v any) (any, error) {
	switch k.Type {
	case Bool:
		if b, ok := v.(bool); ok {
			return b, nil
		}
	case String:
		if s, ok := v.(string); ok {
			return k.checkString(s)
		}
	case Int:
		if n, ok := v.(json.Number); ok {
			if i, err := n.Int64(); err == nil {
				return i, k.checkBounds(float64(i))
			}
		}
	case Float:
		if n, ok := v.(json.Number); ok {
			if f, err := n.Float64(); err == nil && !math.IsNaN(f) {
				return f, k.checkBounds(f)
			}
		}
	}
	return nil, k.wrong(v)
}

func (k *Key) wrong(v any) error {
	return fault.Field(fault.Unprocessable, "value", "%s takes %s, not %q", k.Name, k.Takes(), fmt.Sprint(v))
}

// Takes describes the values that the key accepts; it completes the sentence "it takes …".
func (k *Key) Takes() string {
	switch {
	case len(k.Options) > 0:
		return "one of " + strings.Join(k.Options, ", ")
	case k.Type == Int:
		return fmt.Sprintf("a whole number from %s to %s", num(k.Min), num(k.Max))
	case k.Type == Float:
		return fmt.Sprintf("a number from %s to %s", num(k.Min), num(k.Max))
	case k.Type == Bool:
		return "true or false"
	default:
		return "a text of at most " + num(k.Max) + " characters"
	}
}

func num(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

func (k *Key) checkBounds(f float64) error {
	if f < k.Min || f > k.Max {
		return fault.Field(fault.Unprocessable, "value", "%s is out of bounds: it takes %s", num(f), k.Takes())
	}
	return nil
}

func (k *Key) checkString(s string) (any, error) {
	if len(k.Options) > 0 {
		if i := slices.IndexFunc(k.Options, func(o string) bool { return strings.EqualFold(o, s) }); i >= 0 {
			return k.Options[i], nil
		}
		return nil, k.wrong(s)
	}
	if strings.TrimSpace(s) == "" || float64(len(s)) > k.Max || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' }) {
		return nil, k.wrong(s)
	}
	return s, nil
}
