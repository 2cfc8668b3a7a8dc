package app

import (
	"strings"
	"testing"

	"github.com/muttproject/mutt/platform/fault"
)

func TestParseRoles(t *testing.T) {
	t.Parallel()
	const every = "ingestor,alerter,forwarder,ui,janitor"
	for in, want := range map[string]string{
		"": every, "all": every, "ui, all": every, "alerter,ingestor": "ingestor,alerter", "UI,ui": "ui",
	} {
		if got, err := ParseRoles(in); err != nil || got.String() != want {
			t.Errorf("%q: got %s, %v", in, got, err)
		}
	}
	_, err := ParseRoles("alertr")
	if f, ok := fault.As(err); !ok || !strings.Contains(f.Remedy, "did you mean alerter") {
		t.Errorf("got %v", err)
	}
}

// TestTables checks that in each mode needs precede, that every role has what its components need, and lists what each
// role set consists of.
func TestTables(t *testing.T) {
	t.Parallel()
	var lines []string
	for _, m := range Modes() {
		checkTable(t, m)
		for bits := 1; bits < 1<<len(Roles()); bits++ {
			var set RoleSet
			for i, r := range Roles() {
				if bits&(1<<i) != 0 {
					set = append(set, r)
				}
			}
			lines = append(lines, string(m)+" "+set.String()+": "+strings.Join(Components(m, set), " "))
		}
	}
	golden(t, "components.golden", strings.Join(lines, "\n")+"\n")
}

func checkTable(t *testing.T, m Mode) {
	t.Helper()
	seen := map[componentID][]Role{}
	for _, c := range selected(m, Roles()) {
		for _, n := range c.needs {
			roles, ok := seen[n]
			if !ok {
				t.Errorf("%s: %s needs %s, which does not precede it", m, c.id, n)
			}
			for _, r := range Roles() {
				if (RoleSet{r}).Any(c.roles) && !(RoleSet{r}).Any(roles) {
					t.Errorf("%s: role %s selects %s but not %s, which it needs", m, r, c.id, n)
				}
			}
		}
		if _, ok := seen[c.id]; ok {
			t.Errorf("%s: %s stands twice in the table", m, c.id)
		}
		seen[c.id] = c.roles
	}
}
