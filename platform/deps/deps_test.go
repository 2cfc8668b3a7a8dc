package deps_test

import (
	"strings"
	"testing"

	"github.com/muttproject/mutt/platform/deps"
)

type talker interface{ talk() }

type person struct{}

func (*person) talk() {}

type handle struct{ declared bool }

func (h handle) Undeclared() bool { return !h.declared }

type handles struct {
	Inner struct{ One handle }
	Two   handle
}

type parts struct {
	Handles handles
	Name    string
	Talker  talker
	Person  *person
	Call    func()
	Table   map[string]int
	List    []int
	signal  chan int
}

func complete() parts {
	var h handles
	h.Inner.One.declared, h.Two.declared = true, true
	return parts{Handles: h, Talker: &person{}, Person: &person{}, Call: func() {}, Table: map[string]int{}, List: []int{}, signal: make(chan int)}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	if p := complete(); deps.Check(p) != nil || deps.Check(&p) != nil {
		t.Errorf("complete parts: %v", deps.Check(p))
	}
	for name, take := range map[string]func(*parts){
		"Talker": func(p *parts) { p.Talker = nil }, "Person": func(p *parts) { p.Person = nil }, "Call": func(p *parts) { p.Call = nil },
		"Table": func(p *parts) { p.Table = nil }, "List": func(p *parts) { p.List = nil }, "Handles": func(p *parts) { p.Handles.Inner.One.declared = false }, "signal": func(p *parts) { p.signal = nil },
	} {
		p := complete()
		take(&p)
		if err := deps.Check(p); err == nil || err.Error() != "deps_test.parts."+name+" is missing" {
			t.Errorf("without %s: %v", name, err)
		}
	}
	p := complete()
	p.Talker = (*person)(nil)
	if deps.Check(p) == nil {
		t.Error("a nil pointer in an interface is a missing dependency")
	}
	if err := deps.Check(p, "Talker"); err != nil {
		t.Errorf("a setting may be nil: %v", err)
	}
	if err := deps.Check(parts{}); strings.Count(err.Error(), "is missing") != 7 {
		t.Errorf("all that is missing is named: %v", err)
	}
}

func TestMust(t *testing.T) {
	t.Parallel()
	deps.Must(complete())
	defer func() {
		if recover() == nil {
			t.Error("Must accepted empty parts")
		}
	}()
	deps.Must(parts{})
}
