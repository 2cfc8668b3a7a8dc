package fault

import (
	"errors"
	"fmt"
	"testing"
)

func TestCodeSurvivesWrapping(t *testing.T) {
	cause := errors.New("disk full")
	err := fmt.Errorf("append entry: %w", Wrap(QueueUnavailable, cause, "cannot write"))
	if !Is(err, QueueUnavailable) || !errors.Is(err, cause) {
		t.Fatalf("code or cause lost: %v", err)
	}
	if CodeOf(cause) != Internal || CodeOf(nil) != "" {
		t.Fatal("a foreign error is internal, nil has no code")
	}
}

func TestCatalogueIsWhole(t *testing.T) {
	seen := map[Code]bool{}
	for _, e := range Catalogue() {
		if seen[e.Code] || e.Meaning == "" || e.Remedy == "" || e.Status < 200 {
			t.Errorf("row %+v is double or incomplete", e)
		}
		seen[e.Code] = true
	}
	if Describe("no-such-code").Code != Internal {
		t.Error("an unknown code is described as internal")
	}
}

// TestFieldIsFitToBeShown: a caller names fields too.
func TestFieldIsFitToBeShown(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{"": "", "rules[0].näme": "rules[0].näme", "a\bb\x00\u0085": "a?b??", "a\xffb": "a?b", "a\nb": "a?b"} {
		if got := Field(Unprocessable, name, "x").Field; got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}
