package syslog

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/muttproject/mutt/modules/ingest/internal/intake"
	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/queue"
)

func newTestFeed(t interface{ Fatal(...any) }, sink Sink) (*feed, *metrics, *lastCause) {
	m, err := newMetrics(newRegistry(), func() int64 { return 0 })
	if err != nil {
		t.Fatal(err)
	}
	why := &lastCause{}
	return &feed{parser: NewParser(time.UTC), sink: sink, metrics: &m.tcp, failing: why}, m, why
}

func numbered(n int) (lines []Line) {
	for i := range n {
		lines = append(lines, Line{Text: fmt.Appendf(nil, "<13>a: %d", i), Peer: peer, At: received})
	}
	return lines
}

// Whatever the sink answers, every line is stored exactly once or counted as lost exactly once, and without a
// limit of time only those are lost that are refused for good.
func TestDeliverLosesNothing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(0, 20).Draw(rt, "lines")
		dice := rapid.SliceOfN(rapid.IntRange(0, 4), 0, 100).Draw(rt, "dice") // used up, everything works
		roll := func() int {
			if len(dice) == 0 {
				return 4
			}
			d := dice[0]
			dice = dice[1:]
			return d
		}
		refused, sink := 0, newMemSink()
		sink.answer = func(_ context.Context, n int) (map[int]error, error) {
			if roll() == 0 {
				return nil, fault.New(fault.QueueFull, "full").WithRetryAfter(time.Second)
			}
			failed := map[int]error{}
			for i := range n {
				switch roll() {
				case 0:
					failed[i] = fault.New(fault.QueueUnavailable, "away").WithRetryAfter(time.Second)
				case 1:
					failed[i] = fault.New(fault.TooLarge, "large")
					refused++
				}
			}
			return failed, nil
		}
		f, m, _ := newTestFeed(rt, sink)
		synctest.Test(t, func(t *testing.T) {
			sink.changed = make(chan struct{}) // of this bubble
			f.deliver(t.Context(), numbered(n), time.Time{})
		})
		seen := map[string]bool{}
		for _, e := range sink.events {
			if seen[e.Message] {
				rt.Fatal("twice: " + e.Message)
			}
			seen[e.Message] = true
		}
		if lost := int(m.tcp.dropped[causeRefused].Load()); lost != refused || len(seen)+lost != n {
			rt.Fatalf("%d lines: %d stored, %d lost, %d refused", n, len(seen), lost, refused)
		}
	})
}

// The waits double up to a second; a line is given up when its time is over, not before.
func TestDeliverGivesUpInTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sink := newMemSink()
		f, m, why := newTestFeed(t, sink)
		sink.answer = func(context.Context, int) (map[int]error, error) {
			return nil, fault.New(fault.RateLimited, "fast").WithRetryAfter(time.Millisecond)
		}
		begin := time.Now()
		f.deliver(t.Context(), numbered(3), begin.Add(5*time.Second))
		if took := time.Since(begin); took < 4*time.Second || took > 5*time.Second || sink.tries > 10 {
			t.Errorf("gave up after %v and %d tries", took, sink.tries)
		}
		if m.tcp.dropped[causeRateLimited].Load() != 3 || why.or(causeNone) != causeRateLimited {
			t.Error("not counted")
		}
		sink.answer = nil
		f.deliver(t.Context(), numbered(3), time.Now())
		if len(sink.all()) != 3 || why.or(causeNone) != causeNone {
			t.Error("an old line is not tried at all, or the cause stays")
		}
	})
}

func TestDeliverEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sink := newMemSink()
		f, m, _ := newTestFeed(t, sink)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		sink.answer = func(context.Context, int) (map[int]error, error) {
			return nil, fault.New(fault.QueueFull, "full").WithRetryAfter(time.Second)
		}
		f.deliver(ctx, numbered(2), time.Time{})
		sink.answer = func(ctx context.Context, _ int) (map[int]error, error) { return nil, ctx.Err() }
		f.deliver(ctx, numbered(2), time.Time{})
		if m.tcp.dropped[causeStopping].Load() != 4 {
			t.Error("not counted as left at the stop")
		}
	})
}

func TestCauses(t *testing.T) {
	t.Parallel()
	for err, want := range map[error]cause{
		fault.New(fault.QueueFull, ""):                             causeQueueFull,
		fmt.Errorf("x: %w", fault.New(fault.QueueUnavailable, "")): causeQueueAway,
		fault.New(fault.RateLimited, ""):                           causeRateLimited,
		fault.New(fault.Closed, ""):                                causeStopping,
		fault.New(fault.Corrupt, ""):                               causeOther,
		errors.New("x"):                                            causeOther,
	} {
		if got := causeOf(err); got != want {
			t.Errorf("%v is %v, want %v", err, got, want)
		}
	}
	seen := map[string]bool{}
	for c := range causes {
		if seen[c.String()] || c != causeNone && c.String() == "" {
			t.Errorf("cause %d is named %q", c, c)
		}
		seen[c.String()] = true
	}
}

// intakeSink is how the ingest module joins this package and the intake.
type intakeSink struct{ in *intake.Intake }

func (s intakeSink) NewBatch() Batch { return s.in.NewBatch(event.SourceSyslog) }

func (s intakeSink) Submit(ctx context.Context, b Batch) (map[int]error, error) {
	out, err := s.in.Submit(ctx, b.(*intake.Batch))
	return out.Failed, err
}

// keeper decodes what the intake appends.
type keeper struct{ events []event.Event }

func (k *keeper) Append(_ context.Context, items []queue.Item) error {
	for _, item := range items {
		events, err := event.DecodeEvents(nil, event.Seal(item.Record, 1))
		if err != nil {
			return err
		}
		k.events = append(k.events, events...)
	}
	return nil
}

// unlimited is a rate limit that never refuses.
type unlimited struct{}

func (unlimited) Take(context.Context, int64) (time.Duration, bool, error) { return 0, true, nil }

// Through the real intake the strings are copied, cleaned and encoded.
func TestDeliverToTheIntake(t *testing.T) {
	t.Parallel()
	k := &keeper{}
	in := intake.New(intake.Deps{Writer: k, Partition: func(string) int { return 0 }, Depth: func() int64 { return 0 }, Limiter: unlimited{}, Now: time.Now,
		Metrics: intake.NewMetrics(newRegistry())}, intake.Limits{MaxEvent: intake.MaxEvent})
	f, m, _ := newTestFeed(t, intakeSink{in})
	worst := "<13>1 - h a - - [x a=\"" + string(make([]byte, 10<<10)) + "\"] "
	worst += strings.Repeat("\xff", Defaults().MaxMessageBytes-len(worst))
	f.deliver(t.Context(), []Line{
		{Text: []byte("<13>Oct 11 22:14:15 h app[1]: caf\xe9\x00!"), Peer: peer, At: received},
		{Text: []byte(`<14>1 - h2 app 1 id [x a="1"] two`), Peer: peer, At: received},
		{Text: []byte(worst), Peer: peer, At: received},
	}, time.Time{})
	if len(k.events) != 3 || m.tcp.dropped[causeRefused].Load() != 0 {
		t.Fatalf("%d events, %d refused", len(k.events), m.tcp.dropped[causeRefused].Load())
	}
	type essence struct{ Host, App, Message, Fields, Peer string }
	var got []essence
	for _, e := range k.events[:2] {
		if e.Source != event.SourceSyslog || e.ID == (event.ID{}) || e.ReceivedAt == 0 {
			t.Errorf("%+v", e)
		}
		got = append(got, essence{e.Hostname, e.AppName, e.Message, e.Fields, e.SourceIP})
	}
	want := []essence{{"h", "app", "caf\ufffd!", "", peer}, {"h2", "app", "two", `{"structured_data":{"x":{"a":"1"}}}`, peer}}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// The backlog gives back what was put in, in order, in submissions of at most maxBatch.
func TestBacklogKeepsOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		b, in, out := newBacklog(), 0, 0
		take := func() {
			c := b.take()
			if len(c.lines) > maxBatch {
				t.Fatal("a submission is too large")
			}
			for _, l := range c.lines {
				if want := fmt.Sprint(out); string(l.Text) != want {
					t.Fatalf("%s, want %s", l.Text, want)
				}
				out++
			}
			b.give(c)
		}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			if rapid.Bool().Draw(t, "put") {
				var lines []Line
				for i := range rapid.IntRange(1, 700).Draw(t, "n") {
					lines = append(lines, Line{Text: fmt.Append(nil, in+i)})
				}
				in += b.put(lines)
			} else if out < in {
				take()
			}
		}
		for out < in {
			take()
		}
		b.close()
		if b.take() != nil {
			t.Fatal("something is left")
		}
	})
}
