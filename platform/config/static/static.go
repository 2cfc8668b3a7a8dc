// Package static reads the settings that a process takes at its start: one YAML file, the environment and flags.
//
// Principles:
//  1. A setting is declared once: path, variables, flag, default, what it takes, and the field that it fills.
//     Reference page, sample file, completion and 'mutt config print' come from that table.
//  2. Later layers rule: default < file < environment < flag. The source of each value is kept.
//  3. Nothing is guessed. An unknown key, a repeated key, a bad value is a problem with its place and the nearest
//     valid name; all problems are reported at once.
//  4. A secret stands in the environment or in a file of its own, never in the YAML file or on a command line.
package static

import (
	"cmp"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/muttproject/mutt/platform/config"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/secret"
)

// Setting declares one setting and holds where its value goes.
type Setting struct {
	Path      string // in the file and of --set: "queue.partitions"; of a secret, the path of its file's name
	Default   string // "" for none
	Example   string // for the sample file when there is no default
	Flag      string // its own flag, "" when --set is enough
	Variables []Variable
	Readers   []string // roles that read it; nil for all
	Live      bool     // a reload brings it into force
	About     string
	Value     Value
	// Derive returns what takes the place of Default when nothing gives the setting, and why; "" keeps Default. It is asked when
	// everything that was given is in its fields.
	Derive func() (text, because string)
}

// Variable is an environment variable that gives the setting. Of several that are set the last one rules.
type Variable struct {
	Name  string
	About string // beside what the setting says; "" for nothing
	Value *Value // sets a part of the setting; nil for the whole
	Link  bool   // takes tcp://10.0.0.1:6379 too, which Kubernetes injects for a service
}

// Kind says which layer gave a value.
type Kind string

// The layers, in rising precedence.
const (
	Default     Kind = "default"
	File        Kind = "file"
	Environment Kind = "environment"
	Flag        Kind = "flag"
)

// Source says where a value came from.
type Source struct {
	Kind         Kind
	Name         string // of the file, variable or flag; of a default that was derived, why
	Line, Column int    // in the file, from 1; 0 when unknown
	Ref          string // the file that a secret was read from
}

// String is what 'mutt config print' shows: "default", "default: a certificate is configured", "mutt.yaml:3",
// "environment REDIS_HOST", "flag --set".
func (s Source) String() string {
	switch s.Kind {
	case File:
		return fmt.Sprintf("%s:%d", s.Name, s.Line)
	case Environment, Flag:
		return string(s.Kind) + " " + s.Name
	default:
		if s.Name != "" {
			return string(Default) + ": " + s.Name
		}
		return string(Default)
	}
}

// Given is one value as it was found.
type Given struct {
	Path   string
	Text   string // of a list: its items, separated by commas, or EmptyList
	Source Source
	part   *Value // what a Variable sets instead of the whole
}

// Problem is one thing that is wrong.
type Problem struct {
	File    string `json:"file,omitempty"`
	Line    int    `json:"line,omitempty"`
	Column  int    `json:"column,omitempty"`
	Name    string `json:"name,omitempty"` // the key, variable or flag
	Message string `json:"message"`
	Nearest string `json:"nearest,omitempty"` // valid name
}

// String gives the problem in the form that editors read: file:line:column: what.
func (p Problem) String() string {
	var b strings.Builder
	if p.File != "" {
		fmt.Fprintf(&b, "%s:%d:%d: ", p.File, p.Line, p.Column)
	}
	b.WriteString(strings.TrimSpace(p.Name + " " + p.Message))
	if p.Nearest != "" {
		b.WriteString("; did you mean " + p.Nearest + "?")
	}
	return b.String()
}

// Err gives the problems as one fault.ConfigInvalid; nil when there are none.
func Err(problems []Problem) error {
	if len(problems) == 0 {
		return nil
	}
	texts := make([]string, len(problems))
	for i, p := range problems {
		texts[i] = p.String()
	}
	return fault.New(fault.ConfigInvalid, "%s", strings.Join(texts, "; "))
}

// Resolve fills the settings with their defaults and then with what was given, whose order is its precedence.
// open reads the files of secrets; nil leaves them unread. A value with a problem changes nothing.
func Resolve(table []Setting, given []Given, open func(name string) ([]byte, error)) (map[string]Source, []Problem) {
	sources, problems := make(map[string]Source, len(table)), []Problem(nil)
	byPath := make(map[string]*Setting, len(table))
	flagged := map[string]string{} // paths that a flag gave, with its name
	for i := range table {
		s := &table[i]
		byPath[s.Path], sources[s.Path] = s, Source{Kind: Default}
		if s.Default == "" {
			continue
		}
		if err := s.Value.Set(s.Default); err != nil {
			problems = append(problems, Problem{Name: s.Path, Message: "has a default that it does not take: " + err.Error()})
		}
	}
	for _, g := range given {
		s, known := byPath[g.Path]
		if !known {
			problems = append(problems, problemAt(g.Source, g.Path, "is not a setting", nearestPath(g.Path, table)))
			continue
		}
		if first, twice := flagged[g.Path]; twice && g.Source.Kind == Flag {
			problems = append(problems, problemAt(g.Source, g.Path, "is given twice, first by "+first, ""))
			continue
		}
		if g.Source.Kind == Flag {
			flagged[g.Path] = g.Source.Name
		}
		if err := s.take(&g, open); err != nil {
			problems = append(problems, problemAt(g.Source, g.Path, err.Error(), ""))
			continue
		}
		sources[s.Path] = g.Source
	}
	for i := range table {
		s := &table[i]
		if s.Derive == nil || sources[s.Path].Kind != Default {
			continue
		}
		text, because := s.Derive()
		if text == "" {
			continue
		}
		if err := s.Value.Set(text); err != nil {
			problems = append(problems, Problem{Name: s.Path, Message: "has a default that it does not take: " + err.Error()})
		}
		sources[s.Path] = Source{Kind: Default, Name: because}
	}
	return sources, problems
}

// take sets the value, and notes in g the file that a secret was read from.
func (s *Setting) take(g *Given, open func(name string) ([]byte, error)) error {
	switch {
	case strings.TrimSpace(g.Text) == "" || g.Text == EmptyList && s.Value.list() && !s.Value.empty:
		return fmt.Errorf("has no value: give one, or remove it for the default")
	case !printable(g.Text) && !s.Value.Secret():
		return fmt.Errorf("has a character that cannot be printed")
	case g.part != nil:
		return g.part.Set(g.Text)
	case s.Value.Secret() && g.Source.Kind != Environment:
		g.Source.Ref = g.Text
		return s.Value.setFromFile(g.Text, open)
	default:
		return s.Value.Set(g.Text)
	}
}

func printable(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) })
}

// problemAt makes a problem of something at a place. It is named as its writer knows it: key, variable or flag.
func problemAt(at Source, path, message, nearest string) Problem {
	p := Problem{Name: path, Message: message, Nearest: nearest}
	switch at.Kind {
	case File:
		p.File, p.Line, p.Column = at.Name, at.Line, at.Column
	case Environment:
		p.Name = at.Name
	case Flag:
		p.Name = at.Name
		if at.Name == SetFlag {
			p.Name += " " + path
		}
	}
	return p
}

// nearestPath finds the setting that was meant: the file of what was given as a text, one in another section, else the
// one that is written most alike.
func nearestPath(path string, table []Setting) string {
	last := path[strings.LastIndexByte(path, '.')+1:]
	near, paths := "", make([]string, 0, len(table))
	for _, s := range table {
		switch {
		case s.Path == path+"_file":
			return s.Path
		case near == "" && (strings.HasSuffix(s.Path, "."+last) || s.Path == last):
			near = s.Path
		}
		paths = append(paths, s.Path)
	}
	return cmp.Or(near, config.Nearest(path, paths))
}

// Shown returns the value as it may be shown: a secret as the name of its file, or redacted.
func (s *Setting) Shown(from Source) any {
	switch {
	case s.Value.shown != nil:
		return s.Value.shown()
	case !s.Value.Secret():
		return s.Value.Get()
	case from.Ref != "":
		return from.Ref
	case from.Kind == Default:
		return ""
	default:
		return secret.Redacted
	}
}
