package api

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/store"
)

func csvCall(path, body string) request {
	return request{method: "POST", path: path, body: body, header: []string{"Content-Type", "text/csv; charset=utf-8", "X-Reason", "import"}}
}

func TestDevHosts(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	for _, name := range []string{"lab1", "LAB-*", "10.0.0.0/8"} {
		b.expect(201, request{method: "POST", path: "/dev-hosts", body: `{"hostname":" ` + name + ` ","reason":"lab"}`})
	}
	b.refuse(409, "hostname", "already", request{method: "POST", path: "/dev-hosts", body: `{"hostname":"LAB1"}`})
	for _, bad := range []string{``, `a b`, `a\u0007`, `10.0.0.0/99`, `[a]*`, strings.Repeat("x", 254)} {
		b.refuse(422, "hostname", "", request{method: "POST", path: "/dev-hosts", body: `{"hostname":"` + bad + `"}`})
	}
	b.refuse(422, "host", "not a field", request{method: "POST", path: "/dev-hosts", body: `{"host":"x"}`})
	b.refuse(422, "hostname", "a text", request{method: "POST", path: "/dev-hosts", body: `{"hostname":7}`})
	b.expect(200, request{method: "DELETE", path: "/dev-hosts/10.0.0.0%2F8"})
	b.refuse(404, "hostname", "", request{method: "DELETE", path: "/dev-hosts/10.0.0.0%2F8"})
	b.refuse(412, "If-Match", "", request{method: "DELETE", path: "/dev-hosts/lab1", header: []string{"If-Match", "9"}})
	b.expect(200, request{method: "DELETE", path: "/dev-hosts/lab1", header: []string{"If-Match", "1"}})
	hosts, err := b.store.DevHosts(t.Context())
	b.must(err)
	if d := cmp.Diff([]store.DevHost{{Hostname: "LAB-*", Revision: 2}}, hosts); d != "" {
		t.Fatal(d)
	}
}

func TestTeams(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.expect(201, request{method: "POST", path: "/teams", body: `{"hostname":"sw1","team_assignment":"NOC"}`})
	b.refuse(409, "hostname", "NOC", request{method: "POST", path: "/teams", body: `{"hostname":"SW1","team_assignment":"DC"}`})
	b.refuse(422, "team_assignment", "required", request{method: "POST", path: "/teams", body: `{"hostname":"sw2"}`})
	b.refuse(412, "If-Match", "", request{method: "PUT", path: "/teams/sw1", body: `{"team_assignment":"DC"}`, header: []string{"If-Match", `"7"`}})
	b.expect(200, request{method: "PUT", path: "/teams/sw1", body: `{"team_assignment":"DC","reason":"moved"}`, header: []string{"If-Match", `"1"`}})
	b.refuse(422, "hostname", "path", request{method: "PUT", path: "/teams/sw1", body: `{"hostname":"sw9","team_assignment":"DC"}`})
	b.refuse(404, "hostname", "no team", request{method: "PUT", path: "/teams/sw9", body: `{"team_assignment":"DC"}`})
	b.refuse(404, "hostname", "no team", request{method: "DELETE", path: "/teams/sw9"})
	for _, bad := range []string{`10.0.0.0/99`, `a/b`, `[lab]`} {
		b.refuse(422, "hostname", "CIDR", request{method: "POST", path: "/teams", body: `{"hostname":"` + bad + `","team_assignment":"DC"}`})
	}
	teams, err := b.store.Teams(t.Context())
	b.must(err)
	if d := cmp.Diff([]store.Team{{Hostname: "sw1", TeamAssignment: "DC", Revision: 2}}, teams); d != "" {
		t.Fatal(d)
	}
	b.expect(200, request{method: "DELETE", path: "/teams/sw1"})
	if b.audited() != 3 {
		t.Fatalf("audit rows: %d", b.audited())
	}
}

func TestCSVImport(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	got := b.expect(200, csvCall("/dev-hosts", "\xef\xbb\xbfHostname\r\nlab1\r\n\r\n lab-* \n"))
	if got["created"] != 2.0 {
		t.Fatalf("got %v", got)
	}
	if got = b.expect(200, csvCall("/dev-hosts", "LAB1\nlab2\n")); got["created"] != 1.0 || got["unchanged"] != 1.0 {
		t.Fatalf("got %v", got)
	}
	b.expect(200, csvCall("/teams", "hostname,team_assignment\nsw1,NOC\nsw2,\"Data, centre\"\n"))
	got = b.expect(200, csvCall("/teams", "sw1,DC\nSW2,\"Data, centre\"\nsw3,NOC\n"))
	if got["created"] != 1.0 || got["updated"] != 1.0 || got["unchanged"] != 1.0 {
		t.Fatalf("got %v", got)
	}
	before := b.audited()
	b.refuse(422, "line 3", "has 1 cell,", csvCall("/teams", "hostname,team_assignment\nsw8,NOC\nsw9\nsw10,\n"))
	b.refuse(422, "line 3", "line 4: team_assignment is required", csvCall("/teams", "hostname,team_assignment\nsw8,NOC\nsw9\nsw10,\n"))
	b.refuse(422, "line 2", "line 1 already", csvCall("/teams", "sw8,NOC\nSW8,DC\n"))
	b.refuse(422, "line 2", "CIDR", csvCall("/dev-hosts", "lab8\n10.0.0.0/99\n"))
	b.refuse(400, "line 2", "not valid CSV", csvCall("/dev-hosts", "lab8\n\"open\n"))
	b.refuse(400, "", "no records", csvCall("/dev-hosts", "hostname\n"))
	b.refuse(400, "", "empty", csvCall("/teams", "\n \n"))
	if b.audited() != before {
		t.Fatal("all or nothing")
	}
	page, err := b.store.Changes(t.Context(), store.ChangeFilter{Limit: 1})
	b.must(err)
	if page.Items[0].Reason != "import" {
		t.Fatalf("got %+v", page.Items[0])
	}
}

func TestCSVListsABoundedNumberOfFaults(t *testing.T) {
	t.Parallel()
	_, err := parseCSV([]byte(strings.Repeat("a,b\n", 1000)), []column{hostColumn()}, func([]string) error { return nil })
	f, ok := fault.As(err)
	if !ok || f.Field != "line 1" || !strings.Contains(f.Message, "and 989 more lines") || len(f.Message) > 1000 {
		t.Fatalf("got %v", err)
	}
}

func FuzzCSV(f *testing.F) {
	for _, seed := range []string{"", "hostname,team_assignment\nsw1,NOC\n", "a\n", "\"", "a,b\nA,c", "\xef\xbb\xbfa,b", "a,\x00", "\xff,b", "a,b\r\rc,d", ",,,", "a,\"b\nc\"\nd,e"} {
		f.Add(seed)
	}
	columns := []column{hostColumn(), teamColumn()}
	f.Fuzz(func(t *testing.T, body string) {
		file, err := parseCSV([]byte(body), columns, func(cells []string) error {
			return checkTeam(store.Team{Hostname: cells[0], TeamAssignment: cells[1]})
		})
		if err != nil {
			e, ok := fault.As(err)
			if !ok || fault.Describe(e.Code).Status >= 500 || !utf8.ValidString(e.Message) {
				t.Fatalf("not the caller's fault: %v", err)
			}
			return
		}
		// What was accepted is accepted again when it is written plainly.
		seen := map[string]bool{}
		last := 0
		for _, r := range file.rows {
			key := strings.ToLower(r.cells[0])
			if len(r.cells) != 2 || r.cells[0] == "" || r.cells[1] == "" || seen[key] || r.line <= last {
				t.Fatalf("accepted %q in line %d", r.cells, r.line)
			}
			seen[key], last = true, r.line
			if fmt.Sprint(r.cells) != strings.ToValidUTF8(fmt.Sprint(r.cells), "") {
				t.Fatalf("not UTF-8: %q", r.cells)
			}
		}
	})
}
