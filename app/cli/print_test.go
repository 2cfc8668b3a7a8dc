package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
	"pgregory.net/rapid"

	"github.com/muttproject/mutt/platform/yamltext/yamltexttest"
)

// TestPrintYAML holds -o yaml to -o json: whatever is printed reads the same.
func TestPrintYAML(t *testing.T) {
	t.Parallel()
	value := rapid.Deferred(anyJSON)
	rapid.Check(t, func(rt *rapid.T) {
		v := map[string]any{"value": value.Draw(rt, "value")}
		var asJSON, asYAML bytes.Buffer
		if err := print(&asJSON, "json", v, nil); err != nil {
			rt.Fatal(err)
		}
		if err := print(&asYAML, "yaml", v, nil); err != nil {
			rt.Fatal(err)
		}
		var want, have any
		if err := json.Unmarshal(asJSON.Bytes(), &want); err != nil {
			rt.Fatal(err)
		}
		var node map[string]any
		if err := yaml.Unmarshal(asYAML.Bytes(), &node); err != nil {
			rt.Fatalf("%v in:\n%s", err, &asYAML)
		}
		again, err := json.Marshal(node)
		if err != nil {
			rt.Fatal(err)
		}
		if err := json.Unmarshal(again, &have); err != nil {
			rt.Fatal(err)
		}
		if d := cmp.Diff(want, have); d != "" {
			rt.Fatalf("%s in:\n%s", d, &asYAML)
		}
	})
}

// TestOtherReadersReadOurYAML holds that PyYAML reads -o yaml as JSON is read.
func TestOtherReadersReadOurYAML(t *testing.T) {
	t.Parallel()
	texts := map[string]any{}
	for _, s := range yamltexttest.Nasty() {
		texts[s] = s
	}
	v := map[string]any{"texts": texts, "list": yamltexttest.Nasty(), "numbers": []any{0.0, 1e21, 1e-7, -1.5, 1 << 53}, "more": []any{true, nil, []any{}, map[string]any{}}}
	var asJSON, asYAML bytes.Buffer
	if err := errors.Join(print(&asJSON, "json", v, nil), print(&asYAML, "yaml", v, nil)); err != nil {
		t.Fatal(err)
	}
	var want any
	if err := json.Unmarshal(asJSON.Bytes(), &want); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, yamltexttest.Load(t, asYAML.Bytes())); d != "" {
		t.Errorf("%s in:\n%s", d, &asYAML)
	}
}

// anyJSON draws what an answer may hold; the texts are such that YAML takes for something else when they stand bare.
func anyJSON() *rapid.Generator[any] {
	text := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"", "yes", "null", "~", "0x10", "1e3", "2026-01-02", "a: b", "- a", "# a", "a\nb\n", " a", "\t", "\u2028", "😀"}))
	return rapid.OneOf(
		rapid.Map(text, func(s string) any { return s }),
		rapid.Map(rapid.Int64(), func(n int64) any { return n }),
		rapid.Map(rapid.Float64Range(-1e12, 1e12), func(f float64) any { return f }),
		rapid.Map(rapid.Bool(), func(b bool) any { return b }),
		rapid.Just(any(nil)),
		rapid.Map(rapid.SliceOfN(rapid.Deferred(anyJSON), 0, 3), func(l []any) any { return l }),
		rapid.Map(rapid.MapOfN(text, rapid.Deferred(anyJSON), 0, 3), func(m map[string]any) any { return m }),
		rapid.Just(any(json.RawMessage(`"\ud83d\ude00\/\u0007"`))),
	)
}
