package coord

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/muttproject/mutt/platform/fault"
)

// FoldedName stands for every name (and FoldedGroup for every group) that has no counter of its own any more.
const (
	FoldedName  = "*"
	FoldedGroup = "*"
)

// Counters are bounded counters in windows of time on Redis, shared by all processes that use their name: the
// primitive Incr. They live on one hash slot, so that a call counts, deduplicates and keeps the bounds in one step.
//
// A window begins with the time that comes with its first add, and restarts with the first add past its end. Beside
// that a counter is forgotten on Redis's clock, one expiry after its window was opened.
type Counters struct {
	redis *Redis
	name  string
}

// NewCounters makes the Counters of a name.
func NewCounters(r *Redis, name string) *Counters { return &Counters{redis: r, name: name} }

// CounterAdd adds N to a counter.
type CounterAdd struct {
	Group, Name string
	N           int64     // from 1
	At          time.Time // a window begins here, to the microsecond
	Note        string    // kept with the window that the add opens
}

// IncrParams is one batch of adds.
type IncrParams struct {
	// Batch names it: a batch that was counted before adds nothing. The last 100,000 are remembered.
	Batch       [16]byte
	Adds        []CounterAdd
	Expiry      time.Duration // how long a window is
	MaxPerGroup int           // counters of their own for the names of a group; 0 for no bound
	MaxTotal    int           // counters in all; 0 for no bound
}

// Counted is the state of one counter.
type Counted struct {
	Group, Name string // FoldedName or FoldedGroup when the add was folded
	N           int64  // in the window; 0 when there is no such counter any more
	Start       time.Time
	Marked      bool
	Note        string
	Folded      bool // a bound was reached: counted together with others
}

// maxScriptAdds bounds the adds of one call of Redis, which does nothing else meanwhile.
const maxScriptAdds = 2000

// Incr counts the batches in their order, each whole or not at all, and gives the state of the counter of each add.
// After an error any number of them may have been counted, and repeating the call is safe.
func (c *Counters) Incr(ctx context.Context, batches []IncrParams) ([][]Counted, error) {
	out := make([][]Counted, 0, len(batches))
	for len(batches) > 0 {
		n, adds := 0, 0
		for n < len(batches) && (n == 0 || adds+len(batches[n].Adds) <= maxScriptAdds) {
			adds += len(batches[n].Adds)
			n++
		}
		states, err := c.incr(ctx, batches[:n], adds)
		if err != nil {
			return nil, err
		}
		out = append(out, states...)
		batches = batches[n:]
	}
	return out, nil
}

// incr is one call. Its arguments are for each batch a head and for each add two texts, see luaCount.
func (c *Counters) incr(ctx context.Context, batches []IncrParams, adds int) ([][]Counted, error) {
	buf := appendCounterKey(nil, FoldedGroup, FoldedName)
	args := append(make([]string, 0, 1+len(batches)+2*adds), string(buf))
	for i := range batches {
		p := &batches[i]
		buf = append(buf[:0], p.Batch[:]...)
		for _, n := range [...]int64{p.Expiry.Microseconds(), int64(p.MaxPerGroup), int64(p.MaxTotal), int64(len(p.Adds))} {
			buf = binary.BigEndian.AppendUint64(buf, uint64(n))
		}
		args = append(args, string(buf))
		for k := range p.Adds {
			a := &p.Adds[k]
			buf = appendCounterKey(buf[:0], a.Group, a.Name)
			buf = binary.BigEndian.AppendUint64(buf, uint64(a.N))
			buf = binary.BigEndian.AppendUint64(buf, uint64(a.At.UnixMicro()))
			args = append(args, string(buf), a.Note)
		}
	}
	m, err := c.redis.eval(ctx, "count in windows", c.redis.scripts.count, c.keys(), args...)
	if err != nil {
		return nil, err
	}
	if len(m) != adds {
		return nil, fault.New(fault.Corrupt, "%d counters were answered for %d adds", len(m), adds)
	}
	out := make([][]Counted, len(batches))
	for i := range batches {
		out[i] = make([]Counted, len(batches[i].Adds))
		for k := range batches[i].Adds {
			if out[i][k], err = counted(text(m, 0), &batches[i].Adds[k]); err != nil {
				return nil, err
			}
			m = m[1:]
		}
	}
	return out, nil
}

// Mark marks the windows of these counters. A window that has begun since is not marked.
func (c *Counters) Mark(ctx context.Context, windows []Counted) error {
	if len(windows) == 0 {
		return nil
	}
	args := make([]string, len(windows))
	for i := range windows {
		b := appendCounterKey(nil, windows[i].Group, windows[i].Name)
		args[i] = string(binary.BigEndian.AppendUint64(b, uint64(windows[i].Start.UnixMicro())))
	}
	_, err := c.redis.eval(ctx, "mark counted windows", c.redis.scripts.mark, c.keys(), args...)
	return err
}

// keys are the numbers, notes, counters per group, ends of life and known batches.
func (c *Counters) keys() []string {
	return []string{c.redis.key("counters", c.name), c.redis.key("notes", c.name), c.redis.key("groups", c.name),
		c.redis.key("ends", c.name), c.redis.key("batches", c.name)}
}

// appendCounterKey appends 128 bits of SHA-256 of the group and of the name; FoldedName is zeros.
func appendCounterKey(b []byte, group, name string) []byte {
	sum := sha256.Sum256([]byte(group))
	b = append(b, sum[:16]...)
	if name == FoldedName {
		return append(b, make([]byte, 16)...)
	}
	sum = sha256.Sum256([]byte(name))
	return append(b, sum[:16]...)
}

// The levels of an answer: by which counter an add was counted.
const (
	levelOwn = iota
	levelGroup
	levelAll
	levelNone
)

// counted reads an answer: level, marked, number, start, note.
func counted(s string, a *CounterAdd) (Counted, error) {
	const head = 2 + 8 + 8
	if len(s) < head {
		return Counted{}, fault.New(fault.Corrupt, "the answer of a counter is %d bytes long", len(s))
	}
	c := Counted{Group: a.Group, Name: a.Name}
	switch s[0] {
	case levelNone:
		return c, nil
	case levelAll:
		c.Group, c.Name, c.Folded = FoldedGroup, FoldedName, true
	case levelGroup:
		c.Name, c.Folded = FoldedName, true
	case levelOwn:
	default:
		return Counted{}, fmt.Errorf("a counter has level %d", s[0])
	}
	c.Marked = s[1] == 1
	c.N = int64(binary.BigEndian.Uint64([]byte(s[2:10])))
	c.Start = time.UnixMicro(int64(binary.BigEndian.Uint64([]byte(s[10:head])))).UTC()
	c.Note = s[head:]
	return c, nil
}
