package api

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/muttproject/mutt/platform/fault"
)

// TestInventoryFiles holds which files are understood, and that a heading is never taken for data.
func TestInventoryFiles(t *testing.T) {
	t.Parallel()
	want := []string{"sw1 NOC", "sw2 DC, east"}
	for name, c := range map[string]struct {
		file    string
		ignored []string
		says    string // of a fault
	}{
		"contract":             {file: "hostname,team_assignment\nsw1,NOC\nsw2,\"DC, east\"\n"},
		"other headings":       {file: "Host Name,TEAM\nsw1,NOC\nsw2,\"DC, east\"\n"},
		"swapped":              {file: "team_assignment,hostname\nNOC,sw1\n\"DC, east\",sw2\n"},
		"semicolons, BOM":      {file: "\xef\xbb\xbfDevice;Team-Name\r\nsw1;NOC\r\n sw2 ; DC, east \r\n\r\n"},
		"tabs":                 {file: "node\tgroup\nsw1\tNOC\nsw2\tDC, east\n"},
		"bars":                 {file: "fqdn|owner\nsw1|NOC\nsw2|DC, east\n"},
		"more columns":         {file: "Serial;Support Group;IP Address;Hostname\nX1;NOC;10.0.0.1;sw1\n\"X;2\";\"DC, east\";;sw2\n", ignored: []string{"Serial", "IP Address"}},
		"no heading":           {file: "sw1,NOC\nsw2,\"DC, east\"\n"},
		"no heading, tabs":     {file: "sw1\tNOC\nsw2\tDC, east\n"},
		"a heading, half":      {file: "hostname,colour\nsw1,NOC\n", says: "heading without a column for team_assignment"},
		"a heading, the other": {file: "team,colour\nNOC,sw1\n", says: "heading without a column for hostname"},
		"no heading, three":    {file: "sw1,NOC,x\n", says: "has 3 cells, want hostname,team_assignment"},
		"Excel's separator":    {file: "sep=;\r\nhostname;team\r\nsw1;NOC\r\nsw2;DC, east\r\n"},
		"the same, no heading": {file: "\"sep=|\"\nsw1|NOC\nsw2|DC, east\n"},
		"trailing separators":  {file: "hostname;team;\nsw1;NOC;\nsw2;DC, east;\n;;\n"},
		"more of them below":   {file: "hostname;team\nsw1;NOC;\nsw2;DC, east;;\n"},
		"no heading, trailing": {file: "sw1;NOC;\nsw2;DC, east;\n"},
		"old Macintosh":        {file: "hostname;team\rsw1;NOC\rsw2;DC, east\r"},
		"quoted headings":      {file: "\"Hosts\",\"Teams:\"\r\n\"sw1\",\"NOC\"\r\n\"sw2\",\"DC, east\"\r\n"},
		"notes in headings":    {file: "Host Name (FQDN),Team *\nsw1,NOC\nsw2,\"DC, east\"\n"},
		"two of a heading":     {file: "hostname,Host-Name,team\nsw1,sw2,NOC\n", says: "two columns for hostname, 1 and 2"},
		"UTF-16":               {file: "\xff\xfes\x00w\x00,\x00N\x00", says: "must be UTF-8 text"},
		"UTF-16, no mark":      {file: "s\x00w\x00,\x00N\x00", says: "must be UTF-8 text"},
		"Latin-1":              {file: "hostname,team\nsw1,K\xf6ln\n", says: "must be UTF-8 text"},
		"invisible":            {file: "hostname,team\n\u200bsw1,NOC\n", says: "has spaces or characters that do not print"},
		"no-break space":       {file: "hostname,team\nsw\u00a01,NOC\n", says: "has spaces or characters that do not print"},
		"ragged":               {file: "hostname,team\nsw1,NOC\nsw2\n", says: "has 1 cell,"},
		"ragged, wide":         {file: "hostname,team,x\nsw1,NOC\n", says: "has 2 cells, and the heading has 3"},
		"no team":              {file: "hostname,team\nsw1,\n", says: "team_assignment is required"},
		"swapped, no heading":  {file: "NOC,sw1\nNOC,sw2\n", says: "in line 1 already"},
	} {
		file, err := parseCSV([]byte(c.file), []column{hostColumn(), teamColumn()}, func(cells []string) error { return checkTeam(entryFrom(cells)) })
		if c.says != "" {
			if f, ok := fault.As(err); !ok || !strings.Contains(f.Message, c.says) {
				t.Errorf("%s: %v, want %q", name, err, c.says)
			}
			continue
		}
		var got []string
		for _, r := range file.rows {
			got = append(got, strings.Join(r.cells, " "))
		}
		if d := cmp.Diff(want, got); d != "" || err != nil || !slices.Equal(file.ignored, c.ignored) {
			t.Errorf("%s: %v, ignored %q %s", name, err, file.ignored, d)
		}
	}
	for _, heading := range []string{"host", "Hostname", "HOST_NAME", "device", "Node Name", "name", "server", "hosts", "dev_hosts", "development_hosts",
		"Devices", "Computer", "IP addresses", "IP-Address"} {
		file, err := parseCSV([]byte(heading+"\nlab1\n"), []column{hostColumn()}, func(cells []string) error { return checkHostEntry(cells[0]) })
		if err != nil || len(file.rows) != 1 || file.rows[0].cells[0] != "lab1" {
			t.Errorf("%s: %+v %v", heading, file, err)
		}
	}
}

// TestInventoryImport holds that a dry run tells what the import then does, and changes nothing.
func TestInventoryImport(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.expect(200, csvCall("/teams", "host,team\nSW1,NOC\nsw2,NOC\nsw3,NOC\n"))
	b.expect(200, csvCall("/dev-hosts", "device\nlab-*\nlab1\n"))
	for _, c := range []struct{ path, file, changes string }{
		{"/teams", "team;name;rack\nDC;sw1;7\nNOC;sw2;8\nDC;sw9;9\n", "update SW1 NOC>DC, create sw9 >DC, delete sw3 NOC>"},
		{"/dev-hosts", "host,rack\nLAB1,7\nlab2,8\n", "create lab2 >, delete lab-* >"},
	} {
		before := b.audited()
		dry := b.expect(200, csvCall(c.path+"?mode=replace&dry_run=true", c.file))
		if b.audited() != before {
			t.Fatalf("%s: a dry run has changed something", c.path)
		}
		var changes []string
		for _, x := range dry["changes"].([]any) {
			m := x.(map[string]any)
			text := func(name string) string { s, _ := m[name].(string); return s }
			changes = append(changes, fmt.Sprintf("%s %s %s>%s", text("operation"), text("hostname"), text("from"), text("to")))
		}
		if got := strings.Join(changes, ", "); got != c.changes || dry["dry_run"] != true || !strings.Contains(dry["message"].(string), "ignored columns: rack") {
			t.Errorf("%s: %s, %v", c.path, got, dry)
		}
		real := b.expect(200, csvCall(c.path+"?mode=replace", c.file))
		if d := cmp.Diff(dry["changes"], real["changes"]); d != "" || b.audited() != before+int64(len(changes)) {
			t.Errorf("%s: %s", c.path, d)
		}
		if again := b.expect(200, csvCall(c.path+"?mode=replace&dry_run=true", c.file)); len(again["changes"].([]any)) != 0 {
			t.Errorf("%s: again %v", c.path, again)
		}
	}
	// A dry run is refused as the change would be.
	for _, dry := range []request{csvCall("/teams?dry_run=true", "host,team\nsw1,X\n"), {method: "POST", path: "/rules/import?dry_run=true", body: `{"version":1,"rules":[]}`}} {
		for _, c := range []struct {
			status int
			match  string
		}{{412, `"999999"`}, {400, `"abc"`}, {400, `"1", *`}} {
			stale := dry
			stale.header = append(slices.Clone(dry.header), "If-Match", c.match)
			b.refuse(c.status, "If-Match", "", stale)
		}
		b.expect(200, dry)
	}
	before := b.audited()
	b.refuse(400, "dry_run", "CSV files", request{method: "POST", path: "/dev-hosts?dry_run=true", body: `{"hostname":"x"}`})
	b.refuse(400, "mode", "CSV files", request{method: "POST", path: "/teams?mode=replace", body: `{"hostname":"x","team_assignment":"y"}`})
	if b.audited() != before {
		t.Error("a single entry was stored by a dry run")
	}
}
