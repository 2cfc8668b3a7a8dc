package testkit_test

import (
	"strings"
	"testing"

	"github.com/muttproject/mutt/platform/testkit"
)

func TestRedisKeepsItsData(t *testing.T) {
	t.Parallel()
	for _, o := range []testkit.RedisOptions{{AOF: "everysec"}, {AOF: "always", TLS: true}} {
		t.Run(o.AOF, func(t *testing.T) {
			t.Parallel()
			r := testkit.Redis(t, o)
			addr := r.Addr()
			r.Do("SET", "a", "1")
			r.Kill()
			r.Start()
			r.Stop()
			r.Stop() // nothing to do
			r.Start()
			r.Start()
			if got := r.Do("GET", "a"); got != "1" || r.Addr() != addr {
				t.Fatalf("after a kill and a stop a = %q at %s, it was at %s", got, r.Addr(), addr)
			}
		})
	}
}

func TestRedisForgetsTheCutTail(t *testing.T) {
	t.Parallel()
	r := testkit.Redis(t, testkit.RedisOptions{AOF: "everysec"})
	r.Do("SET", "a", "1")
	before := r.AOFSize()
	r.Do("SET", "b", "1")
	r.Kill()
	r.CutAOF(r.AOFSize() - before)
	r.Start()
	if a, b := r.Do("GET", "a"), r.Do("GET", "b"); a != "1" || b != "" {
		t.Fatalf("a = %q, b = %q: only b was cut off", a, b)
	}
	r.Kill()
	r.CutAOF(3) // amid a command
	r.Start()
}

func TestRedisNeedsThePassword(t *testing.T) {
	t.Parallel()
	r := testkit.Redis(t, testkit.RedisOptions{})
	if who := r.Do("ACL", "WHOAMI"); who != r.User {
		t.Fatalf("the user is %q", who)
	}
	if list := r.Do("ACL", "LIST"); strings.Contains(list, "nopass") {
		t.Fatalf("a user needs no password: %s", list)
	}
}
