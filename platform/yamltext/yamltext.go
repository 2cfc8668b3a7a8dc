// Package yamltext writes scalars that every YAML reader takes for the same value, and refuses scalars that are not what is written.
//
// Readers of YAML 1.1 (PyYAML, Ruby, Ansible) type plain scalars that YAML 1.2 leaves alone: no, on, 1:30, 0100, 1_000, =, <<.
// The library quotes what it would type itself, which is less.
package yamltext

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"
)

// Text returns a node for a text: quoted unless every reader takes it for a text when it is plain.
func Text(s string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s}
	if typed(s) || odd(s) {
		n.Style = yaml.DoubleQuotedStyle
	}
	return n
}

// CheckTag refuses a scalar whose tag asks for more than reading it, such as !!binary or !vault: its text is not what is meant.
func CheckTag(n *yaml.Node) error {
	switch tag := n.ShortTag(); tag {
	case "", "!", "!!str", "!!int", "!!float", "!!bool", "!!null", "!!timestamp", "!!merge":
		return nil
	default:
		return fmt.Errorf("the tag %q is not understood here: write the value itself", tag[:min(len(tag), 60)])
	}
}

// typed reports whether a reader of YAML 1.1 may take a plain s for something other than a text.
func typed(s string) bool {
	words := [...]string{"", "~", "=", "<<", "y", "n", "yes", "no", "on", "off", "true", "false", "null"}
	if slices.Contains(words[:], strings.ToLower(s)) || strings.HasPrefix(s, ":") { // Ruby: a symbol
		return true
	}
	if !strings.ContainsAny(s[:1], "+-.0123456789") {
		return false
	}
	number := strings.Trim(s, "+-.0123456789abcdefxoABCDEFXO_,:TtZz \t") == "" // also an address, a time, a sexagesimal
	word := strings.ToLower(strings.TrimLeft(s, "+-"))
	return number || word == ".inf" || word == ".nan"
}

// odd reports whether s has white space at the ends of a line or characters that do not print: the library writes
// several lines as a block, which it cannot always read back then.
func odd(s string) bool {
	if strings.HasPrefix(s, "\n") || strings.HasSuffix(s, "\n\n") {
		return true
	}
	for line := range strings.SplitSeq(s, "\n") {
		if strings.TrimSpace(line) != line || strings.ContainsFunc(line, func(r rune) bool { return !unicode.IsPrint(r) }) {
			return true
		}
	}
	return false
}

// Number returns a node for a JSON number with all of its digits. YAML 1.1 wants a point before an exponent and a sign
// in it: 1e21 is a text there.
func Number(s string) *yaml.Node {
	if mantissa, exponent, has := strings.Cut(strings.ToLower(s), "e"); has {
		if !strings.Contains(mantissa, ".") {
			mantissa += ".0"
		}
		if !strings.HasPrefix(exponent, "-") && !strings.HasPrefix(exponent, "+") {
			exponent = "+" + exponent
		}
		s = mantissa + "e" + exponent
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Value: s}
}
