package cli

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/muttproject/mutt/app/apptest"
)

// TestRotationScripts runs testdata/rotation: each script has a MUTT whose secrets are in a Vault, and its environment is that of an
// operator who may rotate them. Beside "exits" there are:
//
//	used WHEN   the API keys were used last at the time of an SQL expression
//	hides TEXT  neither stdout nor stderr of the last command has the text
func TestRotationScripts(t *testing.T) {
	t.Parallel()
	s := &scripts{t: t}
	var servers *apptest.Vaulted
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "rotation"),
		Setup: func(env *testscript.Env) error {
			servers = apptest.NewVaulted(t, "everysec")
			settings := servers.OperatorEnv()
			settings["MUTT_SERVER"], settings["USER"] = apptest.Start(t, apptest.Options{Env: servers.Env()}).AdminURL, "anna"
			for name, value := range settings {
				env.Setenv(name, value)
			}
			return s.setup(env)
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exits": s.exits,
			"used": func(ts *testscript.TestScript, neg bool, a []string) {
				args(ts, neg, 1, a)
				servers.Postgres.SQL(servers.Database, "UPDATE api_keys SET last_used = extract(epoch FROM "+a[0]+")::bigint * 1000000")
			},
			"hides": func(ts *testscript.TestScript, neg bool, a []string) {
				args(ts, neg, 1, a)
				if strings.Contains(ts.ReadFile("stdout")+ts.ReadFile("stderr"), a[0]) {
					ts.Fatalf("the output has a secret")
				}
			},
		},
	})
}
