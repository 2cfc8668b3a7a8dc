package acceptance

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// root is the checkout.
const root = "../.."

// documents lists the README and everything below docs, by path from the root.
func documents(t *testing.T) []string {
	t.Helper()
	found := []string{"README.md"}
	err := filepath.WalkDir(filepath.Join(root, "docs"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.HasSuffix(path, ".md") {
			var rel string
			rel, err = filepath.Rel(root, path)
			found = append(found, rel)
		}
		return err
	})
	if err != nil || len(found) < 5 {
		t.Fatalf("%d documents found, %v", len(found), err)
	}
	return found
}

// block is a fenced block of shell commands in a document.
type block struct {
	line int
	text string
	run  bool   // it is marked to be run
	why  string // or why it is not
}

var noTest = regexp.MustCompile(`^<!-- no test: (.+) -->$`)

// blocks finds the shell blocks of a document and reads their marks: <!-- test --> or <!-- no test: reason --> on a line
// before the fence, or the word test after sh.
func blocks(text string) (found []block, err error) {
	lines := strings.Split(text, "\n")
	mark, fence := "", ""
	for i, line := range lines {
		trimmed := strings.TrimSpace(line)
		switch {
		case fence != "" && trimmed == "```":
			fence = ""
		case fence == "sh":
			last := &found[len(found)-1]
			last.text += line + "\n"
		case fence != "":
		case strings.HasPrefix(trimmed, "```"):
			words := strings.Fields(strings.TrimPrefix(trimmed, "```"))
			fence = "other"
			if len(words) == 0 || words[0] != "sh" && words[0] != "bash" && words[0] != "shell" && words[0] != "console" {
				break
			}
			fence = "sh"
			b := block{line: i + 1, run: mark == "<!-- test -->" || len(words) > 1 && words[1] == "test"}
			if m := noTest.FindStringSubmatch(mark); m != nil {
				b.why = m[1]
			}
			if b.run == (b.why != "") {
				return nil, fmt.Errorf("line %d: a shell block is marked <!-- test --> or <!-- no test: reason -->", i+1)
			}
			found = append(found, b)
		}
		if trimmed != "" {
			mark = trimmed
		}
	}
	return found, nil
}

// TestBlocks holds how marks are read.
func TestBlocks(t *testing.T) {
	t.Parallel()
	got, err := blocks("<!-- test -->\n```sh\necho 1\n```\n\n```\nnot shell\n```\n```sh test\necho 2\n```\n<!-- no test: long -->\n\n```bash\nsleep\n```\n")
	if err != nil || len(got) != 3 || got[0].text != "echo 1\n" || !got[0].run || !got[1].run || got[2].run || got[2].why != "long" {
		t.Errorf("got %+v, %v", got, err)
	}
	for _, bad := range []string{"```sh\necho\n```\n", "words\n```sh\necho\n```", "<!-- no test: -->\n```sh\nx\n```", "<!-- no test: x -->\n```sh test\nx\n```"} {
		if _, err := blocks(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

// TestDocs runs the commands of the README and the docs as they are written, against a server of their own, and lists
// those that say why they are not run.
func TestDocs(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"bash", "curl", "logger", "gzip"} {
		tool(t, name)
	}
	for _, doc := range documents(t) {
		t.Run(doc, func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(filepath.Join(root, doc))
			if err != nil {
				t.Fatal(err)
			}
			found, err := blocks(string(text))
			if err != nil {
				t.Fatal(err)
			}
			run(t, doc, string(text), found)
		})
	}
}

// run runs the blocks of one document one after the other in one shell, as a reader does in a terminal.
func run(t *testing.T, doc, text string, found []block) {
	var script strings.Builder
	for _, b := range found {
		if !b.run {
			t.Logf("%s:%d is not run: %s", doc, b.line, b.why)
			continue
		}
		fmt.Fprintf(&script, "echo '--- %s:%d'\n%s", doc, b.line, b.text)
	}
	if script.Len() > 0 {
		newDesk(t, text).run(script.String())
	}
}

var link = regexp.MustCompile(`\]\(([^)#: ]+)(#[^)]*)?\)`)

// TestDocLinks holds that what a document links to in this checkout exists.
func TestDocLinks(t *testing.T) {
	t.Parallel()
	for _, doc := range documents(t) {
		text, err := os.ReadFile(filepath.Join(root, doc))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			if _, err := os.Stat(filepath.Join(root, filepath.Dir(doc), m[1])); err != nil {
				t.Errorf("%s links to %s, which is not there", doc, m[1])
			}
		}
	}
}
