package api

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/rule"
	"github.com/muttproject/mutt/platform/store"
)

// TestEventIsExplainedByTheRulesOfThenAndOfToday changes the rules after the judging.
func TestEventIsExplainedByTheRulesOfThenAndOfToday(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	const far = `{"name":"fans","match_string":"fan","host_pattern":"rt*","prod_handling":"Ticket_only","dev_handling":"Ignore","team_assignment":"DC"}`
	b.createRule(sampleRule)
	b.createRule(far)
	_, version, err := b.store.Revisions(t.Context())
	b.must(err)
	row := auditRow(1, "sw1", event.FateForwarded, event.PageAndTicket, 1)
	row.Event.Message = "link down on Gi0/1"
	row.Decision.RuleName, row.Decision.Team, row.Decision.RulesetVersion = "link down", "NETOPS", version
	b.judge(row)
	of := func(query string) (out apiclient.EventExplained) {
		t.Helper()
		rec := b.do(request{method: "GET", path: "/events/" + testID(1).String() + query, key: "viewer"})
		if rec.Code != 200 {
			t.Fatalf("got %d %s", rec.Code, rec.Body)
		}
		b.must(json.Unmarshal(rec.Body.Bytes(), &out))
		return out
	}
	get := func() (both apiclient.EventExplained) {
		t.Helper()
		both = of("")
		if one := of("?ruleset=then"); one.Now != nil || !cmp.Equal(one.Then, both.Then) {
			t.Errorf("then alone: %+v", one)
		}
		if one := of("?ruleset=now"); one.Then != nil || !cmp.Equal(one.Now, both.Now) {
			t.Errorf("now alone: %+v", one)
		}
		return both
	}
	b.refuse(400, "ruleset", "then or now", request{method: "GET", path: "/events/" + testID(1).String() + "?ruleset=both", loose: true})
	got := get()
	if got.Then == nil || !cmp.Equal(got.Then, got.Now) || !got.Now.AsRecorded || *got.Now.RuleID != 1 || got.Now.Rules != 2 || *got.Now.Priority != 100 ||
		len(got.Now.Losers) != 1 || got.Now.Losers[0].RuleID != 2 || len(got.Now.Losers[0].Misses) != 2 {
		t.Errorf("before a change: %+v", got)
	}
	b.expect(200, request{method: "PATCH", path: "/rules/1", body: `{"prod_handling":"Ignore","match_string":"link down on"}`})
	b.expect(200, request{method: "DELETE", path: "/rules/2"})
	b.expect(201, request{method: "POST", path: "/dev-hosts", body: `{"hostname":"sw*"}`})
	got = get()
	if got.Then == nil || got.Then.RulesetVersion != version || !got.Then.AsRecorded || got.Then.Rules != 2 || got.Then.Handling != "Page_and_ticket" ||
		got.Now.AsRecorded || got.Now.Handling != "Log_only" || got.Now.Environment != "dev" || got.Now.Rules != 1 {
		t.Errorf("after changes: then %+v, now %+v", got.Then, got.Now)
	}
	for _, id := range []string{testID(7).String(), "7", strings.ToUpper("urn:uuid:") + testID(1).String(), "%7B" + testID(1).String() + "%7D"} {
		b.refuse(404, "id", "", request{method: "GET", path: "/events/" + id, loose: true})
		b.refuse(404, "id", "", request{method: "GET", path: "/audit-logs/" + id, loose: true})
	}
}

// TestEventOfRulesThatAreNotKnown has rows of versions that this store never had, or of which retention removed the changes.
func TestEventOfRulesThatAreNotKnown(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.createRule(sampleRule)
	future := auditRow(1, "sw1", event.FateUnhandled, event.HandlingNone, 0)
	future.Decision.RulesetVersion = 99
	b.judge(future)
	out := b.expect(200, request{method: "GET", path: "/events/" + testID(1).String()})
	if out["then"] != nil || !strings.Contains(out["then_unknown"].(string), "restored") {
		t.Errorf("of a version to come: %v, %v", out["then"], out["then_unknown"])
	}
}

// TestPastRulesetsComeBackWhole makes changes at random and compares what is walked back to with what was read at that time.
func TestPastRulesetsComeBackWhole(t *testing.T) {
	t.Parallel()
	b, random := newBundle(t), rand.New(rand.NewPCG(3, 4))
	type state struct {
		rules  []rule.Rule
		tables rule.Tables
	}
	var states []state
	read := func() (s state) {
		var err error
		s.rules, s.tables, err = b.store.Ruleset(t.Context())
		b.must(err)
		return s
	}
	pick := func(list ...string) string { return list[random.IntN(len(list))] }
	severity := func() *int { n := random.IntN(8); return &n }
	change := func(tx *store.Tx) error {
		present, err := tx.Rules()
		if err != nil {
			return err
		}
		r := rule.Rule{Name: fmt.Sprint("rule ", random.IntN(1e6)), MatchType: rule.Contains, MatchString: pick("a", "b"), Priority: random.IntN(3) + 1, ProdHandling: "Page_only",
			DevHandling: "Ignore", TeamAssignment: pick("NETO", "DC"), IsActive: random.IntN(2) == 0}
		if random.IntN(2) == 0 {
			r.SyslogSeverity, r.HostPattern = severity(), pick("", "sw*")
		}
		if random.IntN(3) == 0 {
			r.Examples = &rule.Examples{Matches: []string{"a"}}
		}
		switch n := random.IntN(6); {
		case n < 2 || len(present) == 0:
			_, err = tx.CreateRule(r)
		case n < 4:
			old := present[random.IntN(len(present))]
			r.ID, r.Name = old.ID, old.Name
			err = tx.UpdateRule(r)
		case n == 4:
			err = tx.DeleteRule(present[random.IntN(len(present))].ID)
		default:
			err = tx.PutTeam(store.Team{Hostname: pick("sw1", "sw2"), TeamAssignment: pick("A", "B")})
		}
		return err
	}
	hosts := map[string]bool{}
	for range 60 {
		states = append(states, read())
		_, err := b.store.Change(t.Context(), store.Actor{Name: "test"}, "test", func(tx *store.Tx) error {
			if random.IntN(4) == 0 {
				h := pick("lab1", "lab-*")
				if hosts[h] = !hosts[h]; hosts[h] {
					return tx.PutDevHost(h)
				}
				return tx.DeleteDevHost(h)
			}
			for range 1 + random.IntN(3) {
				if err := change(tx); err != nil {
					return err
				}
			}
			return nil
		})
		b.must(err)
	}
	now := read()
	for _, want := range states {
		rules, tables, unknown, err := b.api.rulesetAt(context.Background(), want.tables.Version, now.rules, now.tables)
		if err != nil || unknown != "" {
			t.Fatalf("version %d: %v %s", want.tables.Version, err, unknown)
		}
		opts := cmp.Options{cmpopts.EquateEmpty(), cmpopts.IgnoreFields(rule.Rule{}, "Revision"), cmpopts.SortSlices(strings.Compare)}
		if d := cmp.Diff(want.rules, rules, opts) + cmp.Diff(want.tables, tables, opts); d != "" {
			t.Fatalf("version %d differs (-then +walked back):\n%s", want.tables.Version, d)
		}
	}
}
