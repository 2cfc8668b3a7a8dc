package api

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/authn"
	"github.com/muttproject/mutt/platform/store"
)

func (b *bundle) createKey(body string) map[string]any {
	b.Helper()
	return b.expect(http.StatusCreated, request{method: "POST", path: "/keys", body: body})
}

// bootstrapKey stores a key as app does for those of the secret source.
func (b *bundle) bootstrapKey(name, role string) {
	b.Helper()
	hash := authn.HashSecret(name)
	_, err := b.store.Change(b.Context(), store.Actor{Name: "system"}, "", func(tx *store.Tx) error {
		_, err := tx.PutAPIKey(store.APIKey{Name: name, Role: role, Hash: hash[:], Bootstrap: true})
		return err
	})
	b.must(err)
}

// stored gives what is kept of a key.
func (b *bundle) storedKey(id int64) store.APIKey {
	b.Helper()
	keys, err := b.store.APIKeys(b.Context())
	b.must(err)
	k, err := findKey(keys, id)
	b.must(err)
	return *k
}

func TestKeyLifecycle(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	made := b.createKey(`{"name":"netops-ci","role":"operator","expires_in":"90d","rate_limit":60,"reason":"CI"}`)
	first := made["secret"].(string)
	k := b.storedKey(1)
	hash := authn.HashSecret(first)
	if string(k.Hash) != string(hash[:]) || k.Role != "operator" || k.RateLimit != 60 || !k.ExpiresAt.Equal(noon.Add(90*24*time.Hour)) {
		t.Fatalf("stored %+v", k)
	}
	b.must(b.store.NoteKeyUse(t.Context(), []store.KeyUse{{Hash: k.Hash, At: noon}}))

	rotated := b.expect(200, request{method: "POST", path: "/keys/1/rotate", body: `{"grace":"1h","reason":"yearly"}`})
	if rotated["secret"] == first || rotated["key"].(map[string]any)["last_used"] != nil {
		t.Errorf("a new secret was not used yet: %v", rotated)
	}
	second := rotated["key"].(map[string]any)["second_secret"].(map[string]any)
	if second["expires_at"] != "2026-11-23T13:30:15Z" || second["last_used"] != "2026-11-23T12:30:15Z" {
		t.Errorf("the old secret goes on for an hour: %v", second)
	}
	b.expect(200, request{method: "PATCH", path: "/keys/1", body: `{"drop_second_secret":true}`})
	if k := b.storedKey(1); k.Second != nil || !k.SecondUntil.IsZero() || !k.SecondUsed.IsZero() {
		t.Errorf("the old secret is still there: %+v", k)
	}
	b.expect(200, request{method: "POST", path: "/keys/1/rotate", body: `{}`})
	if k := b.storedKey(1); k.Second != nil {
		t.Errorf("without grace the old secret is refused at once: %+v", k)
	}
	b.expect(200, request{method: "PATCH", path: "/keys/1", body: `{"name":"ci","role":"viewer","expires_in":"never","rate_limit":0}`})
	if k := b.storedKey(1); k.Name != "ci" || k.Role != "viewer" || !k.ExpiresAt.IsZero() || k.RateLimit != 0 {
		t.Errorf("stored %+v", k)
	}
	b.expect(200, request{method: "PATCH", path: "/keys/1", body: `{"expires_at":"2027-01-01T00:00:00+01:00"}`})
	b.expect(200, request{method: "DELETE", path: "/keys/1", header: []string{"X-Reason", "gone"}})
	b.refuse(404, "id", "no API key 1", request{method: "GET", path: "/keys/1"})
	if n := b.audited(); n != 7 {
		t.Errorf("%d rows in the audit", n)
	}
	page, err := b.store.Changes(t.Context(), store.ChangeFilter{Limit: 50})
	b.must(err)
	for _, c := range page.Items {
		if text := c.OldValue + c.NewValue; strings.Contains(text, "mutt_") || strings.Contains(text, "hash") || c.ChangedBy != "key:admin" {
			t.Errorf("audit row %+v %s", c, text)
		}
	}
	if got := b.applied.Load(); got != 7 {
		t.Errorf("brought into force %d times", got)
	}
}

func TestKeyRefusals(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.bootstrapKey("bootstrap-admin", "admin")
	b.createKey(`{"name":"one","role":"viewer","expires_in":"30m"}`)
	for body, want := range map[string][2]string{
		`{"role":"viewer"}`:                                                                  {"name", "1 to 64"},
		`{"name":"a b","role":"viewer"}`:                                                     {"name", "1 to 64"},
		`{"name":"Bootstrap-x","role":"viewer"}`:                                             {"name", "secret source"},
		`{"name":"x"}`:                                                                       {"role", "choose"},
		`{"name":"x","role":"any"}`:                                                          {"role", "choose"},
		`{"name":"x","role":"viewer","extra":1}`:                                             {"extra", "not a field"},
		`{"name":"x","role":"viewer","rate_limit":-1}`:                                       {"rate_limit", "6000000"},
		`{"name":"x","role":"viewer","expires_in":"soon"}`:                                   {"expires_in", "90d"},
		`{"name":"x","role":"viewer","expires_in":"-1d"}`:                                    {"expires_in", "90d"},
		`{"name":"x","role":"viewer","expires_in":"1e9d"}`:                                   {"expires_in", "90d"},
		`{"name":"x","role":"viewer","expires_at":"2026-11-23T12:30:15Z"}`:                   {"expires_at", "passed"},
		`{"name":"x","role":"viewer","expires_at":"9000-01-01T00:00:00Z"}`:                   {"expires_at", "100 years"},
		`{"name":"x","role":"viewer","expires_at":"2027-01-01T00:00:00Z","expires_in":"1d"}`: {"expires_in", "one of them"},
	} {
		b.refuse(422, want[0], want[1], request{method: "POST", path: "/keys", body: body})
	}
	b.refuse(409, "name", "already", request{method: "POST", path: "/keys", body: `{"name":"one","role":"viewer"}`})
	b.refuse(422, "grace", "90d", request{method: "POST", path: "/keys/2/rotate", body: `{"grace":"x"}`})
	b.refuse(422, "expires_at", "", request{method: "PATCH", path: "/keys/2", body: `{"expires_at":"tomorrow"}`})
	b.refuse(412, "If-Match", "revision 2", request{method: "DELETE", path: "/keys/2", header: []string{"If-Match", "1"}})
	for _, r := range []request{{method: "DELETE", path: "/keys/1"}, {method: "PATCH", path: "/keys/1", body: `{"role":"viewer"}`}, {method: "POST", path: "/keys/1/rotate", body: `{}`}} {
		b.refuse(409, "", "secret source", r)
	}
	for _, path := range []string{"/keys/0", "/keys/x", "/keys/1%2F2"} {
		b.refuse(400, "id", "whole number", request{method: "GET", path: path})
	}
	if n := b.audited(); n != 2 {
		t.Errorf("%d rows in the audit", n)
	}
}

// TestLastAdminStays has no bootstrap key: whoever is the last admin cannot go.
func TestLastAdminStays(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.createKey(`{"name":"one","role":"admin"}`)
	for _, r := range []request{{method: "DELETE", path: "/keys/1"}, {method: "PATCH", path: "/keys/1", body: `{"role":"operator"}`}} {
		b.refuse(409, "", "last key with the role admin", r)
	}
	b.createKey(`{"name":"two","role":"admin"}`)
	b.expect(200, request{method: "DELETE", path: "/keys/1"})
}

// goldenAccess is the part of TestGolden about keys and sessions.
func (b *bundle) goldenAccess() {
	b.Helper()
	b.bootstrapKey("bootstrap-admin", "admin")
	for _, c := range []struct {
		name string
		request
	}{
		{"keys_create", request{method: "POST", path: "/keys", body: `{"name":"netops-ci","role":"operator","expires_in":"90d","rate_limit":60}`}},
		{"keys_create_bad", request{method: "POST", path: "/keys", body: `{"name":"bootstrap-admin","role":"admin"}`}},
		{"keys_rotate", request{method: "POST", path: "/keys/2/rotate", body: `{"grace":"1h","reason":"yearly"}`}},
		{"keys_list", request{method: "GET", path: "/keys"}},
		{"keys_get", request{method: "GET", path: "/keys/2"}},
		{"keys_patch", request{method: "PATCH", path: "/keys/2", body: `{"rate_limit":600,"expires_in":"30d","drop_second_secret":true}`}},
		{"keys_patch_bootstrap", request{method: "PATCH", path: "/keys/1", body: `{"role":"viewer"}`}},
		{"keys_delete", request{method: "DELETE", path: "/keys/2"}},
		{"session_none", request{method: "GET", path: "/session"}},
		{"login_bad", request{method: "POST", path: "/session", body: `{"key":"wrong"}`, key: "-"}},
	} {
		b.golden(c.name, b.twice(c.request))
	}
	s, cookie := b.login("viewer")
	b.golden("session", b.do(byCookie("GET", "/session", "", cookie)))
	b.golden("session_csrf", b.do(byCookie("DELETE", "/session", "", cookie)))
	b.golden("logout", b.do(byCookie("DELETE", "/session", "", cookie, "X-CSRF-Token", s.CSRFToken)))
}

// FuzzSpan: whatever is taken lies within the bounds, and says the same when it is written in seconds.
func FuzzSpan(f *testing.F) {
	for _, text := range []string{"90d", "1.5d", "12h", "1h30m", "", "0", "-1d", "NaNd", "Infd", "1e300d", "9223372036854775807ns", "d", "106751d"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := span("expires_in", text, maxExpiry)
		if err != nil || text == "" {
			return
		}
		if d < time.Second || d > maxExpiry {
			t.Errorf("%q is %v", text, d)
		}
		if again, err := span("expires_in", d.String(), maxExpiry); err != nil || again != d {
			t.Errorf("%q: %v, then %v %v", text, d, again, err)
		}
	})
}

// TestOnlyAdminsSeeChangesOfKeys reads the change audit as each role.
func TestOnlyAdminsSeeChangesOfKeys(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.createKey(`{"name":"secretive","role":"viewer"}`)
	b.expect(200, request{method: "PUT", path: "/config/moog_rate_limit", body: `{"value":70}`})
	for _, path := range []string{"/audit", "/config-audit"} {
		for role, seen := range map[string]int{"viewer": 1, "operator": 1, "admin": 2} {
			list := decode[apiclient.Changes](b, b.do(request{method: "GET", path: path, key: role}))
			if len(list.Logs) != seen || list.Pagination.Total != int64(seen) {
				t.Errorf("%s as %s: %d rows of %d, want %d", path, role, len(list.Logs), list.Pagination.Total, seen)
			}
			of, one := request{method: "GET", path: path + "?table_name=api_keys", key: role}, request{method: "GET", path: "/audit/1", key: role}
			if role == "admin" {
				b.expect(200, of)
				b.expect(200, one)
				continue
			}
			b.refuse(403, "", "role admin", of)
			b.refuse(403, "", "role admin", one)
		}
	}
}

// planted is a store in which SQL has changed one key and one rule, and has put in another key.
type planted struct{ Store }

func (planted) CompareRecords(context.Context, store.RecordPoint, int) (store.RecordsPart, error) {
	return store.RecordsPart{Complete: true, Differences: []store.Difference{{Table: store.TableKeys, Record: "4711", Member: "role", Message: "is admin"},
		{Table: store.TableRules, Record: "4712"}}, Unknown: []store.RecordPoint{{Table: store.TableKeys, Record: "4713"}}}, nil
}

// TestOnlyAdminsSeeWhichKeysDiffer: everybody who may verify learns that a key differs, and admins learn which.
func TestOnlyAdminsSeeWhichKeysDiffer(t *testing.T) {
	t.Parallel()
	b := newBundle(t, func(d *Deps) { d.Store = planted{d.Store} })
	for role, seen := range map[string]bool{"viewer": false, "operator": false, "admin": true} {
		rec := b.do(request{method: "GET", path: "/audit/verify/records", key: role})
		text := rec.Body.String()
		if rec.Code != 200 || strings.Contains(text, "4711") != seen || strings.Contains(text, "4713") != seen || strings.Contains(text, "is admin") != seen ||
			!strings.Contains(text, "4712") || !strings.Contains(text, "api_keys") {
			t.Errorf("%s: got %d %s", role, rec.Code, text)
		}
	}
}
