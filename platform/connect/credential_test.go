package connect

import (
	"testing"

	"github.com/muttproject/mutt/platform/secret"
)

func TestTheOneThatWorkedComesFirst(t *testing.T) {
	t.Parallel()
	current, next, third := Credential{"a", secret.New("1")}, Credential{"a", secret.New("2")}, Credential{"b", secret.New("2")}
	offered := []Credential{current, next, third, current}
	c := NewCredentials(func() []Credential { return offered })
	expect := func(want ...Credential) {
		t.Helper()
		got := c.Order()
		if len(got) != len(want) {
			t.Fatalf("%d credentials, not %d", len(got), len(want))
		}
		for i := range want {
			if !got[i].equal(want[i]) {
				t.Fatalf("number %d is another", i)
			}
		}
	}
	expect(current, next, third)
	c.Worked(next)
	expect(next, current, third)
	c.Worked(third)
	expect(third, current, next)
	if !offered[0].equal(current) {
		t.Fatal("the source's slice was changed")
	}
	offered = []Credential{current, next} // the one that worked was withdrawn
	expect(current, next)
	if NewCredentials(nil).Order() != nil {
		t.Fatal("no source, no credentials")
	}
}
