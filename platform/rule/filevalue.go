package rule

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/yamltext"
)

// maxFileValues bounds the examples of a file with its aliases followed: a few lines of YAML can stand for any number.
const maxFileValues = 200_000

// FieldValue returns the JSON value of a rule's field that is given as a text, by a flag for example. A text is taken as
// it is written; a number is decimal: 0100 is a hundred.
func FieldValue(name, text string) (json.RawMessage, error) {
	f, known := findField(storedFields(), name)
	if !known {
		return nil, unknownField(name, fieldNames(ruleFields()))
	}
	return f.typed(text)
}

// typed is FieldValue of a known field.
func (f field) typed(text string) (json.RawMessage, error) {
	if !utf8.ValidString(text) {
		return nil, fault.Field(fault.Unprocessable, f.name, "is not UTF-8")
	}
	switch f.at(&Rule{}).(type) {
	case *int, *int64:
		if n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64); err == nil {
			return json.RawMessage(strconv.FormatInt(n, 10)), nil
		}
	case *bool:
		if on, err := strconv.ParseBool(strings.ToLower(strings.TrimSpace(text))); err == nil {
			return json.RawMessage(strconv.FormatBool(on)), nil
		}
	case *string, **int: // a severity may be a name
		return json.Marshal(text)
	}
	return nil, fault.Field(fault.Unprocessable, f.name, "wants %s, got %q", f.wants(), cut(text, 60))
}

// ParseFields reads some fields of one rule from YAML or JSON: a mapping with the names of the API, as 'mutt rules show
// -o yaml' prints it. The names in also are texts that the caller reads itself, such as "reason".
func ParseFields(name string, data []byte, also ...string) (map[string]json.RawMessage, error) {
	p := newFileParser(name, data)
	n, err := p.read(data, "want the fields of a rule, such as \"name: link down\"")
	if err != nil {
		return nil, err
	}
	fields := storedFields()
	for _, text := range also {
		fields = append(fields, field{text, func(r *Rule) any { return &r.Description }})
	}
	values := map[string]json.RawMessage{}
	for key, e := range p.mapping(n) {
		f, known := findField(fields, key)
		if !known {
			p.fail(e.line, cut(key, 60), "unknown key %q%s", cut(key, 60), didYouMean(key, fieldNames(fields)))
			continue
		}
		values[key], err = p.value(f, e.value)
		p.found("", e.line, e.line, nil, err)
	}
	return values, p.report()
}

// value returns the value of a field as JSON. A file that is JSON keeps JSON's types; in YAML a scalar is a text until
// its field types it: 2026-11-30, 007, no and 1.30 are what they look like.
func (p *fileParser) value(f field, n *yaml.Node) (json.RawMessage, error) {
	if _, list := f.at(&Rule{}).(**Examples); list && n.Kind == yaml.MappingNode {
		return p.examples(f, n)
	}
	if n.Kind != yaml.ScalarNode {
		return nil, fault.Field(fault.Unprocessable, f.name, "wants %s, got a %s", f.wants(), kindName(n))
	}
	if p.json {
		if n.Style == yaml.DoubleQuotedStyle {
			return json.Marshal(n.Value)
		}
		return json.RawMessage(n.Value), nil
	}
	if err := yamltext.CheckTag(n); err != nil {
		return nil, fault.Field(fault.Unprocessable, f.name, "%v", err)
	}
	if n.Tag == "!!null" {
		if _, text := f.at(&Rule{}).(*string); text && nullWord(n) {
			return nil, ambiguous(f, n)
		}
		return json.RawMessage("null"), nil
	}
	return f.typed(n.Value)
}

// nullWord reports whether a null is written as a word, which may be meant as a text.
func nullWord(n *yaml.Node) bool { return n.Value != "" && n.Value != "~" }

func ambiguous(f field, n *yaml.Node) error {
	return fault.Field(fault.Unprocessable, f.name, "%s without quotes is not a text in YAML: write %q for the text, or leave it empty for no value", n.Value, n.Value)
}

func kindName(n *yaml.Node) string {
	if n.Kind == yaml.MappingNode {
		return "mapping"
	}
	return "list"
}

// examples reads the lists and the mapping of a rule's examples.
func (p *fileParser) examples(f field, n *yaml.Node) (json.RawMessage, error) {
	var x Examples
	for key, e := range p.mapping(n) {
		var err error
		switch {
		case key == "matches":
			x.Matches, err = p.texts(f, e.value)
		case key == "not_matches":
			x.NotMatches, err = p.texts(f, e.value)
		case key == "expect" && e.value.Kind == yaml.MappingNode:
			x.Expect = map[string]string{}
			for message, winner := range p.mapping(e.value) {
				if winner.value.Tag == "!!null" && (p.json || !nullWord(winner.value)) {
					x.Expect[message] = "" // no rule
				} else if x.Expect[message], err = p.text(f, winner.value); err != nil {
					break
				}
			}
		case key == "expect" && e.value.Tag != "!!null":
			err = fault.Field(fault.Unprocessable, f.name, "expect wants a mapping of messages to names of rules")
		case key == "expect":
		default:
			err = fault.Field(fault.Unprocessable, f.name, "unknown key %q: they have matches, not_matches and expect", cut(key, 60))
		}
		if err != nil {
			return nil, err
		}
	}
	return json.Marshal(x)
}

func (p *fileParser) texts(f field, n *yaml.Node) ([]string, error) {
	if n.Tag == "!!null" {
		return nil, nil
	}
	if n.Kind != yaml.SequenceNode {
		return nil, fault.Field(fault.Unprocessable, f.name, "wants %s", f.wants())
	}
	list := make([]string, 0, min(len(n.Content), maxFileValues))
	for i, item := range n.Content {
		text, err := p.text(f, resolve(item))
		if err != nil {
			return nil, fmt.Errorf("item %d: %w", i+1, err)
		}
		list = append(list, text)
	}
	return list, nil
}

// text reads a text as it is written.
func (p *fileParser) text(f field, n *yaml.Node) (string, error) {
	p.values++
	odd := yamltext.CheckTag(n)
	switch {
	case p.values > maxFileValues:
		return "", fault.Field(fault.Unprocessable, f.name, "the examples of a file may have %d texts in all", maxFileValues)
	case n.Kind != yaml.ScalarNode:
		return "", fault.Field(fault.Unprocessable, f.name, "wants texts, got a %s", kindName(n))
	case p.json && n.Style != yaml.DoubleQuotedStyle:
		return "", fault.Field(fault.Unprocessable, f.name, "wants texts, got %s", cut(n.Value, 60))
	case odd != nil:
		return "", fault.Field(fault.Unprocessable, f.name, "%v", odd)
	case n.Tag == "!!null" && nullWord(n):
		return "", ambiguous(f, n)
	case n.Tag == "!!null":
		return "", fault.Field(fault.Unprocessable, f.name, `an example is empty: write "" for a message without text`)
	}
	return n.Value, nil
}
