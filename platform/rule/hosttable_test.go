package rule

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/muttproject/mutt/platform/event"
)

// TestHostEntries holds what an entry of the teams and of the development hosts means, and which of several wins.
func TestHostEntries(t *testing.T) {
	t.Parallel()
	teams := map[string]string{
		"Edge-7": "EXACT", "lab-*": "LABS", "lab-core-*": "CORE", "lab-?": "ONE", "10.20.0.0/16": "NETS", "10.20.30.0/24": "RACK",
		"192.0.2.7": "ADDRESS", "192.0.2.8/32": "ONE OF ONE", "2001:db8::/32": "SIX", "::ffff:198.51.100.0/120": "MAPPED",
		"10.99.1.1/16": "UNMASKED", "old/entry": "OLD", "10.0.0.0/99": "BROKEN", " ": "BLANK",
	}
	set, err := Compile(nil, Tables{Teams: teams, DevHosts: []string{"old/host", "203.0.113.5", "dev-*"}})
	if err != nil {
		t.Fatal(err)
	}
	sc := set.NewScratch()
	for _, c := range []struct {
		hostname, address, team string
		dev                     bool
	}{
		{hostname: "EDGE-7", address: "10.20.30.1", team: "EXACT"},
		{hostname: "lab-77", team: "LABS"},
		{hostname: "lab-core-1", team: "CORE"},
		{hostname: "LAB-7", address: "10.20.30.1", team: "ONE"},
		{hostname: "sw1", address: "10.20.3.4", team: "NETS"},
		{hostname: "10.20.3.4", team: "NETS"},
		{hostname: "10.20.3.4", address: "10.20.30.4", team: "RACK"},
		{hostname: "sw1", address: "10.20.30.4", team: "RACK"},
		{hostname: "sw1", address: "192.0.2.7", team: "ADDRESS"},
		{hostname: "192.0.2.7", team: "ADDRESS"},
		{hostname: "lab-77", address: "192.0.2.7", team: "LABS"},
		{hostname: "sw1", address: "::ffff:192.0.2.8", team: "ONE OF ONE"},
		{hostname: "sw1", address: "2001:db8:1::1", team: "SIX"},
		{hostname: "sw1", address: "198.51.100.9", team: "MAPPED"},
		{hostname: "sw1", address: "10.99.200.1", team: "UNMASKED"},
		{hostname: "OLD/entry", team: "OLD"},
		{hostname: "sw1", address: "10.0.0.1"},
		{hostname: "sw1", address: "not an address"},
		{hostname: ""},
		{hostname: "OLD/host", dev: true},
		{hostname: "sw1", address: "203.0.113.5", dev: true},
		{hostname: "DEV-1", dev: true},
	} {
		var d event.Decision
		e := event.Event{Hostname: c.hostname, SourceIP: c.address, Message: "odd", Severity: event.Absent}
		set.Judge(&e, 0, sc, &d)
		if d.Team != c.team || d.Dev != c.dev {
			t.Errorf("%q from %q: team %q, dev %v; want %q, %v", c.hostname, c.address, d.Team, d.Dev, c.team, c.dev)
		}
	}
}

// TestHostEntriesOnTheirOwn holds that an entry matches a host exactly when the same host_pattern would, for teams and
// development hosts alike, and that the winner does not depend on the order in which entries are read.
func TestHostEntriesOnTheirOwn(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		entries := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"core-1", "CORE-*", "core-?", "*", "10.0.0.0/8", "2001:db8::/32", "10.1.2.3/32", "edge", "Edge", "Köln-*", "KÖLN-1"}),
			0, 6, func(s string) string { return s }).Draw(t, "entries")
		e := genEvent().Draw(t, "event")
		want := slices.ContainsFunc(entries, func(p string) bool { return naiveHost(p, &e) })
		tables := Tables{DevHosts: entries, Teams: map[string]string{}}
		for _, p := range entries {
			tables.Teams[p] = strings.ToUpper(p)
		}
		var first string
		for i := range 2 {
			set, err := Compile(nil, tables)
			if err != nil {
				t.Fatal(err)
			}
			var d event.Decision
			set.Judge(&e, 0, set.NewScratch(), &d)
			if d.Dev != want || (d.Team != "") != want || i > 0 && d.Team != first {
				t.Fatalf("%v: %q from %q: dev %v, team %q after %q; want %v", entries, e.Hostname, e.SourceIP, d.Dev, d.Team, first, want)
			}
			first = d.Team
			slices.Reverse(tables.DevHosts)
		}
	})
}

func TestCheckHostEntry(t *testing.T) {
	t.Parallel()
	for entry, want := range map[string]bool{
		"sw1": true, "lab-*": true, "10.0.0.0/8": true, "10.0.0.1": true, "2001:db8::1": true, "2001:db8::/32": true,
		"10.0.0.0/99": false, "a/b": false, "[lab]": false, "a b": false, "{x,y}": false,
	} {
		if err := CheckHostEntry(entry); (err == nil) != want {
			t.Errorf("%q: %v", entry, err)
		}
	}
}
