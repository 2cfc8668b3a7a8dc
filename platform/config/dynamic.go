// Package config holds what an operator can change while MUTT runs: one typed registry of dynamic keys, and
// their present values.
//
// Principles:
//  1. A key is declared once, in Keys: name, type, default, bounds, unit, who reads it. Docs are generated from it.
//  2. Readers take a value without a lock or I/O: a Dynamic is swapped whole.
//  3. A value comes from the store, else from the key's upper-case environment variable, else from its default.
package config

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

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

// Key declares one dynamic key.
type Key struct {
	Name        string
	Type        Type
	Default     any // int64, float64, bool or string
	Min, Max    float64
	Unit        string // "s", "ms", "events", …, "" for none
	Options     []string
	Description string
	Readers     []string // the roles that read it
}

// Env names the variable that gives the initial value.
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

// Takes says which values the key takes.
func (k *Key) Takes() string {
	switch {
	case len(k.Options) > 0:
		return "one of " + strings.Join(k.Options, ", ")
	case k.Type == Int && k.Max > 0:
		return fmt.Sprintf("a whole number from %s to %s", num(k.Min), num(k.Max))
	case k.Type == Float && k.Max > 0:
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
	if s == "" || float64(len(s)) > k.Max || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' }) {
		return nil, k.wrong(s)
	}
	return s, nil
}

// Registry is the set of declared keys.
type Registry struct {
	keys   []Key
	byName map[string]*Key
}

// NewRegistry makes the registry of Keys.
func NewRegistry() *Registry {
	r := &Registry{keys: Keys(), byName: map[string]*Key{}}
	for i := range r.keys {
		r.byName[r.keys[i].Name] = &r.keys[i]
	}
	return r
}

// Keys lists the declared keys in the order of the reference page.
func (r *Registry) Keys() []Key { return r.keys }

// Lookup finds a key; the error is fault.NotFound with the nearest names.
func (r *Registry) Lookup(name string) (*Key, error) {
	if k, ok := r.byName[name]; ok {
		return k, nil
	}
	names := make([]string, len(r.keys))
	for i := range r.keys {
		names[i] = r.keys[i].Name
	}
	e := fault.Field(fault.NotFound, "key", "there is no configuration key %q", name)
	if near := Nearest(name, names); near != "" {
		e = e.WithRemedy("did you mean %s? GET /config lists all keys", near)
	}
	return nil, e
}

// Values are the present values of all keys, never changed once published.
type Values struct {
	Revision int64
	m        map[string]any
}

// Get gives a value; nil for an undeclared key.
func (v *Values) Get(name string) any { return v.m[name] }

// Dynamic gives readers the present values.
type Dynamic struct {
	registry *Registry
	initial  map[string]any // environment, else default
	current  atomic.Pointer[Values]
}

// NewDynamic makes a Dynamic whose values come from getenv (the environment), else the defaults.
// A variable that does not parse is an error: fault.ConfigInvalid naming it.
func NewDynamic(r *Registry, getenv func(string) string) (*Dynamic, error) {
	d := &Dynamic{registry: r, initial: map[string]any{}}
	for i := range r.keys {
		k := &r.keys[i]
		d.initial[k.Name] = k.Default
		text := getenv(k.Env())
		if text == "" {
			continue
		}
		v, err := k.ParseText(text)
		if err != nil {
			return nil, fault.Wrap(fault.ConfigInvalid, err, "the environment variable %s has a bad value", k.Env())
		}
		d.initial[k.Name] = v
	}
	d.current.Store(&Values{m: d.initial})
	return d, nil
}

// Registry gives the declared keys.
func (d *Dynamic) Registry() *Registry { return d.registry }

// Initial gives what a key has until it is set in the store.
func (d *Dynamic) Initial(name string) any { return d.initial[name] }

// Current gives the present values.
func (d *Dynamic) Current() *Values { return d.current.Load() }

// Apply publishes the stored values (JSON texts by key) of a revision. A stored value that this version cannot
// use (undeclared, or out of bounds since an upgrade) is left at its initial value and reported.
func (d *Dynamic) Apply(revision int64, stored map[string]string) (problems []error) {
	m := make(map[string]any, len(d.initial))
	for name, v := range d.initial {
		m[name] = v
	}
	for name, raw := range stored {
		k, err := d.registry.Lookup(name)
		if err == nil {
			var v any
			if v, err = k.Parse(json.RawMessage(raw)); err == nil {
				m[name] = v
				continue
			}
		}
		problems = append(problems, fmt.Errorf("stored value of %s: %w", name, err))
	}
	d.current.Store(&Values{Revision: revision, m: m})
	return problems
}

// Int gives an int key's value. Asking for an undeclared key or another type is a programming error and panics.
func (d *Dynamic) Int(name string) int64 { return d.Current().m[name].(int64) }

// Bool gives a bool key's value.
func (d *Dynamic) Bool(name string) bool { return d.Current().m[name].(bool) }

// Float gives a float key's value.
func (d *Dynamic) Float(name string) float64 { return d.Current().m[name].(float64) }

// String gives a string key's value.
func (d *Dynamic) String(name string) string { return d.Current().m[name].(string) }

// Seconds gives an int key in seconds as a duration.
func (d *Dynamic) Seconds(name string) time.Duration { return time.Duration(d.Int(name)) * time.Second }
