package configs

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/muttproject/mutt/platform/rule"
)

// TestRuleFiles lints every rule file: it parses, compiles, and its examples hold.
func TestRuleFiles(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("rules/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no rule files: %v", err)
	}
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		rules, err := rule.ParseFile(f, data)
		if err != nil {
			t.Fatal(err)
		}
		if err := rule.CheckExamples(t.Context(), rules); err != nil {
			t.Error(err)
		}
		if _, err := rule.Compile(rules, rule.Tables{}); err != nil {
			t.Error(err)
		}
	}
	if len(StarterRules) == 0 {
		t.Error("the starter rules are not embedded")
	}
}
