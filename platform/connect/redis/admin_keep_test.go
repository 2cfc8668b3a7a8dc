package redis_test

import (
	"testing"

	"github.com/muttproject/mutt/platform/connect/redis"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/secret"
	"github.com/muttproject/mutt/platform/testkit"
)

// TestAdministratorOfARedisThatForgets: a node that cannot write its users down is refused before anything is changed.
func TestAdministratorOfARedisThatForgets(t *testing.T) {
	t.Parallel()
	for words, o := range map[string]testkit.RedisOptions{"keeps its users in no file": {NoFile: true}, "cannot write the file": {}, "the file that it keeps": {ACLFile: true}} {
		t.Run(words, func(t *testing.T) {
			t.Parallel()
			r := testkit.Redis(t, o)
			a := administrator(t, config(r), testkit.RedisUser, r)
			if !o.NoFile {
				r.KeepNothing()
			}
			n, next, before := redis.Node{Addr: r.Addr()}, secret.New("the-next-password"), r.Do("ACL", "GETUSER", testkit.RedisUser)
			if f := mustFail(t, a.MayAlter(t.Context(), n), fault.ConfigInvalid, words); f.Remedy == "" {
				t.Errorf("%v has no remedy", f)
			}
			if r.Do("ACL", "GETUSER", testkit.RedisUser) != before {
				t.Error("the user was changed")
			}
			// One that lost its file in the middle of a rotation says so too, and takes the password away again.
			mustFail(t, a.AddPassword(t.Context(), n, next), fault.ConfigInvalid, words)
			mustFail(t, a.RemovePassword(t.Context(), n, next), fault.ConfigInvalid, words)
			if r.Do("ACL", "GETUSER", testkit.RedisUser) != before {
				t.Error("the user is not as before")
			}
		})
	}
}
