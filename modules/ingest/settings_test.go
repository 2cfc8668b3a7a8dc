package ingest

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/muttproject/mutt/platform/config/static"
)

// TestAliasesMayBeEmpty: an empty list in the file, in the environment and as a flag turns aliases off, and is printed as one.
func TestAliasesMayBeEmpty(t *testing.T) {
	t.Parallel()
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
		got, printed, problems := resolve(t, c.file, c.environ)
		if len(problems) > 0 {
			if !strings.Contains(problems[0].String(), c.want) {
				t.Errorf("%s %s: %v", c.file, c.environ, problems)
			}
			continue
		}
		again, _, problems := resolve(t, printed, "")
		if fmt.Sprint(got.Aliases) != c.want || fmt.Sprint(again.Aliases) != c.want || len(problems) > 0 {
			t.Errorf("%s %s: %v, printed and read again %v, %v", c.file, c.environ, got.Aliases, again.Aliases, problems)
		}
	}
}

// resolve reads a file and the environment, and prints what they set.
func resolve(t *testing.T, file string, environ ...string) (c Config, printed string, problems []static.Problem) {
	t.Helper()
	table := c.Settings()
	given, problems := static.ReadFile("mutt.yaml", []byte(file), table)
	sources, more := static.Resolve(table, append(given, static.FromEnviron(table, environ)...), nil)
	var out bytes.Buffer
	if err := static.WriteYAML(&out, table, sources); err != nil {
		t.Fatal(err)
	}
	return c, out.String(), append(problems, more...)
}

// TestSyslogSources: what decides how senders are read comes from the file and the environment, and is printed so that it is read again.
func TestSyslogSources(t *testing.T) {
	t.Parallel()
	shown := func(c Config) string { return fmt.Sprintf("%v %v %v", c.SyslogZone, c.SyslogHostname, c.SyslogSources) }
	for _, c := range []struct {
		file, environ string
		want          string // zone, hostname and sources, or a part of the problem
	}{
		{"", "", "Local message []"},
		{"syslog: {zone: Europe/Berlin, hostname: DNS, sources: [10.1.0.0/16 zone=UTC, 192.0.2.7 hostname=peer]}", "",
			"Europe/Berlin dns [10.1.0.0/16 zone=UTC 192.0.2.7/32 hostname=peer]"},
		{"syslog: {sources: []}", "MUTT_SYSLOG_SOURCES=10.1.0.0/16 zone=local hostname=dns,2001:db8::/32 zone=UTC",
			"Local message [10.1.0.0/16 zone=local hostname=dns 2001:db8::/32 zone=UTC]"},
		{"syslog: {zone: Berlin}", "", `mutt.yaml:1:10: syslog.zone takes the name of a time zone such as Europe/Berlin, or UTC, or local for that of the process, not "Berlin"`},
		{"syslog: {hostname: ip}", "", "syslog.hostname takes one of message, peer, dns"},
		{"syslog:\n  sources: [10.1.0.0/16 zone=UTC, 10.1.2.3/16 zone=UTC]", "",
			`mutt.yaml:2:3: syslog.sources takes entries such as '10.1.0.0/16 zone=Europe/Berlin hostname=peer'; in "10.1.2.3/16 zone=UTC"`},
	} {
		got, printed, problems := resolve(t, c.file, c.environ)
		if len(problems) > 0 {
			if !strings.Contains(problems[0].String(), c.want) {
				t.Errorf("%s %s: %v", c.file, c.environ, problems)
			}
			continue
		}
		again, _, problems := resolve(t, printed, "")
		want := []string{c.want, c.want}
		if d := cmp.Diff(want, []string{shown(got), shown(again)}); d != "" || len(problems) > 0 {
			t.Errorf("%s %s: %v %s", c.file, c.environ, problems, d)
		}
	}
}
