package page

import (
	"fmt"
	"strings"
	"time"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/queue"
)

// verdict is the answer of Overview in a sentence: what is wrong and what to do, or that everything works.
type verdict struct {
	tone, icon, title string
	lasted, since     string // "8 min 07 s", and the time in full; "" where that is not known
	fact, held, after string // sentences: what is wrong, what holds all the same, what follows
	todo, next        string // what to do, and when MUTT does something by itself
	runbook           string // path of the document
	lines             []finding
	notes             []finding
	more              []finding
}

// finding is a further problem, in a line that opens.
type finding struct{ tone, icon, title, text, todo, runbook string }

// beside is how many further problems stand in the row below the worst one.
const beside = 2

// verdictOf puts the worst problem first. Everything works only when every process, the books and the parts of the page say so.
func verdictOf(d *overviewData, v *overviewView, now time.Time) verdict {
	balanced := v.booksFailed == nil && v.even
	var all, notes []apiclient.Problem
	if v.booksFailed == nil && !v.even {
		j, del := &d.ledger.Judging, &d.ledger.Delivery
		all = append(all, apiclient.Problem{Code: "books", Severity: "bad", Title: "The books do not balance",
			Fact:        fmt.Sprintf("judging differs by %s and delivery by %s from what was received", count(j.Difference), count(del.Difference)),
			Consequence: "an event may be missing, or counted on one side only", Remedy: "see which book differs below, and follow the runbook", Runbook: "missing-event"})
	}
	for _, p := range d.problems.Problems {
		if p.Severity == "note" {
			notes = append(notes, p)
		} else {
			all = append(all, p)
		}
	}
	out := well(d)
	if len(all) > 0 {
		out = worst(&all[0], d, balanced, now)
		all = all[1:]
	} else if failed := firstOf(v.problemsFailed, v.lineFailed, v.booksFailed, v.slosFailed); failed != nil {
		out = verdict{tone: "bad", icon: "warn", title: "A part of this page cannot be read", fact: sentenceCase(failed.Message), todo: sentenceCase(failed.Remedy)}
	}
	for i := range all {
		f := findingOf(&all[i], balanced, now)
		if i < beside {
			out.lines = append(out.lines, f)
		} else {
			out.more = append(out.more, f)
		}
	}
	for i := range notes {
		f := findingOf(&notes[i], balanced, now)
		f.tone, f.icon = "note", "info"
		if i == 0 {
			out.notes = append(out.notes, f)
		} else {
			out.more = append(out.more, f)
		}
	}
	if n := d.problems.LeftOut; n > 0 {
		out.more = append(out.more, finding{tone: "warn", icon: "warn", title: counted(int64(n), "more problem that a process did not list", "more problems that processes did not list"),
			text: "A process publishes its 16 worst.", todo: "See /health of each process."})
	}
	return out
}

func firstOf(problems ...*problem) *problem {
	for _, p := range problems {
		if p != nil {
			return p
		}
	}
	return nil
}

// well is the verdict without a problem.
func well(d *overviewData) verdict {
	p := &d.pipeline
	text := fmt.Sprintf("%s events per second come in", perSecond(received(p)))
	if len(p.Destinations) > 0 {
		text += fmt.Sprintf(", %s alerts per second go out", perSecond(sent(p)))
	}
	oldest := 0.0
	for _, q := range p.Queues {
		oldest = max(oldest, q.OldestSeconds)
	}
	if oldest > 0 {
		text += ", and nothing waits longer than " + seconds(oldest) + "."
	} else {
		text += ", and nothing waits."
	}
	return verdict{tone: "ok", icon: "check", title: "Everything works", fact: text}
}

// worst is the verdict on a problem. For one of the destination it says what the line knows: since when the breaker is open, how many
// alerts wait, and how long they will take.
func worst(p *apiclient.Problem, d *overviewData, balanced bool, now time.Time) verdict {
	title, fact := p.Title, p.Fact
	if title == "" {
		title, fact = clause(p.Fact)
	}
	out := verdict{tone: "warn", icon: "warn", title: strings.TrimSuffix(sentenceCase(visible(title)), "."), fact: sentenceCase(visible(fact)), after: sentenceCase(visible(p.Consequence)),
		todo: sentenceCase(visible(p.Remedy)), runbook: runbookPath(p.Runbook)}
	if p.Severity == "bad" {
		out.tone = "bad"
	}
	if p.Count > 0 && p.Unit != "" {
		out.fact = strings.TrimSpace(out.fact + " " + sentenceCase(count(p.Count)+" "+visible(p.Unit)+" so far"))
	}
	since := p.Since
	var held []string
	if p.Runbook == "destination" && len(d.pipeline.Destinations) > 0 {
		to := worstFirst(d.pipeline.Destinations)[0]
		alerts := d.pipeline.Queues[string(queue.Alert)]
		if len(d.pipeline.Destinations) == 1 {
			out.title = strings.Replace(out.title, "the destination", visible(to.Name), 1)
			out.todo = strings.Replace(out.todo, "the destination", visible(to.Name), 1)
		}
		if p.Code == "breaker_open" && to.Breaker.Since != nil {
			since, out.icon = *to.Breaker.Since, "breaker"
			out.fact = fmt.Sprintf("The breaker opened at %s: %s in a row failed%s.", moment(since, now), counted(to.Breaker.Failures, "request", "requests"), allWith(to.SameStatus))
			if to.Breaker.NextProbe != nil {
				out.next = "Next probe in " + span(max(0, to.Breaker.NextProbe.Sub(now)).Round(time.Second))
			}
		}
		if n := depth(alerts); n > 0 {
			held = append(held, counted(n, "alert waits", "alerts wait")+" in the queue")
		}
		switch {
		case alerts.DrainSeconds != nil:
			out.todo += fmt.Sprintf(" Once it answers, the queue drains by itself in about %s at %s per second.", seconds(*alerts.DrainSeconds), perSecond(to.RateLimit))
		case alerts.FullSeconds != nil:
			out.todo += fmt.Sprintf(" The queue grows by %s /s and is full in %s.", perSecond(alerts.Trend), seconds(*alerts.FullSeconds))
		}
	}
	if balanced && p.Promise != "" {
		held = append(held, visible(p.Promise))
	}
	out.held = sentenceCase(strings.Join(held, "; "))
	if !since.IsZero() {
		out.since, out.lasted = exact(since), span(max(0, now.Sub(since)).Round(time.Second))
	}
	return out
}

func allWith(status *int) string {
	if status == nil {
		return ""
	}
	return fmt.Sprintf(", all with HTTP %d", *status)
}

// findingOf is a problem in one line; what follows and what to do is behind it.
func findingOf(p *apiclient.Problem, balanced bool, now time.Time) finding {
	f := finding{tone: "warn", icon: "warn", runbook: runbookPath(p.Runbook), todo: sentenceCase(visible(p.Remedy))}
	title, detail := clause(p.Fact)
	f.title = strings.TrimSuffix(sentenceCase(visible(title)), ".")
	if p.Severity == "bad" {
		f.tone, f.icon = "bad", "poison"
	}
	if p.Count > 0 && p.Unit != "" {
		f.title += fmt.Sprintf(" (%s %s)", count(p.Count), visible(p.Unit))
	}
	text := []string{sentenceCase(visible(detail)), sentenceCase(visible(p.Consequence))}
	if balanced && p.Promise != "" {
		text = append(text, sentenceCase(visible(p.Promise)))
	}
	if !p.Since.IsZero() {
		text = append(text, "Since "+moment(p.Since, now)+".")
	}
	f.text = strings.TrimSpace(strings.Join(text, " "))
	return f
}

// clause splits a fact into its first clause and the detail after a colon.
func clause(fact string) (first, detail string) {
	if first, detail, cut := strings.Cut(fact, ": "); cut && strings.Count(first, " ") > 1 {
		return first, detail
	}
	return fact, ""
}

func runbookPath(name string) string {
	if name == "" {
		return ""
	}
	return "docs/runbooks/" + visible(name) + ".md"
}
