package api

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/httpserver"
	"github.com/muttproject/mutt/platform/store"
)

// Bounds of streams.
const (
	maxStreams     = 200 // of a process
	maxOwnStreams  = 20  // of one identity
	streamRows     = 20  // in each message, one of which goes out a second
	streamBeat     = 10 * time.Second
	streamLife     = time.Minute // then the client comes again, with whatever rights it has by then
	streamDeadline = 20 * time.Second
)

const eventStream = "text/event-stream"

// streams counts the streams of each identity.
type streams struct {
	mu    sync.Mutex
	all   int
	owned map[string]int
}

func (s *streams) enter(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.all >= maxStreams:
		return fault.New(fault.Busy, "%d streams are open, as many as may at once", maxStreams).WithRetryAfter(5 * time.Second)
	case s.owned[name] >= maxOwnStreams:
		return fault.New(fault.RateLimited, "%s has %d streams open, as many as it may at once", name, maxOwnStreams).WithRetryAfter(5 * time.Second)
	}
	if s.owned == nil {
		s.owned = map[string]int{}
	}
	s.all++
	s.owned[name]++
	return nil
}

func (s *streams) leave(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all--
	if s.owned[name]--; s.owned[name] == 0 {
		delete(s.owned, name)
	}
}

// streamEvents sends what is judged as server-sent events: a bounded sample each second, fair over hosts, that says what was left out.
func (a *API) streamEvents(c echo.Context) error {
	f, err := auditFilterOf(c)
	if err != nil {
		return err
	}
	ctx, name := c.Request().Context(), httpserver.Identity(c).Name
	if err := a.streaming.enter(name); err != nil {
		return err
	}
	defer a.streaming.leave(name)
	looks, leave := a.tail.watch()
	defer leave()
	h := c.Response().Header()
	h.Set("Content-Type", eventStream)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no")
	c.Response().WriteHeader(http.StatusOK)
	out := http.NewResponseController(c.Response())
	send := func(text []byte) error {
		_ = out.SetWriteDeadline(time.Now().Add(streamDeadline)) // a recorder of a test has none
		if _, err := c.Response().Write(text); err != nil {
			return err
		}
		return out.Flush()
	}
	if c.Request().Method == http.MethodHead {
		return nil
	}
	if send([]byte("retry: 2000\n\n")) != nil {
		return nil // the caller has gone
	}
	beat, life := time.NewTicker(streamBeat), time.NewTimer(streamLife)
	defer beat.Stop()
	defer life.Stop()
	for {
		var text []byte
		select {
		case <-ctx.Done():
			return nil
		case <-httpserver.Ending(ctx):
			return nil
		case <-life.C:
			return nil
		case <-beat.C:
			text = []byte(": still here\n\n")
		case l := <-looks:
			if len(l.rows) == 0 && l.judged == 0 {
				continue
			}
			body, err := render(sampleOf(l, f))
			if err != nil {
				return err
			}
			text = fmt.Appendf(nil, "event: sample\ndata: %s\n\n", bytes.TrimSpace(body))
		}
		if send(text) != nil {
			return nil
		}
	}
}

// sampleOf picks what a watcher is shown of a look.
func sampleOf(l *look, f store.AuditFilter) apiclient.StreamSample {
	out := apiclient.StreamSample{At: l.at, Judged: l.judged, LookedAt: len(l.rows), Events: []apiclient.AuditLog{}}
	var fitting []*store.AuditLog
	m := newMatcher(f)
	for i := range l.rows {
		if m.fits(&l.rows[i], func() string { return l.text(i) }) {
			fitting = append(fitting, &l.rows[i])
		}
	}
	out.Fitting = len(fitting)
	for _, row := range fair(fitting, streamRows) {
		out.Events = append(out.Events, auditLog(row))
	}
	return out
}

// matcher is a filter of judged events, prepared for many rows.
type matcher struct {
	store.AuditFilter
	host, text string // folded; text as it stands in JSON
}

func newMatcher(f store.AuditFilter) matcher {
	quoted := string(event.AppendJSONString(nil, f.Query))
	return matcher{f, event.FoldHost(f.Hostname), event.FoldHost(quoted[1 : len(quoted)-1])}
}

// fits reports whether a row fits the filter, as AuditLogs decides it. raw returns the row's text, folded.
func (f *matcher) fits(l *store.AuditLog, raw func() string) bool {
	d := &l.Decision
	return (f.host == "" || f.host == event.FoldHost(l.Hostname)) && (f.RuleID == nil || d.RuleID == *f.RuleID) &&
		(f.Team == "" || d.Team == f.Team) && (f.Handling == 0 || d.Handling == f.Handling) && (f.Fate == 0 || d.Fate == f.Fate) &&
		(f.Source == 0 || l.Source == f.Source) && (f.Dev == nil || d.Dev == *f.Dev) && (f.ID == event.ID{} || l.ID == f.ID) &&
		(f.Severity == nil || l.SyslogSeverity >= f.Severity.Worst && l.SyslogSeverity <= f.Severity.Least) &&
		(f.CorrelationID == "" || l.CorrelationID == f.CorrelationID) && (f.text == "" || strings.Contains(raw(), f.text))
}

// fair picks at most n rows and keeps their order: each host has one before any has two.
func fair(rows []*store.AuditLog, n int) []*store.AuditLog {
	if len(rows) <= n {
		return rows
	}
	turn := make([]int, len(rows)) // the how-manieth of its host
	seen := map[string]int{}
	for i, r := range rows {
		host := event.FoldHost(r.Hostname)
		turn[i] = seen[host]
		seen[host]++
	}
	picked := make([]bool, len(rows))
	left := n
	for round := 0; left > 0; round++ {
		for i := range rows {
			if turn[i] == round && left > 0 {
				picked[i] = true
				left--
			}
		}
	}
	out := make([]*store.AuditLog, 0, n)
	for i, r := range rows {
		if picked[i] {
			out = append(out, r)
		}
	}
	return out
}
