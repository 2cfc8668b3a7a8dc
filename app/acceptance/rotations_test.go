package acceptance

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/muttproject/mutt/app/apptest"
	"github.com/muttproject/mutt/app/rotate"
	"github.com/muttproject/mutt/app/sink"
	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/rotation"
)

// rotations is a distributed MUTT under load whose passwords are rotated.
type rotations struct {
	*testing.T
	v        *apptest.Vaulted
	operator *rotator
	sink     *sink.Sink
	members  []*member // an ingestor and forwarder without PostgreSQL, and two that judge and serve the API
	loads    []*load
	old      map[rotation.Subject][]string // passwords that were replaced
}

// TestRotations rotates both passwords at once, again and again, while MUTT works under a steady load and its API is polled. No request
// fails, no event is lost, no process ends, and each old password is refused from then on. MUTT_TEST_ROTATIONS says how often,
// MUTT_TEST_ROTATION_RATE how many events come in each second: 0 is half of what the run measures just before.
func TestRotations(t *testing.T) {
	t.Parallel()
	r := newRotations(t)
	rate := number(t, "MUTT_TEST_ROTATION_RATE", 200)
	if rate == 0 {
		rate = r.capacity() / 2
	}
	begin := time.Now()
	r.underLoad(float64(rate), func() {
		for range number(t, "MUTT_TEST_ROTATIONS", 2) {
			r.rotateBoth()
		}
	})
	t.Logf("%d rotations of each password in %s at %d events/s", len(r.old[rotation.Redis]), time.Since(begin).Round(time.Second), rate)
	r.accounts()
	r.refused()
	for _, m := range r.members {
		m.p.stop()
		k := killTest{T: t, site: m.site}
		k.checkLog()
		r.hidden(m)
	}
}

func newRotations(t *testing.T) *rotations {
	t.Helper()
	r := &rotations{T: t, v: apptest.NewVaulted(t, "everysec"), sink: sink.New(1, nil), old: map[rotation.Subject][]string{}}
	destination := httptest.NewServer(r.sink)
	t.Cleanup(destination.Close)
	r.place("edge", destination.URL, r.v.RedisEnv())
	r.place("core-1", destination.URL, r.v.Env())
	r.place("core-2", destination.URL, r.v.Env())
	if out, err := r.members[1].site.command(t, "migrate", "up"); err != nil {
		t.Fatalf("migrate: %v\n%s", err, out)
	}
	for i, roles := range []string{"ingestor,forwarder", "alerter,ui,janitor", "alerter,ui"} {
		m := r.members[i]
		m.p = launch(t, m.site, exec.Command(binary(t), "serve", "--roles="+roles))
	}
	for _, m := range r.members {
		m.p.ready()
	}
	r.operator = newRotator(t, r.v, "http://"+r.members[1].site.admin)
	importRules(t, r.members[1].site)
	return r
}

// place prepares a process. What the test's own environment says of polling and recycling is in force for it.
func (r *rotations) place(name, webhook string, env map[string]string) {
	r.Helper()
	settings := []string{"POD_NAME=" + name}
	for k, v := range env {
		if own := os.Getenv(k); own != "" && strings.HasPrefix(k, "MUTT_SECRETS_") {
			v = own
		}
		settings = append(settings, k+"="+v)
	}
	r.members = append(r.members, &member{name: name, site: newSite(r.T, r.TempDir(), webhook, settings...)})
}

// importRules forwards a fifth of what a send.Generator says.
func importRules(t *testing.T, s *site) {
	t.Helper()
	var file strings.Builder
	file.WriteString("version: 1\nrules:\n")
	for _, text := range []string{"%BGP-5-ADJCHANGE", "%ENVMON-2-FANFAIL"} {
		fmt.Fprintf(&file, "  - {name: '%s', match_string: '%s', prod_handling: Ticket_only, dev_handling: Ignore, team_assignment: T}\n", text, text)
	}
	if err := s.client.Do(t.Context(), apiclient.Call{Method: http.MethodPost, Path: []string{"rules", "import"}, Body: []byte(file.String()),
		ContentType: "application/yaml"}, nil); err != nil {
		t.Fatal(err)
	}
}

// rotateBoth runs the command for both passwords at the same time.
func (r *rotations) rotateBoth() {
	r.Helper()
	subjects := []rotation.Subject{rotation.Postgres, rotation.Redis}
	said, errs := make([][]rotate.Progress, len(subjects)), make([]error, len(subjects))
	before := make([]logins, len(subjects))
	var commands sync.WaitGroup
	for i, subject := range subjects {
		r.old[subject] = append(r.old[subject], passwordOf(r.v, subject))
		before[i] = r.logins(subject)
		commands.Go(func() { said[i], errs[i] = r.operator.run(r.T, subject, nil) })
	}
	commands.Wait()
	for i, subject := range subjects {
		if errs[i] != nil {
			r.Fatal(errs[i])
		}
		all := r.old[subject]
		rotated(r.T, r.v, subject, all[len(all)-1])
		r.tell(subject, said[i], r.logins(subject).since(before[i]))
	}
	for _, m := range r.members {
		m.p.lives()
	}
}

// refused holds that no password that was ever replaced is accepted.
func (r *rotations) refused() {
	r.Helper()
	for subject, all := range r.old {
		for n, old := range all {
			if r.v.Accepts(r.T, subject, old) {
				r.Errorf("%s accepts the password from before rotation %d", subject, n+1)
			}
		}
	}
}

// hidden holds that no password is in the log of a process.
func (r *rotations) hidden(m *member) {
	r.Helper()
	text, err := os.ReadFile(m.site.logFile)
	if err != nil {
		r.Fatal(err)
	}
	for subject, all := range r.old {
		for _, password := range append(all, passwordOf(r.v, subject)) {
			if strings.Contains(string(text), password) {
				r.Errorf("the log of %s has a password of %s", m.name, subject)
			}
		}
	}
}
