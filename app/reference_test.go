package app

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestReference holds the generated pages and the sample file to the code. Run with -update to write them.
func TestReference(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{"docs/reference/configuration.md": ConfigurationReference(), "docs/reference/errors.md": ErrorReference(),
		"docs/reference/openapi.json": string(APIDocument().JSON()), "docs/reference/api.md": APIReference(), "configs/mutt.yaml": SampleConfiguration()} {
		path := filepath.Join("..", filepath.FromSlash(name))
		if *update {
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		have, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(text, string(have)); d != "" {
			t.Errorf("%s is stale; run 'go test ./app -update': %s", path, d)
		}
	}
}
