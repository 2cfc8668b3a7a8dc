package pipeline

import (
	"encoding/binary"
	"errors"
	"time"
)

// The note beside an entry, version 1: the version, the number of alerts (uvarint), then runs of alerts in order. A run
// is a state (one byte) and, for pending, delivered and dead, a length (uvarint); a scheduled alert stands alone with its
// attempts (uvarint), due time and time of the first attempt (varints, Unix ms, 0 for none).
const progressVersion = 1

// state is what is known of one alert. The numbers are stored: never renumber.
type state uint8

const (
	pending state = iota
	delivered
	scheduled
	dead
)

var (
	errNewerProgress   = errors.New("progress was noted by a newer version")
	errCorruptProgress = errors.New("progress is corrupt")
)

// mark is the part of an alert's state that outlives the process.
type mark struct {
	state    state
	attempts int
	due      time.Time
	first    time.Time
}

func (m mark) settled() bool { return m.state == delivered || m.state == dead }

// appendProgress encodes the marks of an entry's alerts.
func appendProgress(dst []byte, n int, at func(i int) mark) []byte {
	dst = append(dst, progressVersion)
	dst = binary.AppendUvarint(dst, uint64(n))
	for i := 0; i < n; {
		m := at(i)
		dst = append(dst, byte(m.state))
		if m.state == scheduled {
			dst = binary.AppendUvarint(dst, uint64(m.attempts))
			dst = binary.AppendVarint(dst, millis(m.due))
			dst = binary.AppendVarint(dst, millis(m.first))
			i++
			continue
		}
		run := 1
		for i+run < n && at(i+run).state == m.state {
			run++
		}
		dst = binary.AppendUvarint(dst, uint64(run))
		i += run
	}
	return dst
}

// decodeProgress gives the marks of n alerts; none for an empty note.
func decodeProgress(note []byte, n int) ([]mark, error) {
	if len(note) == 0 {
		return nil, nil
	}
	if note[0] > progressVersion {
		return nil, errNewerProgress
	}
	r := noteReader{b: note[1:]}
	if note[0] == 0 || r.uvarint() != uint64(n) {
		return nil, errCorruptProgress
	}
	marks := make([]mark, 0, n)
	for len(marks) < n && !r.bad {
		m := mark{state: state(r.byte())}
		switch m.state {
		case scheduled:
			m.attempts = int(min(r.uvarint(), 1<<20))
			m.due, m.first = fromMillis(r.varint()), fromMillis(r.varint())
			marks = append(marks, m)
		case pending, delivered, dead:
			run := r.uvarint()
			if run == 0 || run > uint64(n-len(marks)) {
				return nil, errCorruptProgress
			}
			for range run {
				marks = append(marks, m)
			}
		default:
			return nil, errCorruptProgress
		}
	}
	if r.bad || len(r.b) > 0 {
		return nil, errCorruptProgress
	}
	return marks, nil
}

type noteReader struct {
	b   []byte
	bad bool
}

func (r *noteReader) byte() byte {
	if len(r.b) == 0 {
		r.bad = true
		return 0
	}
	c := r.b[0]
	r.b = r.b[1:]
	return c
}

func (r *noteReader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *noteReader) varint() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func fromMillis(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}
