// Package depstest holds constructors to their dependencies. It is imported by tests only.
package depstest

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/muttproject/mutt/platform/deps"
)

// Refuses takes each dependency in turn away from complete ones and expects that build refuses by name what is missing, with an
// error or a panic. settings are the fields whose nil means something.
func Refuses[D any](t *testing.T, complete D, build func(D) error, settings ...string) {
	t.Helper()
	if err := deps.Check(complete, settings...); err != nil {
		t.Fatalf("the test's own dependencies are not complete: %v", err)
	}
	n := 0
	for i := range reflect.TypeFor[D]().NumField() {
		lacking := complete
		reflect.ValueOf(&lacking).Elem().Field(i).SetZero()
		if deps.Check(lacking, settings...) == nil {
			continue // not a dependency
		}
		n++
		name := reflect.TypeFor[D]().Field(i).Name
		if err := attempt(lacking, build); err == nil || !strings.Contains(err.Error(), name+" is missing") {
			t.Errorf("without %s: %v", name, err)
		}
	}
	if n == 0 {
		t.Errorf("%T has no dependencies", complete)
	}
}

func attempt[D any](d D, build func(D) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return build(d)
}
