package cli

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
)

var update = flag.Bool("update", false, "write the generated pages anew")

// TestCommandReference holds docs/reference/commands.md to the command tree. Run with -update to write it.
func TestCommandReference(t *testing.T) {
	var out bytes.Buffer
	out.WriteString("# Commands\n\nGenerated from the code; do not edit. Exit status: 0 done, 1 failed, 2 wrong usage.\n")
	describe(t, &out, newRoot(streams{in: &bytes.Buffer{}, out: &bytes.Buffer{}, err: &bytes.Buffer{}}))
	path := filepath.Join("..", "..", "docs", "reference", "commands.md")
	if *update {
		if err := os.WriteFile(path, out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(out.String(), string(have)); d != "" {
		t.Errorf("%s is stale; run 'go test ./app/cli -update': %s", path, d)
	}
}

func describe(t *testing.T, out *bytes.Buffer, c *cobra.Command) {
	t.Helper()
	c.InitDefaultHelpFlag()
	if c.Short == "" {
		t.Errorf("%s says nothing about itself", c.CommandPath())
	}
	fmt.Fprintf(out, "\n## %s\n\n%s\n\n", c.CommandPath(), c.Short)
	if c.Long != "" {
		fmt.Fprintf(out, "%s\n\n", c.Long)
	}
	if c.Runnable() && !c.HasSubCommands() {
		fmt.Fprintf(out, "```\n%s\n```\n\n", c.UseLine())
	}
	if flags := strings.TrimRight(c.NonInheritedFlags().FlagUsages(), "\n"); flags != "" {
		fmt.Fprintf(out, "```\n%s\n```\n", flags)
	}
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() && sub.Name() != "help" && sub.Name() != "completion" {
			describe(t, out, sub)
		}
	}
}
