package migrations

import (
	"fmt"
	"io/fs"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// names lists the files of a directory.
func names(t *testing.T, open func() (fs.FS, error)) (fs.FS, []string) {
	t.Helper()
	dir, err := open()
	if err != nil {
		t.Fatal(err)
	}
	found, err := fs.Glob(dir, "*")
	if err != nil || len(found) == 0 {
		t.Fatalf("no migrations: %v", err)
	}
	return dir, found
}

// TestNumbering holds that numbers have no gap and that each file says what it makes.
func TestNumbering(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func() (fs.FS, error){"sqlite": SQLite, "postgres": Postgres} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			numbering(t, open)
		})
	}
}

// TestSameNumbersAndNames holds that a number means the same for both databases.
func TestSameNumbersAndNames(t *testing.T) {
	t.Parallel()
	_, sqlite := names(t, SQLite)
	_, postgres := names(t, Postgres)
	if diff := cmp.Diff(sqlite, postgres); diff != "" {
		t.Errorf("the directories differ (-sqlite +postgres):\n%s", diff)
	}
}

func numbering(t *testing.T, open func() (fs.FS, error)) {
	dir, found := names(t, open)
	shape := regexp.MustCompile(`^\d{5}_[a-z_]+\.sql$`)
	for i, name := range found {
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
