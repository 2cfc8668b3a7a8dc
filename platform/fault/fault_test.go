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
