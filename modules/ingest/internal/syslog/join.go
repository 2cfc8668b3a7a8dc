package syslog

import "time"

const (
	joinWait = 250 * time.Millisecond // of silence, after which a message is complete
	joinHold = 5 * time.Second        // of waiting at most: a peer that sends a line now and then does not hold a message back for ever
)

// joiner puts lines of one TCP connection that continue a message back to it: lines without a PRI after one that has it, and
// lines that begin with a blank or a tab. It holds the last message until it is known to be complete, and is used by one
// goroutine. A line that would make the message too long begins one of its own: nothing is lost.
type joiner struct {
	max    int
	held   Line
	open   bool // something is held
	own    bool // held.Text is the end of data
	signed bool // held begins with a PRI
	waited time.Duration
	data   []byte // texts that were joined and not delivered yet
}

// add takes a frame, and appends to lines what is complete now.
func (j *joiner) add(lines []Line, l Line, counted bool) []Line {
	_, pri := signedAt(l.Text)
	signed := pri == yes
	indented := len(l.Text) > 0 && (l.Text[0] == ' ' || l.Text[0] == '\t')
	if j.open && !counted && !signed && (j.signed || indented) && len(j.held.Text)+1+len(l.Text) <= j.max {
		j.append(l.Text)
		return lines
	}
	lines = j.flush(lines)
	if counted || l.Truncated {
		return append(lines, l)
	}
	j.held, j.open, j.own, j.signed, j.waited = l, true, false, signed, 0
	return lines
}

// append adds a line to the held message.
func (j *joiner) append(text []byte) {
	from := len(j.data) - len(j.held.Text)
	if !j.own {
		from = len(j.data)
		j.data = append(j.data, j.held.Text...) // growing leaves earlier texts on the old array, which stays as it is
	}
	j.data = append(append(j.data, '\n'), text...)
	j.held.Text, j.own = j.data[from:len(j.data):len(j.data)], true
}

// flush appends the held message to lines.
func (j *joiner) flush(lines []Line) []Line {
	if j.open {
		lines = append(lines, j.held)
	}
	j.open = false
	return lines
}

// keep makes the held message independent of the framer's buffer. What add and flush returned must be delivered.
func (j *joiner) keep() {
	j.data = j.data[:0]
	if j.open {
		j.data = append(j.data, j.held.Text...)
		j.held.Text, j.own = j.data[:len(j.data):len(j.data)], true
	}
}

// patience returns how long the next read may take before the held message is complete.
func (j *joiner) patience() time.Duration {
	return max(min(joinWait, joinHold-j.waited), 1) // what has arrived is not read then, but by the next call: nothing is lost
}
