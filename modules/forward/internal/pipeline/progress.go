package pipeline

import (
	"encoding/binary"
	"errors"
	"time"
)

// The note stored with an entry: the version, the number of alerts (uvarint), then runs of alerts in order. A run is a state
// (one byte) and, for pending, delivered and dead, a length (uvarint). A scheduled alert stands alone with its attempts (uvarint),
// due time and time of the first try (varints, Unix ms, 0 for none), and whether the destination asked for the due time (one byte).
//
// Version 1 had no last byte, and what it says is settled was not counted: the counts went with the ack.
const progressVersion = 2

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
	attempts int       // that count, see Engine.settle
	due      time.Time // of the next try
	first    time.Time // the first try, with or without a connection; what the wait in an outage is counted from
	asked    bool      // the destination asked for the due time: no earlier try
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
			dst = append(dst, flag(m.asked))
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

// decodeProgress returns the marks of n alerts, none for an empty note. counted says that what is settled was counted with the note.
func decodeProgress(note []byte, n int) (marks []mark, counted bool, err error) {
	if len(note) == 0 {
		return nil, true, nil
	}
	version := note[0]
	if version > progressVersion {
		return nil, false, errNewerProgress
	}
	r := noteReader{b: note[1:]}
	if version == 0 || r.uvarint() != uint64(n) {
		return nil, false, errCorruptProgress
	}
	marks = make([]mark, 0, n)
	for len(marks) < n && !r.bad {
		m := mark{state: state(r.byte())}
		switch m.state {
		case scheduled:
			m.attempts = int(min(r.uvarint(), 1<<20))
			m.due, m.first = fromMillis(r.varint()), fromMillis(r.varint())
			if version > 1 {
				m.asked = r.byte() == 1
			}
			marks = append(marks, m)
		case pending, delivered, dead:
			run := r.uvarint()
			if run == 0 || run > uint64(n-len(marks)) {
				return nil, false, errCorruptProgress
			}
			for range run {
				marks = append(marks, m)
			}
		default:
			return nil, false, errCorruptProgress
		}
	}
	if r.bad || len(r.b) > 0 {
		return nil, false, errCorruptProgress
	}
	return marks, version > 1, nil
}

func flag(b bool) byte {
	if b {
		return 1
	}
	return 0
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
