package ingest

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/muttproject/mutt/platform/config/static"
)

// TestAliasesMayBeEmpty: an empty list in the file, in the environment and as a flag turns aliases off, and is printed as one.
func TestAliasesMayBeEmpty(t *testing.T) {
	t.Parallel()
	resolve := func(file string, environ ...string) (c Config, printed string, problems []static.Problem) {
		table := c.Settings()
		given, problems := static.ReadFile("mutt.yaml", []byte(file), table)
		sources, more := static.Resolve(table, append(given, static.FromEnviron(table, environ)...), nil)
		var out bytes.Buffer
		if err := static.WriteYAML(&out, table, sources); err != nil {
			t.Fatal(err)
		}
		return c, out.String(), append(problems, more...)
	}
	for _, c := range []struct {
		file, environ string
		want          string // the aliases, or a part of the problem
	}{
		{"", "", "[host=hostname @timestamp=timestamp time=timestamp msg=message log=message]"},
		{"ingest: {aliases: []}", "", "[]"},
		{"ingest: {aliases: [host=hostname]}", "MUTT_INGEST_ALIASES=[]", "[]"},
		{"ingest: {aliases: [host=hostname]}", "MUTT_INGEST_ALIASES=a=message, b=message", "[a=message b=message]"},
		{"ingest: {aliases: [host]}", "", "mutt.yaml:1:10: ingest.aliases takes aliases of the form member=field"},
		{"ingest: {aliases: }", "", "has no value"},
		{"ingest: {required_fields: []}", "", "has no value"},
	} {
		got, printed, problems := resolve(c.file, c.environ)
		if len(problems) > 0 {
			if !strings.Contains(problems[0].String(), c.want) {
				t.Errorf("%s %s: %v", c.file, c.environ, problems)
			}
			continue
		}
		again, _, problems := resolve(printed, "")
		if fmt.Sprint(got.Aliases) != c.want || fmt.Sprint(again.Aliases) != c.want || len(problems) > 0 {
			t.Errorf("%s %s: %v, printed and read again %v, %v", c.file, c.environ, got.Aliases, again.Aliases, problems)
		}
	}
}
