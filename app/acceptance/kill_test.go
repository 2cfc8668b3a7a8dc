package acceptance

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/muttproject/mutt/app/apptest"
	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/rule"
)

// killRules forward a tenth of what the senders say, and another tenth while the second rule pages.
const killRules = `
version: 1
rules:
  - {name: maybe, match_string: 'maybe page me', priority: 10, prod_handling: Page_only, dev_handling: Ignore, team_assignment: A}
  - {name: page, match_string: 'page me', priority: 20, prod_handling: Page_and_ticket, dev_handling: Ignore, team_assignment: A}
  - {name: note, match_string: 'write it down', priority: 30, prod_handling: Log_only, dev_handling: Ignore, team_assignment: A}
  - {name: drop, match_string: 'never mind', priority: 40, prod_handling: Ignore, dev_handling: Ignore, team_assignment: A}
`

// killTest is one run of TestKill.
type killTest struct {
	*testing.T
	rnd         *rand.Rand
	site        *site
	destination *apptest.Destination
	word        *word
	handling    string // of the rule maybe, as last acknowledged
	attempt     string // of a change that was cut off, "" for none
	changes     int    // acknowledged
	replayed    int    // dead letters that were put back
	rolled      []span // what Redis was told in these it may have forgotten
}

// span is a stretch of time.
type span struct{ from, to time.Time }

// number reads a setting of the test from the environment.
func number(t *testing.T, name string, def uint64) uint64 {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return def
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// TestKill kills the product again and again while it works, and then asks whether it kept its word: every
// acknowledged event has exactly one audit row, what was to be forwarded reached the destination, repeats are
// recognisable, the two books balance. MUTT_TEST_KILL_SEED repeats the moments of a run, MUTT_TEST_KILLS sets how often.
func TestKill(t *testing.T) {
	t.Parallel()
	seed := number(t, "MUTT_TEST_KILL_SEED", rand.Uint64())
	kills := int(number(t, "MUTT_TEST_KILLS", 20))
	dir, err := os.MkdirTemp("", "mutt-kill-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("seed %d; the data directory is kept in %s", seed, dir)
			return
		}
		_ = os.RemoveAll(dir)
	})
	d := apptest.NewDestination(t)
	rnd := rand.New(rand.NewPCG(seed, 0))
	env := []string{"UNHANDLED_THRESHOLD=40", "UNHANDLED_EXPIRY_SECONDS=2", "MOOG_RETRY_BASE_DELAY=0.05",
		// Sometimes lists of alerts, sometimes so little room that alerts are shed.
		fmt.Sprintf("MUTT_FORWARD_BATCH_MAX=%d", 1+rnd.IntN(2)*19), fmt.Sprintf("ALERTER_QUEUE_SHED_THRESHOLD=%d", 100+rnd.IntN(2)*1_000_000)}
	k := &killTest{T: t, rnd: rnd, destination: d, handling: "Page_only",
		word: newWord(), site: newSite(t, dir, d.URL, env...)}
	begin := time.Now()
	last := k.work(func(p *process) *process { return k.killing(p, kills) })
	k.drain()
	rows := k.audit()
	k.checkJudged(rows)
	k.checkDelivered(rows)
	k.checkHits(rows)
	ledger := k.checkBooks(rows)
	last.stop()
	k.checkLog()
	st := d.Stats()
	t.Logf("%v", env)
	forwarded := ledger.Judging.ByFate["forwarded"] + ledger.Judging.ByFate["shed"]
	t.Logf("%d kills in %s, seed %d: %d events sent, %d acknowledged, %d requests repeated, %d audit rows, %d forwarded of which %d shed, %d meta-alerts, "+
		"%d deliveries of which %d repeats, %d dead letters replayed, %d rule changes", kills, time.Since(begin).Round(time.Millisecond), seed, len(k.word.sent), len(k.word.acked),
		k.word.tries, len(rows), forwarded, ledger.Judging.ByFate["shed"], ledger.Delivery.Forwardable-forwarded,
		st.Alerts, st.Repeats, k.replayed, k.changes)
}

// TestOrderlyStops stops the product again and again while it works, as an upgrade does. What holds after a kill holds
// here too, and nothing at all is delivered twice.
func TestOrderlyStops(t *testing.T) {
	t.Parallel()
	d := apptest.NewDestination(t)
	k := &killTest{T: t, rnd: rand.New(rand.NewPCG(1, 1)), destination: d, handling: "Page_only",
		word: newWord(), site: newSite(t, t.TempDir(), d.URL)}
	last := k.work(func(p *process) *process {
		for range 5 {
			k.after(p, 200*time.Millisecond, time.Second)
			p.stop()
			p = serve(t, k.site)
			p.ready()
		}
		return p
	})
	k.drain()
	rows := k.audit()
	k.checkJudged(rows)
	k.checkDelivered(rows)
	k.checkHits(rows)
	k.checkBooks(rows)
	last.stop()
	k.checkLog()
	if n := d.Stats().Repeats; n > 0 {
		t.Errorf("%d alerts were delivered twice", n)
	}
}

// work runs the senders while something is done to the process, and gives the process that runs at the end.
func (k *killTest) work(treat func(*process) *process) *process {
	k.Helper()
	p := serve(k.T, k.site)
	p.ready()
	if err := k.site.client.Do(k.Context(), apiclient.Call{Method: http.MethodPost, Path: []string{"rules", "import"}, Body: []byte(killRules),
		ContentType: "application/yaml"}, nil); err != nil {
		k.Fatal(err)
	}
	ctx, enough := context.WithCancel(k.Context())
	hurry, giveUp := context.WithTimeout(k.Context(), 5*time.Minute)
	defer giveUp()
	var senders sync.WaitGroup
	defer senders.Wait()
	defer enough()
	for _, s := range []sender{
		{name: "one", batch: 1, pause: 2 * time.Millisecond},
		{name: "another", batch: 1, pause: 2 * time.Millisecond},
		{name: "lines", batch: 50, ndjson: true, pause: 60 * time.Millisecond},
		{name: "array", batch: 20, keyed: true, pause: 30 * time.Millisecond},
		{name: "keyed", batch: 1, keyed: true, pause: 5 * time.Millisecond},
		{name: "syslog", batch: 5, pause: 20 * time.Millisecond},
	} {
		s.t, s.site, s.word = k.T, k.site, k.word
		if s.name == "syslog" {
			senders.Go(func() { s.runSyslog(ctx) })
			continue
		}
		senders.Go(func() { s.run(ctx, hurry) })
	}
	return treat(p)
}

// killing kills the process and starts it anew.
func (k *killTest) killing(p *process, kills int) *process {
	k.Helper()
	for n := range kills {
		k.disturb(n)
		k.after(p, 200*time.Millisecond, 1500*time.Millisecond)
		p.kill()
		if n%4 == 3 { // and once more before it is ready
			p = serve(k.T, k.site)
			k.after(p, 0, 60*time.Millisecond)
			p.kill()
		}
		p = serve(k.T, k.site)
		p.ready()
		k.checkRule()
	}
	return p
}

// after lets a random time pass.
func (k *killTest) after(p *process, least, most time.Duration) {
	k.Helper()
	timer := time.NewTimer(least + time.Duration(k.rnd.Int64N(int64(most-least))))
	defer timer.Stop()
	select {
	case <-timer.C:
	case err := <-p.ended:
		k.Fatalf("the process ended by itself: %v\n%s", err, k.site.tail())
	}
}

// disturb makes this round different from the last one: the destination is slow or fails now and then, and a rule
// changes at a moment that the kill may hit.
func (k *killTest) disturb(n int) {
	switch n % 5 {
	case 1:
		k.destination.Answer(func(w http.ResponseWriter, r *http.Request) {
			select {
			case <-time.After(20 * time.Millisecond): // answers while the process dies
			case <-r.Context().Done():
			}
			k.destination.Sink.ServeHTTP(w, r)
		})
	case 2:
		k.destination.Answer(func(w http.ResponseWriter, r *http.Request) {
			k.destination.Sink.ServeHTTP(w, r) // taken, and then the answer is lost
			panic(http.ErrAbortHandler)
		})
	case 3:
		var n atomic.Int64
		k.destination.Answer(func(w http.ResponseWriter, r *http.Request) {
			if n.Add(1)%5 == 0 {
				http.Error(w, "not this one", http.StatusUnprocessableEntity) // a dead letter, which is replayed later
				return
			}
			k.destination.Sink.ServeHTTP(w, r)
		})
	default:
		k.destination.Answer(nil)
	}
	k.change()
	k.replay() // the kill may hit it
}

// replay puts dead letters back; an error is that of a process that is away.
func (k *killTest) replay() {
	var got apiclient.Replayed
	if err := k.site.client.Do(k.Context(), apiclient.Call{Method: http.MethodPost, Path: []string{"dlq", "alert", "replay"},
		Body: apiclient.ReplayRequest{All: true, Reason: "kill test"}}, &got); err == nil {
		k.replayed += got.Replayed
	}
}

// change flips the rule maybe. A change that is not answered may or may not have happened.
func (k *killTest) change() {
	to := map[string]string{"Page_only": "Log_only", "Log_only": "Page_only"}[k.handling]
	r := k.rule()
	k.attempt = to
	err := k.site.client.Do(k.Context(), apiclient.Call{Method: http.MethodPut, Path: []string{"rules", strconv.FormatInt(r.ID, 10)},
		Body: map[string]string{"prod_handling": to}, Reason: "kill test"}, nil)
	if err == nil {
		k.handling, k.attempt = to, ""
		k.changes++
	}
}

// rule reads the rule maybe.
func (k *killTest) rule() rule.Rule {
	k.Helper()
	var all apiclient.Rules
	if err := k.site.client.Do(k.Context(), apiclient.Call{Method: http.MethodGet, Path: []string{"rules"}}, &all); err != nil {
		k.Fatal(err)
	}
	i := slices.IndexFunc(all.Rules, func(r rule.Rule) bool { return r.Name == "maybe" })
	if i < 0 {
		k.Fatalf("an acknowledged rule is lost; there are %+v", all.Rules)
	}
	return all.Rules[i]
}

// checkRule holds that an acknowledged change survives.
func (k *killTest) checkRule() {
	k.Helper()
	got := k.rule().ProdHandling
	if got != k.handling && got != k.attempt {
		k.Fatalf("the rule says %s; acknowledged was %s, attempted %q", got, k.handling, k.attempt)
	}
	k.handling, k.attempt = got, ""
}

// drain lets the destination work and waits until nothing is left to do.
func (k *killTest) drain() {
	k.Helper()
	k.destination.Answer(nil)
	apptest.EventuallyWithin(k, 3*time.Minute, "the queues are drained", func() (bool, any) {
		k.replay()
		var got apiclient.Queues
		if err := k.site.client.Do(k.Context(), apiclient.Call{Method: http.MethodGet, Path: []string{"queues"}}, &got); err != nil {
			return false, err
		}
		left := int64(0)
		for _, q := range got.Queues {
			left += q.Depth + q.Dead
		}
		return left == 0 && len(got.Queues) == 2, got
	})
}

// TestKillDuringStart kills the process in its first moments, again and again, from an empty directory on: it must
// start in the end and work.
func TestKillDuringStart(t *testing.T) {
	t.Parallel()
	d := apptest.NewDestination(t)
	for range 3 {
		s := newSite(t, t.TempDir(), d.URL)
		for n := range 8 {
			p := serve(t, s)
			timer := time.NewTimer(time.Duration(rand.IntN(10*(n+1))) * time.Millisecond)
			<-timer.C
			p.kill()
		}
		p := serve(t, s)
		p.ready()
		sender := &sender{t: t, name: "after", site: s, batch: 1, word: &word{}}
		client := &http.Client{Transport: &http.Transport{}}
		if ok, err := sender.post(t.Context(), client, sender.event("after-1", 1), ""); !ok || err != nil {
			t.Fatal(err)
		}
		client.CloseIdleConnections()
		p.stop()
		for _, name := range []string{"mutt.db", "queue.db"} {
			if _, err := os.Stat(filepath.Join(s.dir, name)); err != nil {
				t.Error(err)
			}
		}
	}
}
