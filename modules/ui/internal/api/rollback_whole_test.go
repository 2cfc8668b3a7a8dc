package api

import (
	"fmt"
	"strings"
	"testing"

	"github.com/muttproject/mutt/platform/rule"
	"github.com/muttproject/mutt/platform/store"
)

// wholeOf asks for the rollback of everything that was changed together with a row.
func wholeOf(id float64, more string) request {
	return request{method: "POST", path: "/config/rollback", body: fmt.Sprintf(`{"audit_id":%v,"whole":true%s}`, id, more), key: "operator"}
}

func TestRollbackOfAnImport(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	teams := func() string {
		var all []string
		for _, team := range b.expect(200, request{method: "GET", path: "/teams"})["teams"].([]any) {
			m := team.(map[string]any)
			all = append(all, fmt.Sprint(m["hostname"], "=", m["team_assignment"]))
		}
		return strings.Join(all, " ")
	}
	b.expect(200, csvCall("/teams", "hostname,team\nsw1,A\nsw2,B\nsw3,C\n"))
	before := teams()
	done := b.expect(200, csvCall("/teams?mode=replace", "hostname,team\nSW1,A\nsw2,X\nsw4,D\n"))
	row := done["audit_id"].(float64) // of three rows: sw2 changed, sw4 new, sw3 gone
	if after := teams(); after == before || done["created"] != 1.0 || done["updated"] != 1.0 || done["deleted"] != 1.0 {
		t.Fatalf("%v: %s", done, after)
	}
	// Any of the rows stands for the whole, and one record that is put back already does not hinder the others.
	b.expect(200, rollbackOf(int64(row), ""))
	got := b.expect(200, wholeOf(row-2, `,"reason":"the wrong file"`))
	if now := teams(); now != before || got["records"] != 2.0 || got["table_name"] != "device_teams" {
		t.Fatalf("%v: %q, want %q", got, now, before)
	}
	if last := b.expect(200, request{method: "GET", path: fmt.Sprintf("/audit/%v", got["audit_id"])}); !strings.Contains(last["reason"].(string), "the wrong file") {
		t.Fatalf("%v", last)
	}
	b.refuse(409, "audit_id", "already as it was before", wholeOf(row, ""))

	// All or nothing: what was changed since keeps the whole import.
	done = b.expect(200, csvCall("/teams", "hostname,team\nsw1,Z\nsw2,Z\n"))
	b.expect(200, request{method: "PUT", path: "/teams/sw1", body: `{"team_assignment":"mine"}`})
	kept := teams()
	b.refuse(409, "audit_id", "changed since", wholeOf(done["audit_id"].(float64), ""))
	if now := teams(); now != kept {
		t.Fatalf("a part was put back: %s", now)
	}
	b.expect(200, wholeOf(done["audit_id"].(float64), `,"force":true`))
	if now := teams(); now != before {
		t.Fatalf("%q, want %q", now, before)
	}
	// An import that changes nothing has no row.
	if done = b.expect(200, csvCall("/teams", "hostname,team\nsw1,A\n")); done["audit_id"] != nil {
		t.Fatalf("%v", done)
	}
}

func TestRollbackOfAnImportOfRules(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	file := func(text string) request {
		return request{method: "POST", path: "/rules/import?mode=replace", body: text, header: []string{"Content-Type", "application/yaml"}, key: "operator"}
	}
	entry := "- name: %s\n  match_string: %s\n  prod_handling: Ticket_only\n  dev_handling: Ignore\n  team_assignment: NOC\n"
	b.expect(200, file("version: 1\nrules:\n"+fmt.Sprintf(entry, "one", "a")+fmt.Sprintf(entry, "two", "b")))
	before := fmt.Sprint(b.names())
	done := b.expect(200, file("version: 1\nrules:\n"+fmt.Sprintf(entry, "two", "c")+fmt.Sprintf(entry, "three", "d")))
	b.expect(200, wholeOf(done["audit_id"].(float64), ""))
	if now := fmt.Sprint(b.names()); now != before {
		t.Fatalf("%s, want %s", now, before)
	}
}

// TestRollbackChecksWhatItPutsBack: a rule that is not valid any more, or contradicts its examples, keeps the whole import.
func TestRollbackChecksWhatItPutsBack(t *testing.T) {
	t.Parallel()
	for name, broken := range map[string]func(*rule.Rule){
		"match_string": func(r *rule.Rule) { r.MatchType, r.MatchString = rule.Regex, "(" },
		"examples":     func(r *rule.Rule) { r.Examples = &rule.Examples{Matches: []string{"something else"}} },
		"rules[138]":   func(r *rule.Rule) { r.MatchType, r.MatchString = rule.Regex, `(a?.?b?){900}\d$` },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBundle(t)
			change := func(fn func(tx *store.Tx) error) (id int64) {
				_, err := b.store.Change(t.Context(), store.Actor{Name: "another version"}, "", func(tx *store.Tx) error {
					err := fn(tx)
					id = tx.AuditID()
					return err
				})
				b.must(err)
				return id
			}
			var ids []int64
			change(func(tx *store.Tx) error {
				for i := range 150 {
					r := rule.Rule{Name: fmt.Sprint("r", i), MatchType: rule.Contains, MatchString: "x", ProdHandling: "Page_only", DevHandling: "Ignore", TeamAssignment: "NOC", IsActive: true}
					if broken(&r); name != "rules[138]" && i != 3 {
						r.MatchType, r.MatchString, r.Examples = rule.Contains, "x", nil
					}
					id, err := tx.CreateRule(r)
					if ids = append(ids, id); err != nil {
						return err
					}
				}
				return nil
			})
			gone := change(func(tx *store.Tx) error {
				for _, id := range ids {
					if err := tx.DeleteRule(id); err != nil {
						return err
					}
				}
				return nil
			})
			b.refuse(422, name, "", wholeOf(float64(gone), ""))
			if left := b.names(); len(left) != 0 {
				t.Fatalf("a part was put back: %v", left)
			}
		})
	}
}

// names lists the rules by their names with what they match.
func (b *bundle) names() (names []string) {
	for _, r := range b.expect(200, request{method: "GET", path: "/rules"})["rules"].([]any) {
		m := r.(map[string]any)
		names = append(names, fmt.Sprint(m["id"], " ", m["name"], " ", m["match_string"]))
	}
	return names
}
