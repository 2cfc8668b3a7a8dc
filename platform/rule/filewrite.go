package rule

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"

	"github.com/muttproject/mutt/platform/fault"
)

// WriteFile renders rules as a file that ParseFile reads back, in the given order. Names must be unique.
func WriteFile(rules []Rule) ([]byte, error) {
	seen := make(map[string]int64, len(rules))
	list := &yaml.Node{Kind: yaml.SequenceNode}
	for _, r := range rules {
		r.Normalize()
		if id, twice := seen[r.Name]; twice {
			return nil, fault.Field(fault.Conflict, "name", "rules %d and %d are both named %q: a file needs unique names", id, r.ID, r.Name)
		}
		seen[r.Name] = r.ID
		list.Content = append(list.Content, ruleNode(&r))
	}
	doc := mappingNode("version", intNode(fileVersion), "rules", list)
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := errors.Join(e.Encode(doc), e.Close()); err != nil {
		return nil, fmt.Errorf("write rules as YAML: %w", err)
	}
	return b.Bytes(), nil
}

// ruleNode leaves out what is empty; priority and is_active are always said.
func ruleNode(r *Rule) *yaml.Node {
	n := mappingNode()
	for _, f := range ruleFields() {
		var value *yaml.Node
		switch p := f.at(r).(type) {
		case *string:
			if *p != "" {
				value = textNode(*p)
			}
		case *int:
			value = intNode(*p)
		case *bool:
			value = &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: strconv.FormatBool(*p)}
		case **int:
			if *p != nil {
				value = intNode(**p)
			}
		case **Examples:
			if *p != nil {
				value = examplesNode(*p)
			}
		}
		if value != nil {
			n.Content = append(n.Content, textNode(f.name), value)
		}
	}
	return n
}

func examplesNode(x *Examples) *yaml.Node {
	n := mappingNode()
	for _, part := range [...]struct {
		name  string
		texts []string
	}{{"matches", x.Matches}, {"not_matches", x.NotMatches}} {
		if len(part.texts) > 0 {
			list := &yaml.Node{Kind: yaml.SequenceNode}
			for _, t := range part.texts {
				list.Content = append(list.Content, textNode(t))
			}
			n.Content = append(n.Content, textNode(part.name), list)
		}
	}
	if len(x.Expect) > 0 {
		expect := mappingNode()
		for _, message := range slices.Sorted(maps.Keys(x.Expect)) {
			expect.Content = append(expect.Content, textNode(message), textNode(x.Expect[message]))
		}
		n.Content = append(n.Content, textNode("expect"), expect)
	}
	return n
}

// mappingNode takes names and nodes by turns.
func mappingNode(pairs ...any) *yaml.Node {
	n := &yaml.Node{Kind: yaml.MappingNode}
	for _, p := range pairs {
		switch p := p.(type) {
		case string:
			n.Content = append(n.Content, textNode(p))
		case *yaml.Node:
			n.Content = append(n.Content, p)
		}
	}
	return n
}

func intNode(v int) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!int", Value: strconv.Itoa(v)}
}

// textNode has texts with odd white space or control characters written in double quotes: the library writes
// several lines as a block, which it cannot always read back.
func textNode(s string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s}
	odd := strings.HasPrefix(s, "\n") || strings.HasSuffix(s, "\n\n")
	for line := range strings.SplitSeq(s, "\n") {
		odd = odd || strings.TrimSpace(line) != line || strings.ContainsFunc(line, func(r rune) bool { return !unicode.IsPrint(r) })
	}
	if odd {
		n.Style = yaml.DoubleQuotedStyle
	}
	return n
}
