package config

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/muttproject/mutt/platform/fault"
)

// Registry collects the keys that their owners declare. It is complete before NewDynamic is called, and does not change
// afterwards.
type Registry struct {
	keys    []*Key
	byName  map[string]*Key
	current atomic.Pointer[Values] // read by the handles; nil until NewDynamic
}

// NewRegistry returns an empty Registry.
func NewRegistry() *Registry { return &Registry{byName: map[string]*Key{}} }

// Keys lists the declared keys in the order of their declaration, which is that of the reference page.
func (r *Registry) Keys() []*Key { return r.keys }

// Lookup finds a key; the error is fault.NotFound with the nearest names.
func (r *Registry) Lookup(name string) (*Key, error) {
	if k, ok := r.byName[name]; ok {
		return k, nil
	}
	names := make([]string, len(r.keys))
	for i, k := range r.keys {
		names[i] = k.Name
	}
	e := fault.Field(fault.NotFound, "key", "there is no configuration key %q", name)
	if near := Nearest(name, names); near != "" {
		e = e.WithRemedy("did you mean %s?", near)
	}
	return nil, e
}

// ReadBy returns a Declarer for keys that these roles read.
func (r *Registry) ReadBy(roles ...string) Declarer { return Declarer{registry: r, readers: roles} }

// Declarer declares keys. Each of its methods takes one row and returns the handle by which the owner reads the value.
// A name that is declared twice is a programming error and panics.
type Declarer struct {
	registry *Registry
	readers  []string
}

// Whole is the row of a key that holds a whole number.
type Whole struct {
	Name              string
	Default, Min, Max int64
	Unit, About       string
}

// Number is the row of a key that holds any number.
type Number struct {
	Name              string
	Default, Min, Max float64
	Unit, About       string
}

// Switch is the row of a key that is on or off.
type Switch struct {
	Name    string
	Default bool
	About   string
}

// Text is the row of a key that holds a text of at most Longest bytes, or one of Options.
type Text struct {
	Name, Default string
	Longest       int
	Options       []string
	About         string
}

// Whole declares a key of whole numbers.
func (d Declarer) Whole(w Whole) Value[int64] {
	return declare[int64](d, Key{Name: w.Name, Type: Int, Default: w.Default, Min: float64(w.Min), Max: float64(w.Max), Unit: w.Unit, Description: w.About})
}

// Number declares a key of numbers.
func (d Declarer) Number(n Number) Value[float64] {
	return declare[float64](d, Key{Name: n.Name, Type: Float, Default: n.Default, Min: n.Min, Max: n.Max, Unit: n.Unit, Description: n.About})
}

// Switch declares a key that is on or off.
func (d Declarer) Switch(s Switch) Value[bool] {
	return declare[bool](d, Key{Name: s.Name, Type: Bool, Default: s.Default, Description: s.About})
}

// Text declares a key of texts.
func (d Declarer) Text(t Text) Value[string] {
	return declare[string](d, Key{Name: t.Name, Type: String, Default: t.Default, Max: float64(t.Longest), Options: t.Options, Description: t.About})
}

func declare[T scalar](d Declarer, k Key) Value[T] {
	r := d.registry
	if r.byName[k.Name] != nil {
		panic("config: the key " + k.Name + " is declared twice")
	}
	k.Readers, k.index = slices.Clone(d.readers), len(r.keys)
	r.keys, r.byName[k.Name] = append(r.keys, &k), &k
	return Value[T]{&k, &r.current}
}

// scalar are the Go types of values.
type scalar interface {
	int64 | float64 | bool | string
}

// Value is the handle of one key. The zero Value belongs to no key and must not be read.
type Value[T scalar] struct {
	key     *Key
	current *atomic.Pointer[Values]
}

// Get returns the value in force, without a lock or I/O.
func (v Value[T]) Get() T { return v.current.Load().list[v.key.index].(T) }

// Undeclared reports whether v is the zero Value.
func (v Value[T]) Undeclared() bool { return v.key == nil }

// Name returns the name of the key.
func (v Value[T]) Name() string { return v.key.Name }

// Duration is the handle of a key that counts hours, seconds or milliseconds.
type Duration struct {
	whole  Value[int64]
	number Value[float64] // read when whole is the zero Value
	unit   time.Duration
}

// Get returns the value in force, without a lock or I/O.
func (d Duration) Get() time.Duration {
	if !d.whole.Undeclared() {
		return time.Duration(d.whole.Get()) * d.unit
	}
	return time.Duration(d.number.Get() * float64(d.unit))
}

// Undeclared reports whether d is the zero Duration.
func (d Duration) Undeclared() bool { return d.whole.Undeclared() && d.number.Undeclared() }

// DurationOf reads a key as a duration, by its unit: h, s or ms. Another unit is a programming error and panics.
func DurationOf[T int64 | float64](v Value[T]) Duration {
	unit, ok := map[string]time.Duration{"h": time.Hour, "s": time.Second, "ms": time.Millisecond}[v.key.Unit]
	if !ok {
		panic("config: " + v.key.Name + " has the unit " + v.key.Unit + ", which is not one of time")
	}
	d := Duration{unit: unit}
	switch v := any(v).(type) {
	case Value[int64]:
		d.whole = v
	case Value[float64]:
		d.number = v
	}
	return d
}
