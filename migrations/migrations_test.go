package migrations

import (
	"fmt"
	"io/fs"
	"regexp"
	"strings"
	"testing"
)

// TestNumbering holds that numbers have no gap and that each file says what it makes.
func TestNumbering(t *testing.T) {
	t.Parallel()
	dir, err := SQLite()
	if err != nil {
		t.Fatal(err)
	}
	names, err := fs.Glob(dir, "*")
	if err != nil || len(names) == 0 {
		t.Fatalf("no migrations: %v", err)
	}
	shape := regexp.MustCompile(`^\d{5}_[a-z_]+\.sql$`)
	for i, name := range names {
		if !shape.MatchString(name) || !strings.HasPrefix(name, fmt.Sprintf("%05d_", i+1)) {
			t.Errorf("file %d is called %s, want %05d_words.sql", i+1, name, i+1)
		}
		text, err := fs.ReadFile(dir, name)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(string(text), "-- +goose Up\n") {
			t.Errorf("%s does not begin with its goose mark", name)
		}
		if strings.Contains(string(text), "+goose Down") {
			t.Errorf("%s has a way down; the copy taken before is the way back", name)
		}
	}
}
