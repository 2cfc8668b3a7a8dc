// Package deps checks that a part of the program was given everything that it works with.
//
// Principles:
//  1. What is optional is never silently absent. A constructor refuses a missing dependency by its name, a logger, a clock and a
//     registerer of metrics included; its caller passes a no-op where it wants none.
//  2. A part that works without a dependency has a type or a documented default for that, set before the check. Nil is not one.
//  3. A missing dependency is a mistake in the code that wires the part, not in an operator's input.
package deps

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
)

// Handle is a dependency that is a value and not a pointer, such as the handle of a dynamic key.
type Handle interface {
	// Undeclared reports whether the handle stands for nothing.
	Undeclared() bool
}

// Check reports each dependency that is missing from a struct: fields that can be nil and are, interfaces that hold a nil
// pointer, and structs with an undeclared Handle. Fields of other kinds are settings, which their owner validates; so are those
// that settings names, whose nil means something.
func Check(d any, settings ...string) error {
	v := reflect.Indirect(reflect.ValueOf(d))
	var errs []error
	for i := range v.NumField() {
		if name := v.Type().Field(i).Name; missing(v.Field(i)) && !slices.Contains(settings, name) {
			errs = append(errs, fmt.Errorf("%s.%s is missing", v.Type(), name))
		}
	}
	return errors.Join(errs...)
}

// Must is Check for a constructor that returns no error: it panics.
func Must(d any, settings ...string) {
	if err := Check(d, settings...); err != nil {
		panic(err)
	}
}

func missing(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Interface:
		return v.IsNil() || missing(v.Elem())
	case reflect.Pointer, reflect.Func, reflect.Map, reflect.Chan, reflect.Slice:
		return v.IsNil()
	case reflect.Struct:
		if !v.CanInterface() {
			return false
		}
		if h, ok := v.Interface().(Handle); ok {
			return h.Undeclared()
		}
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() && v.Field(i).Kind() == reflect.Struct && missing(v.Field(i)) {
				return true
			}
		}
	}
	return false
}
