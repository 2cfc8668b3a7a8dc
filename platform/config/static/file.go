package static

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/muttproject/mutt/platform/yamltext"
)

// ReadFile reads a YAML file of settings. Keys are checked against the table; values are not read yet (Resolve).
func ReadFile(name string, data []byte, table []Setting) ([]Given, []Problem) {
	r := &reader{file: name, table: table}
	d := yaml.NewDecoder(bytes.NewReader(data))
	var doc yaml.Node
	switch err := d.Decode(&doc); {
	case errors.Is(err, io.EOF): // nothing but comments
	case err != nil:
		r.syntax(err)
	case len(doc.Content) > 0:
		r.section("", doc.Content[0])
		if err := d.Decode(&doc); err == nil {
			r.fail(&doc, "", "the file has a second document: put all settings into the first", "")
		} else if !errors.Is(err, io.EOF) {
			r.syntax(err)
		}
	}
	return r.given, r.problems
}

// reader walks a file.
type reader struct {
	file     string
	table    []Setting
	given    []Given
	problems []Problem
}

func (r *reader) at(n *yaml.Node) Source {
	return Source{Kind: File, Name: r.file, Line: max(n.Line, 1), Column: max(n.Column, 1)}
}

func (r *reader) fail(n *yaml.Node, path, message, nearest string) {
	r.problems = append(r.problems, problemAt(r.at(n), path, message, nearest))
}

// syntax reports an error of the YAML parser, which names a line in its text.
func (r *reader) syntax(err error) {
	text, line := strings.TrimPrefix(err.Error(), "yaml: "), 1
	if m := regexp.MustCompile(`^line (\d+): `).FindStringSubmatch(text); m != nil {
		line, _ = strconv.Atoi(m[1]) // digits; 0 when there are too many
		text = text[len(m[0]):]
	}
	r.fail(&yaml.Node{Line: line}, "", "is not YAML: "+text, "")
}

// section reads a mapping; prefix is "" or ends with a dot.
func (r *reader) section(prefix string, n *yaml.Node) {
	if n.Kind == yaml.ScalarNode && n.Tag == "!!null" { // everything in it is commented out
		return
	}
	if n.Kind != yaml.MappingNode {
		r.fail(n, strings.TrimSuffix(prefix, "."), "wants keys with values, such as \"shutdown_timeout: 30s\"", "")
		return
	}
	lines := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], resolve(n.Content[i+1])
		if key.Kind != yaml.ScalarNode {
			r.fail(key, "", "a key is one word", "")
			continue
		}
		path := prefix + cut(key.Value)
		if first, twice := lines[key.Value]; twice {
			r.fail(key, path, fmt.Sprintf("is given twice, first in line %d", first), "")
			continue
		}
		lines[key.Value] = key.Line
		r.entry(path, key, value)
	}
}

func (r *reader) entry(path string, key, value *yaml.Node) {
	i := slices.IndexFunc(r.table, func(s Setting) bool { return s.Path == path })
	switch {
	case i >= 0:
		r.value(&r.table[i], key, value)
	case slices.ContainsFunc(r.table, func(s Setting) bool { return strings.HasPrefix(s.Path, path+".") }):
		r.section(path+".", value)
	default:
		r.fail(key, path, "is not a setting", nearestPath(path, r.table))
	}
}

// value takes a scalar as it is written, so that 1.10 stays 1.10, and joins a list.
func (r *reader) value(s *Setting, key, n *yaml.Node) {
	g := Given{Path: s.Path, Text: n.Value, Source: r.at(key)}
	for _, scalar := range append([]*yaml.Node{n}, n.Content...) {
		if err := yamltext.CheckTag(resolve(scalar)); err != nil && resolve(scalar).Kind == yaml.ScalarNode {
			r.fail(scalar, s.Path, err.Error(), "")
			return
		}
	}
	switch {
	case n.Kind == yaml.ScalarNode && n.Tag == "!!null":
		g.Text = "" // Resolve says that it has no value
	case n.Kind == yaml.ScalarNode:
	case n.Kind == yaml.SequenceNode && s.Value.list():
		items := make([]string, len(n.Content))
		for i, item := range n.Content {
			if items[i] = resolve(item).Value; resolve(item).Kind != yaml.ScalarNode || strings.Contains(items[i], ",") {
				r.fail(item, s.Path, "takes a list of single values", "")
				return
			}
		}
		if g.Text = strings.Join(items, ","); len(items) == 0 {
			g.Text = EmptyList
		}
	default:
		r.fail(n, s.Path, "takes "+s.Value.Takes(), "")
		return
	}
	r.given = append(r.given, g)
}

// resolve follows an alias to what it stands for.
func resolve(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode && n.Alias != nil {
		n = n.Alias
	}
	return n
}

// cut keeps a key from the file short in messages.
func cut(s string) string {
	if len(s) > 60 {
		return strings.ToValidUTF8(s[:60], "") + "…"
	}
	return s
}
