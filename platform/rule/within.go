package rule

import (
	"context"
	"io"
	"strings"

	"github.com/muttproject/mutt/platform/event"
)

// JudgeWithin is Judge for events and rules of which nobody knows what they cost: it ends when ctx does, with its cause, within one
// expression too. d is then of no use.
func (s *Set) JudgeWithin(ctx context.Context, e *event.Event, now int64, sc *Scratch, d *event.Decision) error {
	sc.ctx = ctx
	defer func() { sc.ctx = nil }()
	s.Judge(e, now, sc, d)
	return context.Cause(ctx)
}

// matchWithin is Match under the conditions of JudgeWithin.
func (s *Set) matchWithin(ctx context.Context, e *event.Event, now int64, sc *Scratch) (r *Rule, ok bool, err error) {
	sc.ctx = ctx
	defer func() { sc.ctx = nil }()
	r, ok = s.Match(e, now, sc)
	return r, ok, context.Cause(ctx)
}

// over reports whether the caller has given up.
func (sc *Scratch) over() bool { return sc.ctx != nil && sc.ctx.Err() != nil }

// The engine takes up to 30 ns for each step of an expression and byte of a text. Below shortSearch it is through before anybody has
// given up, and may choose its fastest way; above, it reads the text by an interruptible reader, which leaves it one way.
const (
	shortSearch = 1 << 20
	lookEach    = 16 // runes
)

// interruptible returns the message as what ends early when the caller gives up, nil when that is not needed for an
// expression of so many steps.
func (sc *Scratch) interruptible(steps int) io.RuneReader {
	if sc.ctx == nil || steps*len(sc.event.Message) < shortSearch {
		return nil
	}
	return &untilOver{text: strings.NewReader(sc.event.Message), sc: sc}
}

// untilOver reads a text until its end, or until the caller has given up.
type untilOver struct {
	text *strings.Reader
	sc   *Scratch
	read int
}

func (u *untilOver) ReadRune() (r rune, size int, err error) {
	if u.read++; u.read%lookEach == 0 && u.sc.over() {
		return 0, 0, io.EOF
	}
	return u.text.ReadRune()
}
