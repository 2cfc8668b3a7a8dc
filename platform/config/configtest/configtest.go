// Package configtest brings dynamic keys into force for tests.
package configtest

import "github.com/muttproject/mutt/platform/config"

// TB is what Load needs of a testing.TB; it also fits a *rapid.T.
type TB interface {
	Helper()
	Fatalf(format string, args ...any)
}

// Load declares keys and brings their initial values into force: those of env by variable, else the defaults.
func Load[K any](tb TB, declare func(config.Declarer) K, env map[string]string) (K, *config.Dynamic) {
	tb.Helper()
	r := config.NewRegistry()
	keys := declare(r.ReadBy("test"))
	d, err := config.NewDynamic(r, func(name string) string { return env[name] })
	if err != nil {
		tb.Fatalf("bring the keys into force: %v", err)
	}
	return keys, d
}
