package cli

import (
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/muttproject/mutt/platform/testkit"
)

// TestPostgresScripts runs testdata/postgres: each script has an empty database of its own, which DB_HOST and its like
// lead to. Beside "exits" there is:
//
//	sql WANT STATEMENT  a statement on that database, which must answer with WANT
func TestPostgresScripts(t *testing.T) {
	t.Parallel()
	server := testkit.Postgres(t, testkit.PostgresOptions{})
	s := &scripts{t: t}
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "postgres"),
		Setup: func(env *testscript.Env) error {
			for name, value := range map[string]string{
				"DB_HOST": server.Host, "DB_PORT": strconv.Itoa(server.Port), "DB_NAME": server.NewDatabase(t),
				"DB_USER": server.User, "DB_PASS": server.Password.Reveal(),
			} {
				env.Setenv(name, value)
			}
			return s.setup(env)
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exits": s.exits,
			"sql": func(ts *testscript.TestScript, neg bool, a []string) {
				args(ts, neg, 2, a)
				if got := strings.TrimSpace(server.SQL(ts.Getenv("DB_NAME"), a[1])); got != a[0] {
					ts.Fatalf("%s: %q, want %q", a[1], got, a[0])
				}
			},
		},
	})
}
