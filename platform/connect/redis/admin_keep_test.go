package redis_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/muttproject/mutt/platform/connect/redis"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/secret"
	"github.com/muttproject/mutt/platform/testkit"
)

// TestAdministratorOfARedisThatForgets: a node that cannot write its users down is refused before anything is changed.
func TestAdministratorOfARedisThatForgets(t *testing.T) {
	t.Parallel()
	setting := func(r *testkit.RedisServer, section, pattern string) string {
		return regexp.MustCompile(pattern).FindStringSubmatch(r.Do("INFO", section))[1]
	}
	for name, c := range map[string]struct {
		options testkit.RedisOptions
		file    func(*testkit.RedisServer) string // that Redis cannot write, nil for none
		words   string
	}{
		"without a file":          {testkit.RedisOptions{NoFile: true}, nil, "keeps its users in no file"},
		"file cannot be written":  {testkit.RedisOptions{}, func(r *testkit.RedisServer) string { return setting(r, "server", `config_file:(.*)\r?\n`) }, "cannot write the file"},
		"users cannot be written": {testkit.RedisOptions{ACLFile: true}, func(r *testkit.RedisServer) string { return strings.Fields(r.Do("CONFIG", "GET", "aclfile"))[1] }, "cannot write the file"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := testkit.Redis(t, c.options)
			a := administrator(t, config(r), testkit.RedisUser, r)
			if c.file != nil { // a directory of the name takes no file's place, for root neither
				path := strings.TrimSpace(c.file(r))
				if err := os.Remove(path); err != nil {
					t.Fatal(err)
				}
				if err := os.Mkdir(path, 0o700); err != nil {
					t.Fatal(err)
				}
			}
			before := r.Do("ACL", "GETUSER", testkit.RedisUser)
			n := redis.Node{Addr: r.Addr()}
			if f := mustFail(t, a.MayAlter(t.Context(), n), fault.ConfigInvalid, c.words); f.Remedy == "" {
				t.Errorf("%v has no remedy", f)
			}
			if r.Do("ACL", "GETUSER", testkit.RedisUser) != before {
				t.Error("the user was changed")
			}
			// One that lost its file later says so, and takes the password away again when it is asked to.
			next := secret.New("the-next-password")
			mustFail(t, a.AddPassword(t.Context(), n, next), fault.ConfigInvalid, c.words)
			mustFail(t, a.RemovePassword(t.Context(), n, next), fault.ConfigInvalid, c.words)
			if r.Do("ACL", "GETUSER", testkit.RedisUser) != before {
				t.Error("the user is not as before")
			}
		})
	}
}
