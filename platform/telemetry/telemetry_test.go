package telemetry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/muttproject/mutt/platform/fault"
)

func TestHealth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := NewHealth()
		if r, code := h.Report(t.Context()); code != 503 || r.Status != "unhealthy" {
			t.Fatalf("before everything has started: %d %+v", code, r)
		}
		h.SetReady(true)
		h.Add("queue", func(context.Context) ([]string, error) { return []string{"durability is memory"}, nil })
		if r, code := h.Report(t.Context()); code != 200 || len(r.Warnings) != 1 || r.Warnings[0] != "queue: durability is memory" {
			t.Fatalf("a warning does not make it unhealthy: %d %+v", code, r)
		}
		h.Add("store", func(context.Context) ([]string, error) { return nil, errors.New("dial tcp 10.9.8.7:5432: refused") })
		h.Add("hang", func(ctx context.Context) ([]string, error) { <-ctx.Done(); return nil, ctx.Err() })
		h.Add("full", func(context.Context) ([]string, error) { return nil, fault.New(fault.QueueFull, "the queue is full") })
		r, code := h.Report(t.Context())
		all := strings.Join(r.Errors, "\n")
		if code != 503 || len(r.Errors) != 3 || strings.Contains(all, "10.9.8.7") ||
			!strings.Contains(all, "did not answer within 2s") || !strings.Contains(all, "raise max_ingest_queue_size") {
			t.Fatalf("%d %+v", code, r)
		}
	})
}

// TestHealthIsBounded has a check that does not look at its context.
func TestHealthIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := NewHealth()
		h.SetReady(true)
		stuck := make(chan struct{})
		h.Add("store", func(context.Context) ([]string, error) { <-stuck; return nil, nil })
		h.Add("queue", func(context.Context) ([]string, error) { return []string{"slow"}, nil })
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
