package api

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/store"
)

// revisions are what a rollback does not put back.
var revisions = regexp.MustCompile(`,"revision":\d+`)

func rollbackOf(id int64, more string) request {
	return request{method: "POST", path: "/config/rollback", body: fmt.Sprintf(`{"audit_id":%d%s}`, id, more)}
}

func TestRollbackOfADynamicKey(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	put := func(value int) {
		b.expect(200, request{method: "PUT", path: "/config/moog_rate_limit", body: fmt.Sprintf(`{"value":%d}`, value)})
	}
	put(75) // 1: CREATE
	put(80) // 2: UPDATE
	got := b.expect(200, rollbackOf(2, `,"reason":"too fast"`))
	want := map[string]any{"key": "moog_rate_limit", "old_value": 80.0, "new_value": 75.0, "revision": 3.0, "audit_id": 3.0,
		"table_name": "dynamic_config", "record_id": "moog_rate_limit", "operation": "UPDATE", "records": 1.0}
	if d := cmp.Diff(want, got); d != "" {
		t.Fatal(d)
	}
	if row := b.expect(200, request{method: "GET", path: "/audit/3"}); row["reason"] != "rollback of change 2: too fast" || row["changed_by"] != "key:admin" {
		t.Fatalf("got %v", row)
	}
	b.refuse(409, "audit_id", "already as it was", rollbackOf(2, ""))
	put(90)                                                       // 4
	b.refuse(409, "audit_id", `changed since`, rollbackOf(2, "")) // made 80, and there is 90
	got = b.expect(200, rollbackOf(1, `,"force":true`))
	if got["operation"] != "DELETE" || got["new_value"] != 50.0 || got["old_value"] != 90.0 || got["revision"] != 0.0 {
		t.Fatalf("the creation undone is the default: %v", got)
	}
	b.refuse(409, "audit_id", "gone", rollbackOf(1, `,"force":true`))
	b.refuse(409, "audit_id", "roll its deletion back", rollbackOf(4, `,"force":true`))
	if got = b.expect(200, rollbackOf(5, "")); got["operation"] != "CREATE" || got["new_value"] != 90.0 {
		t.Fatalf("the deletion undone: %v", got)
	}
	b.refuse(409, "audit_id", "there again", rollbackOf(5, ""))
	b.refuse(412, "If-Match", "", request{method: "POST", path: "/config/rollback", body: `{"audit_id":6}`, header: []string{"If-Match", `"1"`}})
	if _, _, err := b.store.VerifyChain(t.Context()); err != nil || b.audited() != 6 {
		t.Fatalf("%d rows, %v", b.audited(), err)
	}
}

func TestRollbackOfARule(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	id := b.createRule(sampleRule) // 1
	path := fmt.Sprintf("/rules/%d", id)
	b.expect(200, request{method: "PUT", path: path, body: `{"priority":5,"min_severity":2}`}) // 2
	b.expect(200, request{method: "PUT", path: path, body: `{"name":"renamed"}`})              // 3
	got := b.expect(200, rollbackOf(2, ""))                                                    // 4: other fields were changed since
	if now := got["new_value"].(map[string]any); now["priority"] != 100.0 || now["name"] != "renamed" || now["min_severity"] != nil {
		t.Fatalf("only the fields of the change are put back: %v", got)
	}
	b.expect(200, request{method: "DELETE", path: path})                 // 5
	b.createRule(strings.Replace(sampleRule, "link down", "renamed", 1)) // 6: takes the name
	b.refuse(409, "name", "", rollbackOf(5, ""))
	b.expect(200, rollbackOf(6, ""))                                                                                // 7
	got = b.expect(200, request{method: "POST", path: "/config/rollback", body: `{"audit_id":5}`, key: "operator"}) // 8
	if r := b.expect(200, request{method: "GET", path: path}); r["name"] != "renamed" || r["id"] != float64(id) || got["operation"] != "CREATE" {
		t.Fatalf("the rule has its number again: %v", r)
	}
	if next := b.createRule(strings.Replace(sampleRule, "link down", "another", 1)); next <= id+1 {
		t.Fatalf("a number was given twice: %d", next)
	}
}

func TestRollbackOfHostsAndTeams(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.expect(201, request{method: "POST", path: "/dev-hosts", body: `{"hostname":"Lab-1"}`})                   // 1
	b.expect(200, request{method: "DELETE", path: "/dev-hosts/lab-1"})                                         // 2
	b.expect(201, request{method: "POST", path: "/dev-hosts", body: `{"hostname":"LAB-1"}`})                   // 3
	b.refuse(409, "audit_id", "LAB-1", rollbackOf(2, ""))                                                      // the same host
	b.expect(200, rollbackOf(3, ""))                                                                           // 4
	b.expect(200, rollbackOf(2, ""))                                                                           // 5
	b.expect(201, request{method: "POST", path: "/teams", body: `{"hostname":"sw1","team_assignment":"NOC"}`}) // 6
	b.expect(200, request{method: "PUT", path: "/teams/sw1", body: `{"team_assignment":"DC"}`})                // 7
	b.expect(200, rollbackOf(7, ""))                                                                           // 8
	if teams := decode[apiclient.Teams](b, b.get("/teams")).Teams; len(teams) != 1 || teams[0].TeamAssignment != "NOC" {
		t.Fatalf("got %v", teams)
	}
	b.expect(200, rollbackOf(8, "")) // 9: a rollback can be rolled back
	b.expect(200, rollbackOf(9, "")) // 10
	b.expect(200, rollbackOf(6, "")) // 11
	hosts := decode[apiclient.Hosts](b, b.get("/dev-hosts")).Hosts
	if teams := decode[apiclient.Teams](b, b.get("/teams")).Teams; len(teams) != 0 || len(hosts) != 1 || hosts[0].Hostname != "Lab-1" {
		t.Fatalf("got %v, %v", teams, hosts)
	}
}

func TestRollbackRefusals(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	change := func(fn func(tx *store.Tx) error) int64 {
		t.Helper()
		_, err := b.store.Change(t.Context(), store.Actor{Name: "test"}, "", fn)
		b.must(err)
		return b.audited()
	}
	key := change(func(tx *store.Tx) error {
		_, err := tx.PutAPIKey(store.APIKey{Name: "k", Role: "viewer", Hash: make([]byte, 32)})
		return err
	})
	b.refuse(422, "audit_id", "api_keys", rollbackOf(key, ""))
	b.refuse(404, "audit_id", "no row 99", rollbackOf(99, ""))
	for _, body := range []string{`{}`, `{"audit_id":0}`, `{"audit_id":-1}`} {
		b.refuse(422, "audit_id", "", request{method: "POST", path: "/config/rollback", body: body})
	}
	b.refuse(422, "audit_id", "number", request{method: "POST", path: "/config/rollback", body: `{"audit_id":"1"}`})
	limit := change(func(tx *store.Tx) error { return tx.SetConfig("moog_rate_limit", "9") })
	b.refuse(403, "", "admin", request{method: "POST", path: "/config/rollback", body: fmt.Sprintf(`{"audit_id":%d}`, limit), key: "operator"})
	b.refuse(403, "", "", request{method: "POST", path: "/config/rollback", body: fmt.Sprintf(`{"audit_id":%d}`, limit), key: "viewer"})

	// What the registry takes no more is not put back.
	change(func(tx *store.Tx) error { return tx.SetConfig("moog_rate_period", "99999") })
	beyond := change(func(tx *store.Tx) error { return tx.SetConfig("moog_rate_period", "5") })
	b.refuse(422, "value", "out of bounds", rollbackOf(beyond, ""))
	change(func(tx *store.Tx) error { return tx.SetConfig("gone_key", "1") })
	unknown := change(func(tx *store.Tx) error { return tx.UnsetConfig("gone_key") })
	b.refuse(422, "", "gone_key", rollbackOf(unknown, ""))

	before := b.audited()
	off := newBundle(t, func(d *Deps) { d.DynamicEnabled = false })
	off.refuse(503, "", "switched off", rollbackOf(1, ""))
	if b.audited() != before {
		t.Fatal("a refused rollback leaves no trace")
	}
}

func TestOneRowOfTheChangeAudit(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.createRule(sampleRule)
	row := b.expect(200, request{method: "GET", path: "/audit/1", key: "viewer"})
	if row["operation"] != "CREATE" || row["new_value"].(map[string]any)["name"] != "link down" || row["table_name"] != "alert_rules" {
		t.Fatalf("got %v", row)
	}
	b.refuse(404, "id", "no row 2", request{method: "GET", path: "/audit/2"})
	b.refuse(400, "id", "", request{method: "GET", path: "/audit/first"})
}

// Undoing the last changes in reverse order leads back through every state that there was.
func TestRollingAllBackAgainstModel(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	state := func() string {
		var all strings.Builder
		for _, path := range []string{"/api/v1/config", "/rules", "/dev-hosts", "/teams"} {
			all.WriteString(revisions.ReplaceAllString(b.get(path).Body.String(), ""))
		}
		return all.String()
	}
	rapid.Check(t, func(rt *rapid.T) {
		m := newModel(b)
		first := b.audited()
		states := []string{state()}
		steps := []func(*rapid.T){m.createRule, m.updateRule, m.deleteRule, m.host, m.team, m.config}
		for range rapid.IntRange(1, 10).Draw(rt, "steps") {
			steps[rapid.IntRange(0, len(steps)-1).Draw(rt, "step")](rt)
			if b.audited() > first+int64(len(states))-1 {
				states = append(states, state())
			}
		}
		for n := len(states) - 1; n > 0; n-- {
			if rec := b.do(rollbackOf(first+int64(n), "")); rec.Code != http.StatusOK {
				rt.Fatalf("roll back the change %d of %d: %d %s", n, len(states)-1, rec.Code, rec.Body)
			}
			if d := cmp.Diff(states[n-1], state()); d != "" {
				rt.Fatalf("after rolling back the change %d of %d:\n%s", n, len(states)-1, d)
			}
		}
	})
}
