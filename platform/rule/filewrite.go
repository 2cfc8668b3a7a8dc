package rule

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"go.yaml.in/yaml/v3"

	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/yamltext"
)

// WriteFile renders rules, in the given order, as a file that ParseFile reads back and other readers of YAML read the same.
// Names must be unique.
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
				value = yamltext.Text(*p)
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
			n.Content = append(n.Content, yamltext.Text(f.name), value)
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
				list.Content = append(list.Content, yamltext.Text(t))
			}
			n.Content = append(n.Content, yamltext.Text(part.name), list)
		}
	}
	if len(x.Expect) > 0 {
		expect := mappingNode()
		for _, message := range slices.Sorted(maps.Keys(x.Expect)) {
			expect.Content = append(expect.Content, yamltext.Text(message), yamltext.Text(x.Expect[message]))
		}
		n.Content = append(n.Content, yamltext.Text("expect"), expect)
	}
	return n
}

// mappingNode takes names and nodes by turns.
func mappingNode(pairs ...any) *yaml.Node {
	n := &yaml.Node{Kind: yaml.MappingNode}
	for _, p := range pairs {
		switch p := p.(type) {
		case string:
			n.Content = append(n.Content, yamltext.Text(p))
		case *yaml.Node:
			n.Content = append(n.Content, p)
		}
	}
	return n
}

func intNode(v int) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!int", Value: strconv.Itoa(v)}
}
