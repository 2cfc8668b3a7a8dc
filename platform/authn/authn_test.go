package authn

import (
	"testing"
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
		Any:      {Ingest, Viewer, Operator, Admin},
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
	for _, r := range Roles() {
		if got, ok := ParseRole(r.String()); !ok || got != r {
			t.Errorf("%s does not come back", r)
		}
	}
	for _, name := range []string{"public", "any", "", "root"} {
		if _, ok := ParseRole(name); ok {
			t.Errorf("no key can be %q", name)
		}
	}
}
