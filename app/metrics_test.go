package app_test

import (
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	"github.com/muttproject/mutt/app"
	"github.com/muttproject/mutt/app/apptest"
	"github.com/muttproject/mutt/platform/testkit"
)

const metricsPage = "docs/reference/metrics.md"

// metric is one of MUTT's metrics, as started processes export it.
type metric struct {
	kind   string
	labels []string // sorted
	help   string
	roles  app.RoleSet // of the processes of one role that export it
	modes  []app.Mode
}

// TestMetrics starts MUTT in both modes with its secrets in a Vault, so that everything with metrics runs. The reference page is
// what these processes export, and every metric that a document, a configuration or a query of MUTT's own names is among them.
// Run with -update to write the page.
func TestMetrics(t *testing.T) {
	t.Parallel()
	v := apptest.NewVaulted(t, "everysec")
	have := map[string]*metric{}
	embedded := map[string]string{"MUTT_DATA_DIR": t.TempDir()}
	for name, value := range v.Env() {
		if strings.HasPrefix(name, "VAULT_") {
			embedded[name] = value
		}
	}
	collect(t, have, app.Embedded, app.Roles(), embedded)
	for _, r := range app.Roles() {
		collect(t, have, app.Distributed, app.RoleSet{r}, v.Env())
	}

	text, path := metricsReference(have), filepath.Join("..", filepath.FromSlash(metricsPage))
	if flag.Lookup("update").Value.String() == "true" {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(text, string(page)); d != "" {
		t.Errorf("%s is stale; run 'go test ./app -update': %s", metricsPage, d)
	}
	for _, where := range []string{"docs", "configs", "README.md", "modules/ui/internal/objectives"} {
		checkNames(t, have, where)
	}
}

// collect starts a process and adds the metrics that it exports before it has done anything.
func collect(t *testing.T, have map[string]*metric, mode app.Mode, roles app.RoleSet, env map[string]string) {
	t.Helper()
	var environ []string
	for name, value := range env {
		environ = append(environ, name+"="+value)
	}
	for _, listener := range []string{"INGEST", "ADMIN", "OPS", "SYSLOG_UDP", "SYSLOG_TCP", "SYSLOG_TLS"} {
		environ = append(environ, "MUTT_"+listener+"_ADDR=127.0.0.1:0")
	}
	cert, key := testkit.NewAuthority(t).Pair(t, time.Now().Add(30*24*time.Hour))
	environ = append(environ, "MUTT_TLS_CERT_FILE="+cert, "MUTT_TLS_KEY_FILE="+key)
	cfg, warnings, err := app.LoadConfig(environ)
	if err != nil || len(warnings) > 0 {
		t.Fatal(warnings, err)
	}
	a := app.New(app.Quiet(app.Options{Roles: roles, Config: cfg, Logger: zaptest.NewLogger(t, zaptest.Level(zap.WarnLevel)), Migrate: true}))
	if err := a.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer stop(t, a)
	families, err := a.Registry().Gather()
	if err != nil {
		t.Fatal(err)
	}
	var present []string
	for _, f := range families {
		present = append(present, f.GetName())
		if !strings.HasPrefix(f.GetName(), "mutt_") {
			continue
		}
		m := have[f.GetName()]
		if m == nil {
			m = &metric{kind: strings.ToLower(f.GetType().String()), help: f.GetHelp()}
			have[f.GetName()] = m
		}
		for _, l := range f.GetMetric()[0].GetLabel() {
			if !slices.Contains(m.labels, l.GetName()) {
				m.labels = append(m.labels, l.GetName())
			}
		}
		if !slices.Contains(m.modes, mode) {
			m.modes = append(m.modes, mode)
		}
		if len(roles) == 1 {
			m.roles = append(m.roles, roles[0])
		}
	}
	checkPresent(t, present, a.Registry(), mode, roles)
}

// checkPresent reports metrics that are registered and have no value yet: Prometheus misses the first increment of a counter that
// appears with it, and an operator takes an absent metric for one that does not exist.
func checkPresent(t *testing.T, present []string, r *prometheus.Registry, mode app.Mode, roles app.RoleSet) {
	t.Helper()
	described := make(chan *prometheus.Desc)
	go func() { r.Describe(described); close(described) }()
	name := regexp.MustCompile(`^Desc\{fqName: "(mutt_\w+)"`)
	for d := range described {
		if m := name.FindStringSubmatch(d.String()); m != nil && !slices.Contains(present, m[1]) {
			t.Errorf("%s, roles %s: %s is registered and absent from a scrape until it has a value", mode, roles, m[1])
		}
	}
}

// metricsReference returns the reference page.
func metricsReference(have map[string]*metric) string {
	var b strings.Builder
	b.WriteString("# Metrics\n\nGenerated from what started processes export; do not edit.\n\n" +
		"Each process serves the metrics of its roles at `/metrics` of its ops address. A metric exists from the start of the process, counters at 0;\n" +
		"those of Vault exist when the secrets are in a Vault. There are also `go_…` and `process_…`, which every Go program has. Label values are bounded:\n" +
		"a hostname, a rule or the text of an event is never a label. How to use the metrics: [objectives](../guides/slo.md), [scaling](../guides/scaling.md),\n" +
		"[runbooks](../runbooks/README.md).\n\n" +
		"| metric | type | labels | roles | meaning |\n| --- | --- | --- | --- | --- |\n")
	for _, name := range slices.Sorted(maps.Keys(have)) {
		m := have[name]
		roles := m.roles.String()
		switch {
		case len(m.roles) == 0:
			roles = "all; embedded only"
		case len(m.roles) == len(app.Roles()):
			roles = "all"
		}
		if len(m.modes) == 1 && m.modes[0] == app.Distributed {
			roles += "; distributed only"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", name, m.kind, strings.Join(m.labels, ", "),
			strings.ReplaceAll(roles, ",", ", "), strings.ReplaceAll(m.help, "|", "\\|"))
	}
	return b.String()
}

// notMetrics are other names with the prefix: the prefix itself, which is that of API keys too, the session's cookie, and a
// database user in the sample configuration.
var notMetrics = []string{"mutt_", "mutt_session", "mutt_b"}

// checkNames looks for names of metrics in a tree. One that ends in _ stands for all that begin with it.
func checkNames(t *testing.T, have map[string]*metric, where string) {
	t.Helper()
	name := regexp.MustCompile(`\bmutt_[a-z0-9_]*`)
	root := filepath.Join("..", filepath.FromSlash(where))
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for i, line := range strings.Split(string(text), "\n") {
			for _, n := range name.FindAllString(line, -1) {
				if !slices.Contains(notMetrics, n) && !exported(have, n) {
					t.Errorf("%s:%d: no process exports %s", path, i+1, n)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// exported reports whether a name is a metric, a series of a histogram or the beginning of names.
func exported(have map[string]*metric, name string) bool {
	if have[name] != nil {
		return true
	}
	for _, series := range []string{"_bucket", "_sum", "_count"} {
		if m := have[strings.TrimSuffix(name, series)]; m != nil && m.kind == "histogram" {
			return true
		}
	}
	return strings.HasSuffix(name, "_") && slices.ContainsFunc(slices.Collect(maps.Keys(have)), func(m string) bool { return strings.HasPrefix(m, name) })
}
