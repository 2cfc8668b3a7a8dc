package authn

import (
	"testing"
	"time"
)

func TestRoleMatrix(t *testing.T) {
	t.Parallel()
	all := []Role{Public, Ingest, Viewer, Operator, Admin}
	allowed := map[Role][]Role{ // least -> who may
		Public:   all,
		Ingest:   {Ingest, Admin},
		Viewer:   {Viewer, Operator, Admin},
		Operator: {Operator, Admin},
		Admin:    {Admin},
	}
	for least, who := range allowed {
		may := map[Role]bool{}
		for _, r := range who {
			may[r] = true
		}
		for _, r := range all {
			if got := r.Allows(least); got != may[r] {
				t.Errorf("%s for a route of %s: got %v", r, least, got)
			}
		}
	}
	for _, r := range all[1:] {
		if got, ok := ParseRole(r.String()); !ok || got != r {
			t.Errorf("%s does not come back", r)
		}
	}
	if _, ok := ParseRole("public"); ok {
		t.Error("no key can be public")
	}
}

func TestKeyring(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	k := NewKeyring(func() time.Time { return now })
	if _, ok := k.Authenticate("anything"); ok {
		t.Fatal("an empty ring knows nobody")
	}
	k.Swap([]Key{
		{Identity: Identity{"key:a", Admin}, Hash: HashSecret("secret-a")},
		{Identity: Identity{"key:old", Viewer}, Hash: HashSecret("secret-old"), Expires: now},
	})
	if id, ok := k.Authenticate("secret-a"); !ok || id.Name != "key:a" {
		t.Fatalf("got %+v %v", id, ok)
	}
	for _, bad := range []string{"", "secret-old", "secret-A", "secret-a "} {
		if _, ok := k.Authenticate(bad); ok {
			t.Errorf("%q was accepted", bad)
		}
	}
	k.Swap(nil)
	if _, ok := k.Authenticate("secret-a"); ok {
		t.Fatal("a removed key is refused at once")
	}
}
