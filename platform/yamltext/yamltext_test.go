package yamltext_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/muttproject/mutt/platform/yamltext"
	"github.com/muttproject/mutt/platform/yamltext/yamltexttest"
)

// TestEveryReaderReadsTheSame writes the nasty texts as values, keys and items of lists, and reads them with PyYAML and
// with our own library.
func TestEveryReaderReadsTheSame(t *testing.T) {
	t.Parallel()
	keys, block, flow := &yaml.Node{Kind: yaml.MappingNode}, &yaml.Node{Kind: yaml.SequenceNode}, &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
	want := map[string]any{}
	var list []any
	for _, s := range yamltexttest.Nasty() {
		keys.Content = append(keys.Content, yamltext.Text(s), yamltext.Text(s))
		block.Content = append(block.Content, yamltext.Text(s))
		flow.Content = append(flow.Content, yamltext.Text(s))
		want[s], list = s, append(list, s)
	}
	for name, c := range map[string]struct {
		node *yaml.Node
		want any
	}{"mapping": {keys, want}, "block": {block, list}, "flow": {flow, list}} {
		text, err := yaml.Marshal(c.node)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, yamltexttest.Load(t, text)); diff != "" {
			t.Errorf("%s read by PyYAML: %s\n%s", name, diff, text)
		}
		var own any
		if err := yaml.Unmarshal(text, &own); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(c.want, own); diff != "" {
			t.Errorf("%s read by our library: %s", name, diff)
		}
	}
}

func TestPlainWherePossible(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"link down", "30s", "10.0.0.0/8", "null pointer", "no route", "é", "everysec", "NETOPS"} {
		if text, err := yaml.Marshal(yamltext.Text(s)); err != nil || string(text) != s+"\n" {
			t.Errorf("%q is written as %q, %v", s, text, err)
		}
	}
}

func TestNumbers(t *testing.T) {
	t.Parallel()
	numbers := []string{"0", "-1", "18446744073709551616", "1.5", "1e21", "1E-7", "2.5e+10", "-3e8"}
	var want any
	if err := json.Unmarshal([]byte("["+strings.Join(numbers, ",")+"]"), &want); err != nil {
		t.Fatal(err)
	}
	list := &yaml.Node{Kind: yaml.SequenceNode}
	for _, s := range numbers {
		list.Content = append(list.Content, yamltext.Number(s))
	}
	text, err := yaml.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, yamltexttest.Load(t, text)); diff != "" {
		t.Errorf("read by PyYAML: %s\n%s", diff, text)
	}
}
