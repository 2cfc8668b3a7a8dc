package rule

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/muttproject/mutt/platform/fault"
)

// fileVersion is the version of the rule file format.
const fileVersion = 1

// ParseFile reads a rule file: YAML (or JSON, which is YAML) with "version: 1" and a list "rules", whose
// entries have the fields of the API and a unique name. The rules are returned normalised and valid. Every fault
// is reported, with file, line and, for an unknown key, the nearest known one. Examples are not run: see
// CheckExamples.
func ParseFile(name string, data []byte) ([]Rule, error) {
	p := newFileParser(name, data)
	top, err := p.read(data, "want \"version: 1\" and \"rules:\" at the top of the file")
	if err != nil {
		return nil, err
	}
	p.document(top)
	if err := p.report(); err != nil {
		return nil, err
	}
	return p.rules, nil
}

func newFileParser(name string, data []byte) *fileParser {
	return &fileParser{file: name, json: json.Valid(bytes.TrimPrefix(data, []byte("\ufeff"))), names: map[string]int{}}
}

// read returns the mapping that the file consists of. want completes the sentence when it is something else.
func (p *fileParser) read(data []byte, want string) (*yaml.Node, error) {
	if p.json {
		data = yamlOfJSON(data)
	}
	d := yaml.NewDecoder(bytes.NewReader(data))
	var doc, more yaml.Node
	if err := d.Decode(&doc); err != nil && !errors.Is(err, io.EOF) {
		return nil, fault.New(fault.Unprocessable, "%s: %s", p.file, strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if len(doc.Content) == 0 {
		p.fail(1, "", "the file is empty: %s", want)
		return nil, p.report()
	}
	top := resolve(doc.Content[0])
	if top.Kind != yaml.MappingNode {
		p.fail(max(top.Line, 1), "", "%s", want)
	} else if err := d.Decode(&more); !errors.Is(err, io.EOF) {
		p.fail(max(more.Line, 1), "", "the file has a second document: put everything into the first")
	}
	return top, p.report()
}

// yamlOfJSON rewrites what YAML reads in another way than JSON: the escape of a slash, pairs of escapes for one character
// beyond U+FFFF, and characters in texts that YAML refuses or takes for line breaks. Lines stay where they are.
func yamlOfJSON(data []byte) []byte {
	differs := regexp.MustCompile(`\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\.|[\x{7f}-\x{9f}\x{2028}\x{2029}\x{feff}\x{fffe}\x{ffff}]`)
	return differs.ReplaceAllFunc(bytes.TrimPrefix(data, []byte("\ufeff")), func(found []byte) []byte {
		switch {
		case found[0] != '\\':
			r, _ := utf8.DecodeRune(found)
			return fmt.Appendf(nil, `\u%04x`, r)
		case string(found) == `\/`:
			return found[1:]
		case len(found) == 2:
			return found
		}
		high, _ := strconv.ParseUint(string(found[2:6]), 16, 16) // digits, as the expression says
		low, _ := strconv.ParseUint(string(found[8:12]), 16, 16)
		return utf8.AppendRune(nil, utf16.DecodeRune(rune(high), rune(low)))
	})
}

type fileParser struct {
	file   string
	json   bool           // the file is JSON, whose types count
	names  map[string]int // name to the line of its rule
	values int            // texts of examples so far
	steps  int            // of the expressions so far
	rules  []Rule
	errs   []lineFault
}

type lineFault struct {
	line int
	err  *fault.Error
}

func (p *fileParser) fail(line int, field, format string, args ...any) {
	message := fmt.Sprintf(format, args...)
	p.errs = append(p.errs, lineFault{line, fault.Field(fault.Unprocessable, field, "%s:%d: %s", p.file, line, message)})
}

// report joins what was found, in the order of the lines.
func (p *fileParser) report() error {
	slices.SortFunc(p.errs, func(a, b lineFault) int {
		return cmp.Or(cmp.Compare(a.line, b.line), cmp.Compare(a.err.Field, b.err.Field))
	})
	errs := make([]error, len(p.errs))
	for i, e := range p.errs {
		errs[i] = e.err
	}
	return errors.Join(errs...)
}

func (p *fileParser) document(n *yaml.Node) {
	top := p.mapping(n)
	version, hasVersion := top["version"]
	switch {
	case !hasVersion:
		p.fail(n.Line, "version", "version is missing: begin the file with \"version: 1\"")
	case version.value.Value != fmt.Sprint(fileVersion):
		p.fail(version.line, "version", "version %q is not known: this MUTT reads version %d", cut(version.value.Value, 20), fileVersion)
	}
	rules, hasRules := top["rules"]
	if !hasRules {
		p.fail(n.Line, "rules", "rules is missing: want a list of rules (it may be empty: [])")
	}
	for key, e := range top {
		if key != "version" && key != "rules" {
			p.fail(e.line, cut(key, 60), "unknown key %q%s: the file has version and rules", cut(key, 60), didYouMean(key, []string{"version", "rules"}))
		}
	}
	if !hasRules {
		return
	}
	if rules.value.Kind != yaml.SequenceNode {
		p.fail(rules.line, "rules", "rules wants a list")
		return
	}
	for i, item := range rules.value.Content {
		p.rule(i, resolve(item))
		if p.steps > MaxSteps {
			p.fail(item.Line, "rules", "%s", tooManySteps)
			return
		}
	}
}

func (p *fileParser) rule(i int, n *yaml.Node) {
	where := fmt.Sprintf("rules[%d]", i)
	if n.Kind != yaml.MappingNode {
		p.fail(n.Line, where, "a rule is a mapping, such as \"- name: link down\"")
		return
	}
	before := len(p.errs)
	entries, fields := p.mapping(n), ruleFields()
	r := blank()
	for key, e := range entries {
		f, known := findField(fields, key)
		if !known {
			p.fail(e.line, where+"."+cut(key, 60), "unknown key %q%s", cut(key, 60), didYouMean(key, fieldNames(fields)))
			continue
		}
		raw, err := p.value(f, e.value)
		if err == nil {
			err = f.input(&r, raw)
		}
		p.found(where, e.line, n.Line, entries, err)
	}
	r.Name = strings.TrimSpace(r.Name)
	if r.Name == "" {
		p.fail(n.Line, where+".name", "a rule in a file needs a name: it is the rule's identity at the next import")
	} else if line, twice := p.names[r.Name]; twice {
		p.fail(n.Line, where+".name", "the name %q is taken by the rule in line %d", cut(r.Name, 80), line)
	} else {
		p.names[r.Name] = n.Line
	}
	r.Normalize()
	if p.steps += r.steps(); len(p.errs) == before && p.steps <= MaxSteps {
		p.found(where, 0, n.Line, entries, r.Validate())
	}
	p.rules = append(p.rules, r)
}

// found reports the faults of err with the line of their field: line when it is known, else the field's in
// entries, else the rule's.
func (p *fileParser) found(where string, line, ruleLine int, entries map[string]entry, err error) {
	for _, f := range Faults(err) {
		at := ruleLine
		if e, ok := entries[f.Field]; ok {
			at = e.line
		} else if line > 0 {
			at = line
		}
		p.fail(at, strings.TrimPrefix(where+"."+f.Field, "."), "%s: %s", f.Field, f.Message)
	}
}

// entry is one key of a mapping.
type entry struct {
	line  int
	value *yaml.Node
}

// mapping reads a mapping without repeated keys.
func (p *fileParser) mapping(n *yaml.Node) map[string]entry {
	m := make(map[string]entry, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if first, twice := m[key.Value]; twice {
			p.fail(key.Line, cut(key.Value, 60), "the key %q is given twice, first in line %d", cut(key.Value, 60), first.line)
			continue
		}
		m[key.Value] = entry{key.Line, resolve(n.Content[i+1])}
	}
	return m
}

func resolve(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode && n.Alias != nil {
		n = n.Alias
	}
	return n
}
