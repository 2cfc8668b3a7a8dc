// Package trouble reports states of trouble, such as a full queue or refused connections.
//
// Principles:
//  1. A state is logged when it begins, once a minute with its counts while it lasts, and when it ends: never per event.
//  2. The health check says the same words as the log, and holds no address or credential: those are log fields.
//  3. Reporting an occurrence costs an atomic addition, so that the hot path may do it.
//  4. Nothing is logged while a lock is held.
package trouble

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/deps"
)

const (
	// lookEvery is how often a Board looks at its states: an occurrence that ended a moment ago is seen that late.
	lookEvery = time.Second
	// repeatEvery is how often a state that lasts is logged.
	repeatEvery = time.Minute
)

// Kind describes a state of trouble in the operator's words.
type Kind struct {
	Name   string // stable, for searching the log: "queue_full"
	Begins string // a sentence without a full stop: "the queue is full; senders are told to wait"
	Ends   string // "the queue has room again"
	Unit   string // what Add counts: "events"; required where Add is called
	// Title is the state in a few words, for the place where it stands largest: "Alerts are not reaching the destination". Empty where
	// Begins is short enough.
	Title  string
	Advice // consequence and remedy are required
	// Bad is set where events or alerts do not get through while the state lasts.
	Bad bool
	// Quiet is how long nothing must have happened before the state is over. It bounds the lines of a state that comes
	// and goes. The zero value means one minute.
	Quiet time.Duration
}

// Board holds the states of one part of the process. Safe for concurrent use.
type Board struct {
	log *zap.Logger
	now func() time.Time

	mu     sync.Mutex // guards the list and the states' own fields
	states []*State
}

// NewBoard creates a Board without states. Run must be running for states to end and to be repeated.
func NewBoard(log *zap.Logger, now func() time.Time) *Board {
	deps.Must(struct {
		Logger *zap.Logger
		Now    func() time.Time
	}{log, now})
	return &Board{log: log, now: now}
}

// State is one state of trouble.
type State struct {
	kind  Kind
	board *Board

	count  atomic.Int64 // occurrences since the process started
	on     atomic.Bool  // as Set left it
	set    atomic.Bool  // Set(true) was called since the last look
	active atomic.Bool  // begun and not over
	detail atomic.Pointer[string]

	// guarded by board.mu
	since, last, told  time.Time // of the begin, of the last occurrence, of the last line
	seen, logged, base int64     // count at the last look, at the last line, at the begin
}

// State declares a state. A kind without a text is an error of the program and panics.
func (b *Board) State(k Kind) *State {
	if k.Name == "" || k.Begins == "" || k.Ends == "" || k.Consequence == "" || k.Remedy == "" {
		panic(fmt.Sprintf("a state of trouble needs a name, both sentences, a consequence and a remedy: %+v", k))
	}
	if k.Quiet == 0 {
		k.Quiet = time.Minute
	}
	s := &State{kind: k, board: b}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.states = append(b.states, s)
	return s
}

// Add reports n occurrences. The fields are logged when the state begins with this call.
func (s *State) Add(n int64, fields ...zap.Field) {
	s.count.Add(n)
	if !s.active.Load() {
		s.begin(n, fields)
	}
}

// Set reports that the state is there, or no more. The fields are logged when the state begins with this call.
func (s *State) Set(on bool, fields ...zap.Field) {
	if s.on.Load() != on {
		s.on.Store(on)
	}
	if !on {
		return
	}
	if !s.set.Load() {
		s.set.Store(true)
	}
	if !s.active.Load() {
		s.begin(0, fields)
	}
}

// Describe sets what is known in particular, such as the last answer of a server. Log and health check show it while the state
// lasts, so it holds no address or credential.
func (s *State) Describe(detail string) { s.detail.Store(&detail) }

// text returns the state's sentence with its detail.
func (s *State) text() string {
	if d := s.detail.Load(); d != nil && *d != "" {
		return s.kind.Begins + ": " + *d
	}
	return s.kind.Begins
}

// Count returns how many occurrences were reported since the process started.
func (s *State) Count() int64 { return s.count.Load() }

// Active reports whether the state has begun and is not over.
func (s *State) Active() bool { return s.active.Load() }

// begin logs the beginning with the n occurrences that it began with.
func (s *State) begin(n int64, fields []zap.Field) {
	now := s.board.now()
	s.board.mu.Lock()
	begun := !s.active.Load()
	if begun {
		s.active.Store(true)
		s.since, s.last, s.told = now, now, now
		s.base, s.logged = s.seen, s.seen+n
	}
	s.board.mu.Unlock()
	if begun {
		all := append(s.fields(), fields...)
		if n > 0 && s.kind.Unit != "" {
			all = append(all, zap.Int64(s.kind.Unit, n))
		}
		s.board.log.Warn(s.text(), all...)
	}
}

func (s *State) fields() []zap.Field {
	return []zap.Field{zap.String("state", s.kind.Name), zap.String("remedy", s.kind.Remedy)}
}

// Run looks at the states once a second until ctx ends, and then logs the counts that are not logged yet.
func (b *Board) Run(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			b.Look()
		case <-ctx.Done():
			b.close()
			return
		}
	}
}

// Look begins, repeats and ends what is due now. Run calls it; a part with a loop of its own may call it instead.
func (b *Board) Look() {
	now := b.now()
	for _, s := range b.list() {
		if s.due() {
			s.begin(0, nil) // an occurrence fell between the end and the next begin
		}
		s.look(now, false)
	}
}

// close logs the counts that no line has yet.
func (b *Board) close() {
	now := b.now()
	for _, s := range b.list() {
		s.look(now, true)
	}
}

func (b *Board) list() []*State {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]*State(nil), b.states...)
}

// due reports that something happened while the state was over.
func (s *State) due() bool {
	s.board.mu.Lock()
	defer s.board.mu.Unlock()
	return !s.active.Load() && (s.on.Load() || s.set.Load() || s.count.Load() != s.seen)
}

// look moves the state on to now and logs what is due; last asks for whatever is not logged yet.
func (s *State) look(now time.Time, last bool) {
	s.board.mu.Lock()
	if !s.active.Load() {
		s.board.mu.Unlock()
		return
	}
	if count, set := s.count.Load(), s.set.Swap(false); set || s.on.Load() || count != s.seen {
		s.seen, s.last = count, now
	}
	over := now.Sub(s.last) >= s.kind.Quiet
	repeat := now.Sub(s.told) >= repeatEvery || last && s.seen != s.logged
	fresh, total, lasted := s.seen-s.logged, s.seen-s.base, now.Sub(s.since)
	if over {
		s.active.Store(false)
		s.detail.Store(nil)
		lasted = s.last.Sub(s.since)
	}
	if over || repeat {
		s.told, s.logged = now, s.seen
	}
	s.board.mu.Unlock()

	fields := append(s.fields(), zap.Duration("lasted", lasted.Round(time.Second)))
	if s.kind.Unit != "" {
		fields = append(fields, zap.Int64(s.kind.Unit, total))
	}
	switch {
	case over:
		s.board.log.Info(s.kind.Ends, fields...)
	case repeat:
		if s.kind.Unit != "" {
			fields = append(fields, zap.Int64("since_last_line", fresh))
		}
		s.board.log.Warn(s.text(), fields...)
	}
}

// Warnings returns what is wrong now in words, for the health check.
func (b *Board) Warnings() (warnings []string) {
	now := b.now()
	for _, p := range b.Problems() {
		warnings = append(warnings, p.Warning(now))
	}
	return warnings
}

// Problems returns the states that last now, in the order of their declaration.
func (b *Board) Problems() (problems []Problem) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range b.states {
		if !s.active.Load() {
			continue
		}
		p := Problem{Code: s.kind.Name, Severity: Warn, Since: s.since, Title: s.kind.Title, Fact: s.text(), Unit: s.kind.Unit, Advice: s.kind.Advice}
		if s.kind.Bad {
			p.Severity = Bad
		}
		if s.kind.Unit != "" {
			p.Count = s.count.Load() - s.base
		}
		problems = append(problems, p)
	}
	return problems
}
