package static

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/muttproject/mutt/platform/secret"
	"github.com/muttproject/mutt/platform/yamltext"
)

// WriteYAML writes the settings as a file that ReadFile reads back, each with its source as a comment. A setting
// without a value is left out; a secret that has no file is commented out.
func WriteYAML(w io.Writer, table []Setting, sources map[string]Source) error {
	out := &lines{w: w}
	for i := range table {
		s := &table[i]
		from := sources[s.Path]
		shown := s.Shown(from)
		if fmt.Sprint(shown) == "" || fmt.Sprint(shown) == EmptyList && !s.Value.empty {
			continue
		}
		key, hide := out.key(s.Path), ""
		if from.Ref == "" && (shown == secret.Redacted || s.Value.shown != nil && shown != s.Value.Get()) {
			hide = "# "
		}
		out.line("%s%s%s  # %s", indent(s.Path), hide, key+": "+scalar(shown), from)
	}
	return out.err
}

// WriteSample writes every setting with its default and what it means, commented out. The table is one that was
// resolved with nothing given.
func WriteSample(w io.Writer, table []Setting) error {
	out := &lines{w: w}
	for i := range table {
		s := &table[i]
		key, in := out.key(s.Path), indent(s.Path)
		out.line("%s# %s", in, s.Describe())
		out.line("%s# %s: %s", in, key, scalar(s.sample()))
	}
	return out.err
}

// Describe says what the setting means, what it takes, and by which variables and flag it is given, in a line.
func (s *Setting) Describe() string {
	names := make([]string, 0, len(s.Variables)+1)
	for _, v := range s.Variables {
		names = append(names, v.Name)
	}
	if s.Flag != "" {
		names = append(names, "--"+s.Flag)
	}
	text := s.About + ". Takes " + s.Value.Takes()
	if len(names) > 0 {
		text += " (" + strings.Join(names, ", ") + ")"
	}
	return text
}

// sample gives the default, else the example.
func (s *Setting) sample() any {
	switch {
	case s.Default != "":
		return s.Value.Get()
	case s.Value.list():
		return split(s.Example)
	default:
		return s.Example
	}
}

// lines writes lines until one fails.
type lines struct {
	w        io.Writer
	sections []string // that the last line is in
	err      error
}

func (l *lines) line(format string, args ...any) {
	if l.err == nil {
		_, l.err = fmt.Fprintf(l.w, format+"\n", args...)
	}
}

// key returns the last word of a path, after the heads of its sections that begin there.
func (l *lines) key(path string) string {
	words := strings.Split(path, ".")
	sections, key := words[:len(words)-1], words[len(words)-1]
	for i, section := range sections {
		if !slices.Equal(l.sections[:min(i+1, len(l.sections))], sections[:i+1]) {
			l.line("%s%s:", strings.Repeat("  ", i), section)
		}
	}
	l.sections = sections
	return key
}

func indent(path string) string { return strings.Repeat("  ", strings.Count(path, ".")) }

// scalar writes a value on one line of YAML.
func scalar(v any) string {
	var n *yaml.Node
	switch v := v.(type) {
	case []string:
		n = &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
		for _, word := range v {
			n.Content = append(n.Content, yamltext.Text(word))
		}
	case string:
		if n = yamltext.Text(v); strings.Contains(v, "\n") {
			n.Style = yaml.DoubleQuotedStyle // on one line
		}
	default: // a number or bool
		return fmt.Sprint(v)
	}
	text, err := yaml.Marshal(n)
	if err != nil {
		return fmt.Sprintf("%q", v) // not reached: a list of texts can always be written
	}
	return strings.TrimSuffix(string(text), "\n")
}
