package telemetry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/trouble"
)

func TestHealth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := NewHealth(time.Now)
		if r, code := h.Report(t.Context()); code != 503 || r.Status != "unhealthy" {
			t.Fatalf("before everything has started: %d %+v", code, r)
		}
		h.SetReady(true)
		h.Add("queue", Advice{}, func(context.Context) ([]string, error) { return []string{"durability is memory"}, nil })
		if r, code := h.Report(t.Context()); code != 200 || len(r.Warnings) != 1 || r.Warnings[0] != "queue: durability is memory" {
			t.Fatalf("a warning does not make it unhealthy: %d %+v", code, r)
		}
		h.Add("store", Advice{}, func(context.Context) ([]string, error) { return nil, errors.New("dial tcp 10.9.8.7:5432: refused") })
		h.Add("hang", Advice{}, func(ctx context.Context) ([]string, error) { <-ctx.Done(); return nil, ctx.Err() })
		h.Add("full", Advice{}, func(context.Context) ([]string, error) { return nil, fault.New(fault.QueueFull, "the queue is full") })
		r, code := h.Report(t.Context())
		all := strings.Join(r.Errors, "\n")
		if code != 503 || len(r.Errors) != 3 || strings.Contains(all, "10.9.8.7") ||
			!strings.Contains(all, "did not answer within 2s") || !strings.Contains(all, "raise max_ingest_queue_size") {
			t.Fatalf("%d %+v", code, r)
		}
	})
}

// TestHealthProblems looks at a part with states of trouble, whose warnings hold them in words, at a warning whose numbers change, at a
// standing note and at an error.
func TestHealthProblems(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, waiting, began := NewHealth(time.Now), 29, time.Now()
		var failing error
		h.SetReady(true)
		known := trouble.Advice{Consequence: "c", Remedy: "r", Runbook: "access"}
		h.AddNote("clear text", "keys travel in clear text", known)
		state := trouble.Problem{Code: "breaker_open", Severity: trouble.Bad, Since: began.Add(-time.Minute), Fact: "the breaker is open", Advice: trouble.Advice{Runbook: "destination"}}
		h.Add("forward", Advice{}, func(context.Context) ([]string, error) { return []string{state.Warning(time.Now())}, nil })
		h.AddStates("forward", func() []trouble.Problem { return []trouble.Problem{state} })
		h.Add("letters", Advice{Warned: trouble.Advice{Remedy: "replay"}}, func(context.Context) ([]string, error) { return []string{fmt.Sprint(waiting, " dead letters")}, nil })
		h.Add("store", Advice{Failed: known}, func(context.Context) ([]string, error) { return nil, failing })
		check := func(want ...trouble.Problem) {
			t.Helper()
			if d := cmp.Diff(want, h.Problems(t.Context())); d != "" {
				t.Error(d)
			}
		}
		note := trouble.Problem{Code: "clear_text", Severity: trouble.Note, Since: began, Fact: "keys travel in clear text", Advice: known}
		letters := trouble.Problem{Code: "letters", Severity: trouble.Warn, Since: began, Fact: "29 dead letters", Advice: trouble.Advice{Remedy: "replay"}}
		check(state, letters, note)
		h.AddNotes("letters", func() []string { return []string{"29 dead letters"} })
		noted := letters
		noted.Severity = trouble.Note
		check(state, note, noted)
		time.Sleep(time.Minute)
		waiting, failing = 31, errors.New("dial tcp 10.9.8.7:5432: refused")
		letters.Fact = "31 dead letters"
		away := trouble.Problem{Code: "store", Severity: trouble.Bad, Since: time.Now(), Fact: "failed; the log says more", Advice: known}
		check(state, away, letters, note)
		failing = nil
		check(state, letters, note)
		time.Sleep(time.Minute)
		failing = errors.New("refused again")
		away.Since = time.Now() // a problem that was over begins anew
		check(state, away, letters, note)
	})
}

// TestHealthIsBounded has a check that does not look at its context.
func TestHealthIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := NewHealth(time.Now)
		h.SetReady(true)
		stuck := make(chan struct{})
		h.Add("store", Advice{}, func(context.Context) ([]string, error) { <-stuck; return nil, nil })
		h.Add("queue", Advice{}, func(context.Context) ([]string, error) { return []string{"slow"}, nil })
		begin := time.Now()
		r, status := h.Report(t.Context())
		if took := time.Since(begin); took != CheckBound || status != 503 || len(r.Errors) != 1 || !strings.Contains(r.Errors[0], "did not answer") || len(r.Warnings) != 1 {
			t.Errorf("after %v: %d %+v", took, status, r)
		}
		close(stuck)
	})
}

func TestLogger(t *testing.T) {
	var buf bytes.Buffer
	level := zap.NewAtomicLevelAt(zapcore.InfoLevel)
	log := NewLogger(&buf, false, level)
	log.Debug("hidden")
	level.SetLevel(zapcore.DebugLevel)
	log.Debug("shown", zap.String("event_id", "e1"))
	if s := buf.String(); strings.Contains(s, "hidden") || !strings.Contains(s, `"event_id":"e1"`) {
		t.Fatalf("got %s", s)
	}
	if _, err := ParseLevel("loud"); err == nil {
		t.Fatal("accepted")
	}
	if _, err := NewRegistry().Gather(); err != nil {
		t.Fatal(err)
	}
}

// TestLogsAreText: in either form a line of the log is one line, and a terminal obeys nothing in it.
func TestLogsAreText(t *testing.T) {
	const attack = "\x1b]0;PWNED\x07\u009b31m\r\nforged\u202e\u2028\x7f"
	for _, console := range []bool{false, true} {
		var buf bytes.Buffer
		log := NewLogger(&buf, console, zap.NewAtomicLevel())
		log.Info("a message", zap.String("host", attack), zap.Error(errors.New(attack)), zap.Any("any", map[string]string{attack: attack}), zap.Strings("list", []string{attack}))
		text := buf.String()
		if strings.Count(text, "\n") != 1 || strings.ContainsFunc(strings.TrimSuffix(text, "\n"), func(r rune) bool {
			return r != '\t' && unicode.In(r, unicode.Cc, unicode.Bidi_Control, unicode.Zl)
		}) {
			t.Errorf("console %v: %q", console, text)
		}
		var line struct{ Host, Error string }
		if !console && (json.Unmarshal(buf.Bytes(), &line) != nil || line.Host != attack || line.Error != attack) {
			t.Errorf("the line reads as %+v", line)
		}
	}
}
