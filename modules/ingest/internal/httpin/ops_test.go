package httpin

import (
	"strings"
	"testing"
)

// Every route is declared for the API's document, with the role that it asks for.
func TestEveryRouteIsDeclared(t *testing.T) {
	t.Parallel()
	declared, served := map[string]string{}, map[string]bool{}
	for _, o := range Operations() {
		declared[o.Method+" "+o.Path] = o.Role
	}
	for _, r := range newRig(t, nil).routes {
		path := strings.TrimPrefix(strings.TrimPrefix(r.Path, "/api/v1"), "/api/v2")
		if role, ok := declared[r.Method+" "+path]; !ok || role != r.Role.String() {
			t.Errorf("%s %s for %s is declared for %q", r.Method, r.Path, r.Role, role)
		}
		served[r.Method+" "+path] = true
	}
	if len(served) != len(declared) {
		t.Errorf("declared are %v, served %v", declared, served)
	}
}
