package ui

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/queue"
	"github.com/muttproject/mutt/platform/store"
)

// overview returns the text of Overview as a browser without scripts shows it: tags are gone, and spaces are one.
func (c *console) overview() (html, text string) {
	c.Helper()
	got := c.get(c.session("viewer"), "/")
	if got.status != 200 {
		c.Fatalf("Overview: %d", got.status)
	}
	_, html, _ = strings.Cut(got.body, "<main")
	html, _, _ = strings.Cut(html, "</main>")
	text = regexp.MustCompile(`<svg.*?</svg>|<[^>]*>`).ReplaceAllString(html, " ")
	return html, strings.Join(strings.Fields(text), " ")
}

func (c *console) says(text string, wanted ...string) {
	c.Helper()
	for _, want := range wanted {
		if !strings.Contains(text, want) {
			c.Errorf("Overview lacks %q:\n%.2500s", want, text)
		}
	}
}

// TestOverviewInTrouble: the figures of the scene agree with each other from the verdict to the books.
func TestOverviewInTrouble(t *testing.T) {
	t.Parallel()
	c := newScene(t, Health{}, troubled())
	html, text := c.overview()
	c.says(text, "Alerts are not reaching moogsoft for 8 min 07 s", "The breaker opened at 03:04:37: 10 requests in a row failed, all with HTTP 503. 1,604 alerts wait in the queue; nothing is lost.",
		"What to do See whether moogsoft is up. Once it answers, the queue drains by itself in about 35 s at 50 per second.", "Next probe in 1 min 53 s", "docs/runbooks/destination.md",
		"Alerts went to the dead letters (29 alerts)", "The certificate of the listener ingest ends in 9 days", "queue.durability is everysec",
		"Sources 268 /s HTTP 26 syslog 242", "Ingest 268 /s taken refused, 24 h 148 wrong, 24 h 41", "Ingest queue 45 waiting oldest 200 ms trend steady room left 999,955", "Alert 268 /s judged",
		"meta-alerts, 24 h 212", "Alert queue 1,604 waiting oldest 8 min 08 s trend +3.6 /s warns at 100,000", "Forward 0 /s sent limit 50 /s for a retry 0 forwarders 2", "Breaker Open 8:07 failures 10 in a row next probe 1:53",
		"moogsoft 503 last answer delivered 03:04:31 parked 37", "Judged, last minute forwarded 216 unhandled 408 silenced 6 recorded 5,412 ignored 10,038", "now 268 mean of 24 h 213",
		"brought forward 31 received 18,402,038 to account for 18,402,069 judged 18,402,024 of these forwarded 261,940 in flight 45 difference 0",
		"brought forward 118 forwarded, meta 262,152 to account for 262,270 delivered 260,617 waiting 1,604 parked, discarded 49 difference 0", "Delivered in time burning", "fw-fra-1 61,204", "BGP neighbor down 612")
	if n := strings.Count(html, `class="even"`); n != 2 {
		t.Errorf("%d double rules", n)
	}
	if strings.Contains(html, " style=") || strings.Contains(html, "<script") {
		t.Error("the page has what the policy forbids")
	}
}

// TestOverviewOnAnOrdinaryNight: nothing is wrong, and the page is quiet.
func TestOverviewOnAnOrdinaryNight(t *testing.T) {
	t.Parallel()
	c := newScene(t, Health{}, healthy())
	html, text := c.overview()
	c.says(text, "Everything works 268 events per second come in, 3.6 alerts per second go out, and nothing waits longer than 400 ms.", "Alert queue 2 waiting oldest 400 ms trend steady",
		"Forward 3.6 /s sent", "Breaker Closed failures 0 in a row", "moogsoft 200 last answer", "brought forward 3 forwarded, meta 262,152 to account for 262,155 delivered 262,153 waiting 2 parked, discarded 0 difference 0", "5 objectives are kept")
	if strings.Contains(text, "What to do") || regexp.MustCompile(`class="[^"]*stuck`).MatchString(html) {
		t.Error("an ordinary night is not quiet")
	}
}

// TestOverviewWhenBooksDoNotBalance: that is the first problem, nothing is promised, and the double rule is not drawn.
func TestOverviewWhenBooksDoNotBalance(t *testing.T) {
	t.Parallel()
	c := newScene(t, Health{}, troubled())
	if err := c.store.FoldCounts(t.Context(), []store.MinuteCount{{Minute: sceneTime().Unix()/60 - 90, Process: "other", Kind: queue.CountReceived, Label: "syslog", N: 5}}); err != nil {
		t.Fatal(err)
	}
	html, text := c.overview()
	c.says(text, "The books do not balance Judging differs by 5 and delivery by 0 from what was received.", "docs/runbooks/missing-event.md", "Books not balanced", "difference 5",
		"The circuit breaker of the destination is open and alerts wait in the queue", "The certificate of the listener ingest ends in 9 days")
	if strings.Contains(strings.ToLower(text), "nothing is lost") || strings.Count(html, `class="even"`) != 1 {
		t.Errorf("a promise, or %d double rules: %.900s", strings.Count(html, `class="even"`), text)
	}
}

// TestOverviewWhileTheStoreIsAway: what comes from the queue goes on; books and lists are grey, with since when.
func TestOverviewWhileTheStoreIsAway(t *testing.T) {
	t.Parallel()
	s := troubled()
	s.problems = append([]apiclient.Problem{{Code: "store", Severity: "bad", Since: sceneTime().Add(-11 * time.Minute), Fact: "PostgreSQL is unavailable", Consequence: "events are taken in but not judged",
		Remedy: "look at PostgreSQL", Promise: "nothing is lost", Runbook: "postgresql"}}, s.problems...)
	c := newScene(t, Health{}, s)
	away := error(fault.New(fault.StoreUnavailable, "PostgreSQL is unavailable"))
	c.folded.Store(&away)
	html, text := c.overview()
	c.says(text, "PostgreSQL is unavailable for 11 min 00 s Events are taken in but not judged. What to do Look at PostgreSQL.", "Sources – /s", "Ingest queue 45 waiting", "Alert queue 1,604 waiting", "Breaker Open 8:07",
		"The store is away since 03:01:44. Events wait in the queue until it answers.", "fw-fra-1 61,204")
	if n := strings.Count(text, "The store is away since"); n < 4 || strings.Contains(strings.ToLower(text), "nothing is lost") {
		t.Errorf("said %d times: %.3000s", n, text)
	}
	if strings.Contains(html, "note bad") {
		t.Error("the panels of a store that is away are red")
	}
}

// TestOverviewInParts: what cannot be read is said in its panel, and the rest of the page stays.
func TestOverviewInParts(t *testing.T) {
	t.Parallel()
	broken := errors.New("a fault of this test")
	for name, part := range map[string]struct {
		breaks func(*Deps)
		says   []string
	}{
		"problems": {func(d *Deps) {
			d.Problems = func(context.Context) (apiclient.Problems, error) { return apiclient.Problems{}, broken }
		}, []string{"A part of this page cannot be read", "Sources 0 /s", "Books balanced"}},
		"destinations": {func(d *Deps) {
			d.Destinations = func(context.Context) ([]apiclient.Destination, error) { return nil, broken }
		}, []string{"Pipeline A fault inside MUTT.", "Books balanced"}},
		"top": {func(d *Deps) {
			d.Top = func(context.Context, string) (apiclient.Top, error) { return apiclient.Top{}, broken }
		}, []string{"Everything works", "Busiest hosts 15 min A fault inside MUTT."}},
		"processes": {func(d *Deps) { d.Processes = func(context.Context) ([]apiclient.Process, error) { return nil, broken } }, []string{"Everything works", "Sources 0 /s"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newConsoleOf(t, Health{}, part.breaks)
			c.T = t
			_, text := c.overview()
			c.says(text, part.says...)
			if strings.Contains(text, "a fault of this test") {
				t.Error("a fault inside MUTT is shown in its words")
			}
		})
	}
}

// TestOverviewOfHostileNames: what devices and people wrote is text, wherever it stands.
func TestOverviewOfHostileNames(t *testing.T) {
	t.Parallel()
	s := troubled()
	s.destinations[0].Name = attack
	for i := range s.problems {
		s.problems[i].Fact, s.problems[i].Unit = attack+": "+attack, attack
	}
	html, text := newScene(t, Health{}, s).overview()
	if strings.Contains(html, "<img") || strings.Contains(html, "<script") || strings.ContainsAny(html, "\x1b\u202e") {
		t.Error("what somebody wrote is not text")
	}
	if !strings.Contains(text, "‹U+202E›") {
		t.Error("what reorders text is not visible")
	}
}
