package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/rule"
	"github.com/muttproject/mutt/platform/store"
)

// model is what the configuration must be after a sequence of calls, kept in the plainest way.
type model struct {
	*bundle
	rules   map[string]int // name to priority
	ids     map[string]int64
	hosts   map[string]bool
	teams   map[string]string
	limit   int // moog_rate_limit, 0 for not set
	changes int64
}

// newModel empties the store for the next sequence: opening one anew each time would cost more than the test.
func newModel(b *bundle) *model {
	_, err := b.store.Change(b.Context(), store.Actor{Name: "test"}, "reset", func(tx *store.Tx) error {
		rules, err := tx.Rules()
		for i := range rules {
			err = errors.Join(err, tx.DeleteRule(rules[i].ID))
		}
		hosts, listed := tx.DevHosts()
		for _, h := range hosts {
			err = errors.Join(err, tx.DeleteDevHost(h.Hostname))
		}
		teams, listedToo := tx.Teams()
		for _, t := range teams {
			err = errors.Join(err, tx.DeleteTeam(t.Hostname))
		}
		set, known := tx.ConfigValue("moog_rate_limit")
		if set != nil {
			err = errors.Join(err, tx.UnsetConfig("moog_rate_limit"))
		}
		return errors.Join(err, listed, listedToo, known)
	})
	b.must(err)
	return &model{bundle: b, rules: map[string]int{}, ids: map[string]int64{}, hosts: map[string]bool{}, teams: map[string]string{}, changes: b.audited()}
}

// call does one call and wants its status; done says whether it was to be carried out.
func (m *model) call(rt *rapid.T, status int, r request) map[string]any {
	rec := m.do(r)
	if rec.Code != status {
		rt.Fatalf("%s %s %s: got %d, want %d: %s", r.method, r.path, r.body, rec.Code, status, rec.Body)
	}
	if status < 300 && r.method != "GET" {
		m.changes++
	}
	var out map[string]any
	if err := json.Unmarshal(rec.Body.Bytes(), &out); err != nil {
		rt.Fatal(err)
	}
	return out
}

func names() *rapid.Generator[string] { return rapid.SampledFrom([]string{"alpha", "beta", "gamma"}) }

func ruleText(name string, priority int) string {
	return fmt.Sprintf(`{"name":%q,"match_string":%q,"prod_handling":"Ignore","dev_handling":"Ignore","team_assignment":"T","priority":%d}`, name, name, priority)
}

func (m *model) createRule(rt *rapid.T) {
	name, priority := names().Draw(rt, "name"), rapid.IntRange(1, 9).Draw(rt, "priority")
	_, known := m.rules[name]
	out := m.call(rt, map[bool]int{false: 201, true: 409}[known], request{method: "POST", path: "/rules", body: ruleText(name, priority)})
	if !known {
		m.rules[name], m.ids[name] = priority, int64(out["id"].(float64))
	}
}

func (m *model) updateRule(rt *rapid.T) {
	name, priority, stale := names().Draw(rt, "name"), rapid.IntRange(1, 9).Draw(rt, "priority"), rapid.Bool().Draw(rt, "stale")
	if _, known := m.rules[name]; !known {
		m.call(rt, 404, request{method: "PUT", path: fmt.Sprintf("/rules/%d", int64(math.MaxInt64)), body: `{"priority":1}`})
		return
	}
	path := fmt.Sprintf("/rules/%d", m.ids[name])
	tag := m.get(path).Header().Get("ETag")
	if stale {
		m.call(rt, 412, request{method: "PUT", path: path, body: `{"priority":1}`, header: []string{"If-Match", `"999999"`}})
		return
	}
	m.call(rt, 200, request{method: "PATCH", path: path, body: fmt.Sprintf(`{"priority":%d}`, priority), header: []string{"If-Match", tag}})
	if m.rules[name] == priority {
		m.changes-- // nothing was to change
	}
	m.rules[name] = priority
}

func (m *model) deleteRule(rt *rapid.T) {
	name := names().Draw(rt, "name")
	status, id := 404, int64(math.MaxInt64)
	if _, known := m.rules[name]; known {
		status, id = 200, m.ids[name]
	}
	m.call(rt, status, request{method: "DELETE", path: fmt.Sprintf("/rules/%d", id)})
	delete(m.rules, name)
	delete(m.ids, name)
}

func (m *model) host(rt *rapid.T) {
	name := names().Draw(rt, "name")
	if rapid.Bool().Draw(rt, "add") {
		m.call(rt, map[bool]int{false: 201, true: 409}[m.hosts[name]], request{method: "POST", path: "/dev-hosts", body: fmt.Sprintf(`{"hostname":%q}`, strings.ToUpper(name))})
		m.hosts[name] = true
		return
	}
	m.call(rt, map[bool]int{true: 200, false: 404}[m.hosts[name]], request{method: "DELETE", path: "/dev-hosts/" + name})
	delete(m.hosts, name)
}

func (m *model) team(rt *rapid.T) {
	name, team := names().Draw(rt, "name"), rapid.SampledFrom([]string{"NOC", "DC"}).Draw(rt, "team")
	old, known := m.teams[name]
	switch rapid.IntRange(0, 2).Draw(rt, "what") {
	case 0:
		m.call(rt, map[bool]int{false: 201, true: 409}[known], request{method: "POST", path: "/teams", body: fmt.Sprintf(`{"hostname":%q,"team_assignment":%q}`, name, team)})
		if !known {
			m.teams[name] = team
		}
	case 1:
		m.call(rt, map[bool]int{true: 200, false: 404}[known], request{method: "PUT", path: "/teams/" + name, body: fmt.Sprintf(`{"team_assignment":%q}`, team)})
		if known {
			m.teams[name] = team
		}
		if known && old == team {
			m.changes--
		}
	case 2:
		m.call(rt, map[bool]int{true: 200, false: 404}[known], request{method: "DELETE", path: "/teams/" + name})
		delete(m.teams, name)
	}
}

func (m *model) config(rt *rapid.T) {
	value := rapid.IntRange(0, 3).Draw(rt, "limit")
	before := m.limit
	var out map[string]any
	if value == 0 {
		out = m.call(rt, 200, request{method: "DELETE", path: "/config/moog_rate_limit"})
	} else {
		out = m.call(rt, 200, request{method: "PUT", path: "/config/moog_rate_limit", body: fmt.Sprintf(`{"value":%d}`, value)})
	}
	if m.limit = value; before == value {
		m.changes--
	}
	shown := func(n int) float64 {
		if n == 0 {
			return 50
		}
		return float64(n)
	}
	if out["old_value"] != shown(before) || out["new_value"] != shown(value) {
		rt.Fatalf("from %d to %d: got %v", before, value, out)
	}
}

// check compares everything that can be read with the model.
func (m *model) check(rt *rapid.T) {
	rules := decode[apiclient.Rules](m.bundle, m.get("/rules"))
	got := map[string]int{}
	for _, r := range rules.Rules {
		if got[r.Name] = r.Priority; m.ids[r.Name] != r.ID {
			rt.Fatalf("rule %q has id %d, want %d", r.Name, r.ID, m.ids[r.Name])
		}
	}
	hosts := map[string]bool{}
	for _, h := range decode[apiclient.Hosts](m.bundle, m.get("/dev-hosts")).Hosts {
		hosts[strings.ToLower(h.Hostname)] = true
	}
	teams := map[string]string{}
	for _, t := range decode[apiclient.Teams](m.bundle, m.get("/teams")).Teams {
		teams[t.Hostname] = t.TeamAssignment
	}
	if d := cmp.Diff(m.rules, got) + cmp.Diff(m.hosts, hosts) + cmp.Diff(m.teams, teams); d != "" {
		rt.Fatal(d)
	}
	if n := m.audited(); n != m.changes {
		rt.Fatalf("%d audit rows for %d changes", n, m.changes)
	}
}

// TestAgainstModel: whatever the order of calls, the answers are those of plain maps, and each change that was
// carried out, and no other, has one audit row.
func TestAgainstModel(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	rapid.Check(t, func(rt *rapid.T) {
		m := newModel(b)
		steps := []func(*rapid.T){m.createRule, m.updateRule, m.deleteRule, m.host, m.team, m.config}
		for range rapid.IntRange(1, 12).Draw(rt, "steps") {
			steps[rapid.IntRange(0, len(steps)-1).Draw(rt, "step")](rt)
		}
		m.check(rt)
	})
	if _, _, err := b.store.VerifyChain(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// TestImportAgainstModel: merge keeps what the file does not name, replace does not; the counts are those of the
// difference, a dry run says the same beforehand, and a second import changes nothing.
func TestImportAgainstModel(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	rapid.Check(t, func(rt *rapid.T) {
		m := newModel(b)
		ruleset := rapid.MapOf(names(), rapid.IntRange(1, 3))
		want := map[string]int{}
		for i := range 2 {
			in := ruleset.Draw(rt, fmt.Sprintf("import %d", i))
			mode := rapid.SampledFrom([]string{"merge", "replace"}).Draw(rt, "mode")
			after := map[string]int{}
			if mode == "merge" {
				for n, p := range want {
					after[n] = p
				}
			}
			var rules []rule.Rule
			for n, p := range in {
				after[n] = p
				rules = append(rules, rule.Rule{Name: n, MatchString: n, ProdHandling: "Ignore", DevHandling: "Ignore", TeamAssignment: "T", Priority: p, IsActive: true})
			}
			file, err := rule.WriteFile(rules)
			if err != nil {
				rt.Fatal(err)
			}
			dry := m.imported(importCall("?dry_run=true&mode="+mode, "application/yaml", string(file)))
			done := m.imported(importCall("?mode="+mode, "application/yaml", string(file)))
			created, updated, deleted := compare(want, after)
			if done.Created != created || done.Updated != updated || done.Deleted != deleted || done.Unchanged != len(after)-created-updated {
				rt.Fatalf("from %v to %v: got %+v", want, after, done)
			}
			dry.DryRun, dry.Revision, dry.AuditID = false, done.Revision, done.AuditID
			if d := cmp.Diff(dry, done); d != "" {
				rt.Fatal("the dry run said something else", d)
			}
			if again := m.imported(importCall("?mode="+mode, "application/yaml", string(file))); len(again.Changes) != 0 {
				rt.Fatalf("not idempotent: %+v", again)
			}
			got := map[string]int{}
			for _, r := range decode[apiclient.Rules](m.bundle, m.get("/rules")).Rules {
				got[r.Name] = r.Priority
			}
			if d := cmp.Diff(after, got); d != "" {
				rt.Fatal(d)
			}
			want = after
		}
	})
}

func compare(from, to map[string]int) (created, updated, deleted int) {
	for n, p := range to {
		if old, known := from[n]; !known {
			created++
		} else if old != p {
			updated++
		}
	}
	for n := range from {
		if _, kept := to[n]; !kept {
			deleted++
		}
	}
	return created, updated, deleted
}

// TestBothVersionsAnswerAlike asks every readable path under both prefixes.
func TestBothVersionsAnswerAlike(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.createRule(sampleRule)
	b.createKey(`{"name":"netops","role":"viewer"}`)
	b.judge(auditRow(1, "sw1", 1, 1, 1))
	b.kill("alert", 1)
	asked := 0
	for _, e := range b.api.endpoints() {
		// /config has items of version 2 only; a session is not asked for with a key.
		if e.method != http.MethodGet || e.path == "/config" || e.path == "/session" {
			continue
		}
		asked++
		path := strings.NewReplacer("/rules/:id", "/rules/1", "/keys/:id", "/keys/1", ":key", "log_level", ":queue", "alert", "/audit/:id", "/audit/1", ":id", url.PathEscape(testID(1).String())).Replace(e.path)
		v1, v2 := b.get("/api/v1"+path), b.get("/api/v2"+path)
		if v1.Code != 200 || v1.Body.String() != v2.Body.String() || v1.Header().Get("ETag") != v2.Header().Get("ETag") {
			t.Errorf("%s: %d %s\n%d %s", path, v1.Code, v1.Body, v2.Code, v2.Body)
		}
		if v1.Header().Get("X-API-Deprecated") != "true" || v2.Header().Get("X-API-Deprecated") != "false" || v1.Header().Get("X-API-Version") != "v2.5" {
			t.Errorf("%s: version headers %v", path, v1.Header())
		}
	}
	if asked < 20 {
		t.Errorf("asked %d paths", asked)
	}
}
