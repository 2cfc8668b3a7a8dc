package bench

import (
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/connect"
	"github.com/muttproject/mutt/platform/connect/postgres"
	"github.com/muttproject/mutt/platform/store"
)

// checkPlans has PostgreSQL explain the statements of the store itself, each filter once, and fails for an indexed filter
// that is answered by looking through the table. MUTT_BENCH_PLANS names a file for the plans.
func (a *audit) checkPlans() {
	a.b.Helper()
	for _, setting := range []string{"session_preload_libraries = 'auto_explain'", "auto_explain.log_min_duration = 0", "auto_explain.log_analyze = on",
		"auto_explain.log_timing = off", "auto_explain.log_buffers = on", "log_min_messages = log"} {
		a.server.SQL("postgres", "ALTER DATABASE "+a.database+" SET "+setting)
	}
	defer a.server.SQL("postgres", "ALTER DATABASE "+a.database+" RESET ALL")
	explained := *a
	explained.store = a.open()
	defer func() { _ = explained.store.Close() }() // it was read from only
	indexed := []string{"first page", "cursor", "an hour", "hostname", "hostname, cursor", "hostname, an hour", "rule", "by id", "histogram, an hour",
		"histogram of a host", "histogram of all days"}
	var all strings.Builder
	for _, q := range explained.reads() {
		from := len(a.server.Log())
		if err := q.run(); err != nil {
			a.b.Fatal(err)
		}
		plans := plansIn(a.server.Log()[from:])
		all.WriteString("== " + q.name + "\n" + plans + "\n")
		if n := lookedThrough(plans); slices.Contains(indexed, q.name) && (n > maxLookedThrough || !strings.Contains(plans, "Index")) {
			a.b.Errorf("%s looked through %d rows that it did not want:\n%s", q.name, n, plans)
		}
	}
	if file := os.Getenv("MUTT_BENCH_PLANS"); file != "" {
		if err := os.WriteFile(file, []byte(all.String()), 0o644); err != nil {
			a.b.Error(err)
		}
	}
}

// maxLookedThrough is what a plan may read in vain: for a busy host the planner may prefer the newest rows of all to the
// host's own index, which is right.
const maxLookedThrough = 5_000

// lookedThrough counts rows that were read and dropped, and those of partitions that were read whole.
func lookedThrough(plans string) (n int) {
	for _, m := range regexp.MustCompile(`Rows Removed by Filter: (\d+)|Seq Scan on event_audit_\S+ .*\(actual rows=(\d+)`).FindAllStringSubmatch(plans, -1) {
		rows, _ := strconv.Atoi(m[1] + m[2]) // digits
		n += rows
	}
	return n
}

// plansIn gives the plans of the event audit in a log.
func plansIn(log string) string {
	var b strings.Builder
	for entry := range strings.SplitSeq(log, "LOG:  duration:") {
		if took, plan, ok := strings.Cut(entry, "plan:\n"); ok && strings.Contains(plan, "event_audit") {
			b.WriteString(strings.TrimSpace(took) + "\n" + plan)
		}
	}
	return b.String()
}

// open opens a store on the audit's database, on connections of its own.
func (a *audit) open() *store.Store {
	a.b.Helper()
	pool, err := postgres.Open(a.b.Context(), a.config())
	if err != nil {
		a.b.Fatal(err)
	}
	a.b.Cleanup(pool.Close)
	s, err := store.Open(a.b.Context(), store.Options{Postgres: pool, Logger: zap.NewNop(), Now: time.Now})
	if err != nil {
		a.b.Fatal(err)
	}
	return s
}

func (a *audit) config() postgres.Config {
	return postgres.Config{Host: a.server.Host, Port: a.server.Port, Database: a.database, MaxConns: 6, Credentials: connect.Only(a.server.User, a.server.Password)}
}
