// Package config holds what an operator can change while MUTT runs: the dynamic keys and the values in force.
//
// Principles:
//  1. A key is declared once, by its owner, beside the code that uses it: name, default, bounds, unit, meaning. The API,
//     the completion of commands and the reference page come from the declarations.
//  2. An owner reads its keys by typed handles, without a lock or I/O: the values in force are swapped whole.
//  3. A value comes from the store, else from the key's upper-case environment variable, else from its default.
//  4. A stored text is parsed once, when it comes into force.
package config

import (
	"encoding/json"
	"fmt"

	"github.com/muttproject/mutt/platform/fault"
)

// Values are the values in force of all keys, never changed once published.
type Values struct {
	Revision int64
	list     []any    // by the index of the key
	texts    []string // the stored JSON that a value was parsed from, "" where it is the initial one
}

// Of returns the value of a key.
func (v *Values) Of(k *Key) any { return v.list[k.index] }

// Dynamic keeps the values in force of a registry's keys.
type Dynamic struct {
	registry *Registry
	initial  []any // environment, else default
}

// NewDynamic brings the initial values of r's keys into force: those of getenv (the environment), else the defaults.
// A variable that does not parse is an error: fault.ConfigInvalid naming it.
func NewDynamic(r *Registry, getenv func(string) string) (*Dynamic, error) {
	d := &Dynamic{registry: r, initial: make([]any, len(r.keys))}
	for i, k := range r.keys {
		d.initial[i] = k.Default
		text := getenv(k.Env())
		if text == "" {
			continue
		}
		v, err := k.ParseText(text)
		if err != nil {
			return nil, fault.Wrap(fault.ConfigInvalid, err, "the environment variable %s has a bad value", k.Env())
		}
		d.initial[i] = v
	}
	r.current.Store(&Values{list: d.initial, texts: make([]string, len(r.keys))})
	return d, nil
}

// Registry returns the declared keys.
func (d *Dynamic) Registry() *Registry { return d.registry }

// Initial returns the value that a key has until it is set in the store.
func (d *Dynamic) Initial(k *Key) any { return d.initial[k.index] }

// Current returns the values in force.
func (d *Dynamic) Current() *Values { return d.registry.current.Load() }

// Apply publishes the stored values (JSON texts by key) of a revision. A stored value that this version cannot
// use (undeclared, or out of bounds since an upgrade) is left at its initial value and reported. A text that is in force
// already is not parsed again. Apply must not run twice at once.
func (d *Dynamic) Apply(revision int64, stored map[string]string) (problems []error) {
	before := d.Current()
	next := &Values{Revision: revision, list: make([]any, len(d.initial)), texts: make([]string, len(d.initial))}
	copy(next.list, d.initial)
	for name, text := range stored {
		k, err := d.registry.Lookup(name)
		if err != nil {
			problems = append(problems, fmt.Errorf("stored value of %s: %w", name, err))
			continue
		}
		v := before.list[k.index]
		if before.texts[k.index] != text {
			if v, err = k.Parse(json.RawMessage(text)); err != nil {
				problems = append(problems, fmt.Errorf("stored value of %s: %w", name, err))
				continue
			}
		}
		next.list[k.index], next.texts[k.index] = v, text
	}
	d.registry.current.Store(next)
	return problems
}
