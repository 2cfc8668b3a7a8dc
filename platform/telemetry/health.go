package telemetry

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/trouble"
)

// CheckBound limits each check.
const CheckBound = 2 * time.Second

// Check looks at one dependency or part: warnings are told, an error makes the process unhealthy.
type Check func(ctx context.Context) (warnings []string, err error)

// Health gathers the checks of a process.
type Health struct {
	now func() time.Time

	mu    sync.Mutex
	parts []*part
	ready bool
	since map[string]time.Time // when a warning or error of a check was first there, by code and words
}

// part is one checked part of the process.
type part struct {
	name     string
	severity trouble.Severity // of its warnings
	check    Check
	states   func() []trouble.Problem // nil for a part without states of trouble
	notes    func() []string          // those of its warnings that are standing notes; nil for none
	advice   Advice
}

// Advice is what is known about what a check finds: about its error and about its warnings.
type Advice struct{ Failed, Warned trouble.Advice }

// Report is the answer of /health.
type Report struct {
	Status   string   `json:"status"` // healthy or unhealthy
	Errors   []string `json:"errors,omitempty"`
	Warnings []string `json:"warnings"`
}

// NewHealth returns a Health that is not ready.
func NewHealth(now func() time.Time) *Health {
	return &Health{now: now, since: map[string]time.Time{}}
}

// Add adds a check under a name that is shown.
func (h *Health) Add(name string, a Advice, c Check) {
	h.put(part{name: name, severity: trouble.Warn, check: c, advice: a})
}

// AddNote adds a standing note about the configuration, as a warning.
func (h *Health) AddNote(name, text string, a trouble.Advice) {
	h.put(part{name: name, severity: trouble.Note, advice: Advice{Warned: a}, check: func(context.Context) ([]string, error) { return []string{text}, nil }})
}

// AddStates adds the states of trouble of a part that has a check. Its warnings hold the same states, in words.
func (h *Health) AddStates(name string, states func() []trouble.Problem) {
	h.change(name, func(p *part) { p.states = states })
}

// AddNotes names those warnings of a part that has a check which are standing notes about the configuration.
func (h *Health) AddNotes(name string, notes func() []string) {
	h.change(name, func(p *part) { p.notes = notes })
}

func (h *Health) change(name string, f func(*part)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, p := range h.parts {
		if p.name == name {
			f(p)
		}
	}
}

func (h *Health) put(p part) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, other := range h.parts {
		if other.name == p.name {
			*other = p
			return
		}
	}
	h.parts = append(h.parts, &p)
}

// SetReady says whether every part has started and none is stopping.
func (h *Health) SetReady(ready bool) {
	h.mu.Lock()
	h.ready = ready
	h.mu.Unlock()
}

// Report runs all checks at once, each within CheckBound.
func (h *Health) Report(ctx context.Context) (Report, int) {
	found, ready := h.look(ctx)
	r := Report{Status: "healthy", Warnings: []string{}}
	if !ready {
		r.Errors = append(r.Errors, "process: "+notReady)
	}
	for i := range found {
		f := &found[i]
		if f.err != nil {
			r.Errors = append(r.Errors, f.name+": "+sentence(f.err))
		}
		for _, w := range f.warnings {
			r.Warnings = append(r.Warnings, f.name+": "+w)
		}
	}
	if len(r.Errors) > 0 {
		r.Status = "unhealthy"
		return r, http.StatusServiceUnavailable
	}
	return r, http.StatusOK
}

const notReady = "not every part has started, or it is stopping"

// Problems runs all checks, as Report does, and returns what they find with what is known about it.
func (h *Health) Problems(ctx context.Context) (problems []trouble.Problem) {
	found, ready := h.look(ctx)
	now := h.now()
	if !ready {
		problems = append(problems, trouble.Problem{Code: "process", Severity: trouble.Warn, Fact: notReady, Advice: trouble.Advice{
			Consequence: "this process does only a part of its work", Remedy: "wait a moment; when it lasts, the log of the process says what it waits for", Runbook: "start"}})
	}
	for i := range found {
		f := &found[i]
		if f.err != nil {
			problems = append(problems, trouble.Problem{Code: f.code(), Severity: trouble.Bad, Fact: sentence(f.err), Advice: f.advice.Failed})
		}
		for _, w := range f.warnings {
			// The words of a state begin with its fact; the state itself knows more.
			if !slices.ContainsFunc(f.states, func(p trouble.Problem) bool { return strings.HasPrefix(w, p.Fact) }) {
				problems = append(problems, trouble.Problem{Code: f.code(), Severity: f.severityOf(w), Fact: w, Advice: f.advice.Warned})
			}
		}
		problems = append(problems, f.states...)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	since := map[string]time.Time{}
	for i := range problems {
		if p := &problems[i]; p.Since.IsZero() {
			key := p.Code + " " + withoutDigits(p.Fact)
			if p.Since = h.since[key]; p.Since.IsZero() {
				p.Since = now
			}
			since[key] = p.Since
		}
	}
	h.since = since
	return trouble.Sorted(problems)
}

// withoutDigits returns a text by which a warning whose numbers change is known again.
func withoutDigits(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return -1
		}
		return r
	}, s)
}

// found is what one part says of itself.
type found struct {
	part
	result
	states []trouble.Problem
}

// severityOf returns the severity of a warning.
func (f *found) severityOf(warning string) trouble.Severity {
	if f.notes != nil && slices.Contains(f.notes(), warning) {
		return trouble.Note
	}
	return f.severity
}

func (f *found) code() string { return strings.ReplaceAll(f.name, " ", "_") }

// look asks all parts at once.
func (h *Health) look(ctx context.Context) ([]found, bool) {
	h.mu.Lock()
	out, ready := make([]found, len(h.parts)), h.ready
	for i, p := range h.parts {
		out[i].part = *p
	}
	h.mu.Unlock()
	var wg sync.WaitGroup
	for i := range out {
		wg.Go(func() {
			f := &out[i]
			f.result = bounded(ctx, f.check)
			if f.part.states != nil {
				f.states = f.part.states()
			}
		})
	}
	wg.Wait()
	return out, ready
}

type result struct {
	warnings []string
	err      error
}

// bounded runs a check within CheckBound, also one that does not look at its context: it is left behind then.
func bounded(ctx context.Context, c Check) result {
	ctx, cancel := context.WithTimeout(ctx, CheckBound)
	defer cancel()
	done := make(chan result, 1)
	go func() {
		warnings, err := c(ctx)
		done <- result{warnings, err}
	}()
	select {
	case r := <-done:
		return r
	case <-ctx.Done():
		return result{err: ctx.Err()}
	}
}

// sentence gives what may be shown of an error: a fault's message and remedy, never a foreign error's text,
// which may hold an address.
func sentence(err error) string {
	if fault.Is(err, fault.FileUnsafe) { // its message names a path
		return fault.Describe(fault.FileUnsafe).Meaning + "; the log names it"
	}
	if f, ok := fault.As(err); ok {
		remedy := f.Remedy
		if remedy == "" {
			remedy = fault.Describe(f.Code).Remedy
		}
		return fmt.Sprintf("%s (%s)", f.Message, remedy)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Sprintf("did not answer within %s", CheckBound)
	}
	return "failed; the log says more"
}
