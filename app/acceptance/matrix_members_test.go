package acceptance

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/muttproject/mutt/app"
	"github.com/muttproject/mutt/app/apptest"
	"github.com/muttproject/mutt/platform/apiclient"
)

// member is one place where a process of a role runs, is killed and runs again.
type member struct {
	role app.Role
	name string
	site *site
	p    *process
}

func newMatrix(t *testing.T) *matrix {
	t.Helper()
	seed := number(t, "MUTT_TEST_KILL_SEED", rand.Uint64())
	dir, err := os.MkdirTemp("", "mutt-matrix-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("seed %d; the logs are kept in %s", seed, dir)
			return
		}
		_ = os.RemoveAll(dir)
	})
	m := &matrix{root: t, seed: seed, dir: dir, servers: apptest.NewServers(t, "always"), outage: 10 * time.Second}
	if os.Getenv("MUTT_TEST_CHAOS_MINUTES") != "" {
		m.outage = time.Minute
	}
	m.killTest = &killTest{T: t, rnd: rand.New(rand.NewPCG(seed, 0)), destination: apptest.NewDestination(t), word: newWord()}
	m.destination.Answer(m.busy)
	for _, role := range app.Roles() {
		for n := range 2 {
			m.members = append(m.members, m.place(role, n+1))
		}
	}
	m.site = m.those(app.UI)[0].site
	return m
}

// busy makes the destination take its time, now more and now less, and refuse a request now and then: what goes out
// together does not arrive together.
func (m *matrix) busy(w http.ResponseWriter, r *http.Request) {
	timer := time.NewTimer(rand.N(20 * time.Millisecond))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.Context().Done():
		return
	}
	if rand.IntN(50) == 0 {
		http.Error(w, "not now", http.StatusServiceUnavailable)
		return
	}
	m.destination.Sink.ServeHTTP(w, r)
}

// place prepares a member. An ingestor or forwarder is not told where PostgreSQL is.
func (m *matrix) place(role app.Role, n int) *member {
	m.Helper()
	x := &member{role: role, name: fmt.Sprintf("%s-%d", role, n)}
	dir := filepath.Join(m.dir, x.name)
	if err := os.Mkdir(dir, 0o700); err != nil {
		m.Fatal(err)
	}
	env := m.servers.Env()
	if role == app.Ingestor || role == app.Forwarder {
		env = m.servers.RedisEnv()
	}
	var settings []string
	for k, v := range env {
		settings = append(settings, k+"="+v)
	}
	settings = append(settings, "POD_NAME="+x.name, "UNHANDLED_THRESHOLD=4", "UNHANDLED_EXPIRY_SECONDS=5", "MOOG_RETRY_BASE_DELAY=0.05",
		"MUTT_QUEUE_DURABILITY=everysec") // the scenarios change how Redis writes
	x.site = newSite(m.T, dir, m.destination.URL, settings...)
	return x
}

// those gives the members of a role.
func (m *matrix) those(role app.Role) (out []*member) {
	for _, x := range m.members {
		if x.role == role {
			out = append(out, x)
		}
	}
	return out
}

// begin migrates, starts everything and waits until an event gets through.
func (m *matrix) begin() {
	m.Helper()
	migrate := exec.Command(binary(m.T), "migrate", "up")
	migrate.Env = m.site.env
	if out, err := migrate.CombinedOutput(); err != nil {
		m.Fatalf("migrate: %v: %s", err, out)
	}
	begin := time.Now()
	for _, x := range m.members {
		m.start(x)
	}
	m.ready()
	m.Logf("seed %d: %d processes were ready after %s", m.seed, len(m.members), time.Since(begin).Round(time.Millisecond))
	if err := m.site.client.Do(m.Context(), apiclient.Call{Method: http.MethodPost, Path: []string{"rules", "import"}, Body: []byte(killRules),
		ContentType: "application/yaml"}, nil); err != nil {
		m.Fatal(err)
	}
	ingestors := m.those(app.Ingestor)
	for n, s := range []*sender{
		{name: "one", batch: 1, pause: 25 * time.Millisecond},
		{name: "keyed", batch: 1, keyed: true, pause: 25 * time.Millisecond},
		{name: "lines", batch: 20, ndjson: true, pause: 500 * time.Millisecond},
		{name: "array", batch: 10, keyed: true, pause: 300 * time.Millisecond},
		{name: "probe", batch: 7},
	} {
		s.t, s.word, s.own = m.T, m.word, true
		s.site, s.also = ingestors[n%2].site, []*site{ingestors[(n+1)%2].site}
		m.senders = append(m.senders, s)
	}
	m.probe = m.senders[len(m.senders)-1]
	m.senders = m.senders[:len(m.senders)-1]
	for {
		if _, ok := m.fresh(5 * time.Second); ok { // the rules are in force in every alerter
			return
		}
	}
}

// start runs the process of a member.
func (m *matrix) start(x *member) {
	m.Helper()
	x.p = launch(m.root, x.site, exec.Command(binary(m.T), "serve", "--roles="+string(x.role)))
	x.p.t = m.T
}

// ready waits until every process is healthy.
func (m *matrix) ready() {
	m.Helper()
	for _, x := range m.members {
		x.p.ready()
	}
}

// lives holds that no process ended by itself.
func (m *matrix) lives() {
	m.Helper()
	for _, x := range m.members {
		x.p.lives()
	}
}

// end stops every process in order.
func (m *matrix) end() {
	m.Helper()
	for _, x := range m.members {
		x.p.stop()
		k := killTest{T: m.T, site: x.site}
		k.checkLog()
	}
	m.summary()
}
