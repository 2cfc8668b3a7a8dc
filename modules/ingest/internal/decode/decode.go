// Package decode turns the body of an HTTP submission into events.
//
// Principles:
//  1. Two readers of JSON, one meaning: a hand-written scanner for the common flat document, jsontext for any other
//     one. Both only find members; what a member means is decided once, in fields.go. A fuzz test holds them alike.
//  2. Strict JSON (RFC 8259). A body that is not JSON yields an error and no promise about the events before it: its
//     caller must drop them. In newline-delimited JSON each line stands alone.
//  3. A value that is JSON but not an event (a name twice in one object, nesting over MaxDepth, over a bound) is refused
//     alone, because its end is known.
//  4. Decoding is linear in the body, and an event is taken apart only when its text is within MaxText: what a body costs
//     is itself and a small multiple of MaxText.
//  5. No allocation per event: the texts of an event point into the body or into the decoder's scratch space
//     and are valid until the next call of Next.
//  6. Invalid UTF-8 passes through: intake replaces and counts it.
package decode

import (
	"bytes"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/muttproject/mutt/platform/deps"
	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/fault"
)

// The bounds of one event. An event over one of them is refused before it is taken apart.
const (
	// MaxDepth is how deep objects and arrays may nest, the outermost included.
	MaxDepth = 64
	// MaxText is the longest JSON text of an event in bytes: four times what the event itself may be (intake.MaxEvent),
	// because escapes and indentation make a text longer than what it says.
	MaxText = 1 << 20
	// MaxMembers is how many members that are not fields an event may have, and MaxVariables how many variable bindings.
	MaxMembers, MaxVariables = 4096, 4096
)

// Format is how a body is cut into documents.
type Format uint8

// The formats.
const (
	JSON   Format = iota // an object, an array of objects, or objects one after another
	NDJSON               // one object per line
)

// Options say what a valid event is.
type Options struct {
	Required []string          // names that must be present, see ValidateRequired
	Aliases  []Alias           // what is taken for fields that are absent; none if empty
	Now      func() time.Time  // for the range of timestamps and the year of RFC 3164
	SaneID   func(string) bool // whether a correlation id may be kept
}

// Unknown counts the words that were kept in Fields because they name no severity or facility.
type Unknown struct{ Severity, Facility int }

// Decoder reads one body after another. Not safe for concurrent use.
type Decoder struct {
	opts     Options
	required uint32 // bit set of known fields
	aliased  uint32 // those that an alias may stand for
	now      int64  // Unix µs of this body
	unknown  Unknown

	body  []byte
	pos   int
	index int // of the event that Next read, -1 before
	at    int // where the event that Next read begins
	mode  mode
	batch bool
	err   error // why the document was refused

	event    event.Event
	eventErr error

	doc     document
	lent    uint32           // the fields of doc that an alias stands for
	alias   [numFields]uint8 // index of the alias, where lent has the field
	fields  []byte           // Fields of the event
	text    []byte           // unescaped texts of the event
	vars    []event.Variable
	nesting nesting
	slow    *jsontext.Decoder
	slowBuf bytes.Buffer
	odd     bool // an object was so large that slow may hold much memory
}

type mode uint8

const (
	modeDone mode = iota
	modeArray
	modeDocuments
	modeLines
)

// New returns a Decoder. Options.Required must have passed ValidateRequired: other names are ignored.
func New(o Options) *Decoder {
	deps.Must(o, "Aliases")
	d := &Decoder{opts: o}
	for _, name := range o.Required {
		if f, ok := lookup([]byte(name)); ok {
			d.required |= 1 << f
		}
	}
	for _, a := range o.Aliases {
		d.aliased |= 1 << a.field
	}
	return d
}

// Reset begins a body. The body must not change until the last event was used.
func (d *Decoder) Reset(body []byte, f Format) {
	body = bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")) // RFC 8259 section 8.1 lets a reader ignore it
	d.body, d.pos, d.index, d.err, d.batch = body, 0, -1, nil, false
	d.unknown, d.now = Unknown{}, d.opts.Now().UnixMicro()
	d.skipSpace()
	switch {
	case d.pos == len(body):
		d.refuse("the body is empty")
	case f == NDJSON:
		d.mode, d.batch = modeLines, true
	case body[d.pos] == '[':
		d.mode, d.batch = modeArray, true
		d.pos++
	case body[d.pos] == '{':
		d.mode = modeDocuments
	default:
		d.refuse("the body is neither a JSON object, an array of objects nor lines of objects")
	}
}

// Next reads the next event; false at the end of the body and when the document is refused (see Err).
func (d *Decoder) Next() bool {
	switch d.mode {
	case modeArray:
		return d.nextElement()
	case modeDocuments:
		return d.nextDocument()
	case modeLines:
		return d.nextLine()
	default:
		return false
	}
}

// Event gives what Next read: an event or, as a *fault.Error with its Field, why it is none.
func (d *Decoder) Event() (*event.Event, error) { return &d.event, d.eventErr }

// Index counts the events of the body from 0, bad ones included.
func (d *Decoder) Index() int { return d.index }

// Batch reports whether the body is answered as a batch: anything but one lone object. Known after Next.
func (d *Decoder) Batch() bool { return d.batch }

// Err tells why the whole document was refused, nil when it was not.
func (d *Decoder) Err() error { return d.err }

// Unknown tells which words of this body named nothing.
func (d *Decoder) Unknown() Unknown { return d.unknown }

// refuse ends the body with an error about all of it.
func (d *Decoder) refuse(format string, args ...any) bool {
	d.mode, d.err = modeDone, fault.New(fault.BadRequest, format, args...)
	return false
}

func (d *Decoder) fail(err error) bool {
	d.mode, d.err = modeDone, err
	return false
}

// nextElement reads an element of the array.
func (d *Decoder) nextElement() bool {
	d.skipSpace()
	if d.index < 0 && d.peek() == ']' {
		return d.refuse("the array holds no events")
	}
	d.index++
	end, err := d.value(d.pos, MaxDepth-1)
	if err != nil {
		return d.fail(err)
	}
	d.pos = end
	d.skipSpace()
	switch d.peek() {
	case ',':
		d.pos++
	case ']':
		d.pos++
		if d.skipSpace(); d.pos != len(d.body) {
			return d.refuse("the body is not valid JSON: something follows the array at byte %d", d.pos)
		}
		d.mode = modeDone
	default:
		return d.refuse("the body is not valid JSON: expected ',' or ']' at byte %d", d.pos)
	}
	return true
}

// nextDocument reads one of several objects that follow one another.
func (d *Decoder) nextDocument() bool {
	start := d.pos
	d.index++
	var end int
	var err error
	if d.body[start] == '{' {
		end, err = d.value(start, MaxDepth)
	} else {
		err = fault.New(fault.BadRequest, "not valid JSON: something follows the object at byte %d", start)
	}
	if err != nil {
		lineEnd, standsAlone := d.lineAt(start)
		if !standsAlone {
			return d.fail(err)
		}
		// From here on lines are what can be relied on.
		d.mode, d.batch = modeLines, true
		d.eventErr, end = d.named(err), lineEnd
	}
	d.pos = end
	d.skipSpace()
	if d.pos == len(d.body) {
		d.mode = modeDone
	} else {
		d.batch = true
	}
	if err == nil && d.eventErr != nil && d.index == 0 && d.batch {
		d.eventErr = d.named(d.eventErr) // it was interpreted before a second document was seen
	}
	return true
}

// lineAt decides whether a broken document is one bad line among others: it begins a line, is not all there is,
// and (for the first document) looks like a whole line, so that a cut, pretty-printed object is never taken apart.
func (d *Decoder) lineAt(start int) (end int, standsAlone bool) {
	before := bytes.LastIndexByte(d.body[:start], '\n') + 1
	if len(bytes.TrimLeft(d.body[before:start], space)) > 0 {
		return 0, false
	}
	line := d.body[start:]
	if n := bytes.IndexByte(line, '\n'); n >= 0 {
		line = line[:n]
	}
	end = start + len(line)
	if d.index > 0 {
		return end, true
	}
	line = bytes.TrimRight(line, space)
	rest := bytes.TrimLeft(d.body[end:], space)
	return end, line[len(line)-1] == '}' && len(rest) > 0 && rest[0] == '{'
}

// nextLine reads a line that is not blank.
func (d *Decoder) nextLine() bool {
	d.skipSpace()
	if d.pos == len(d.body) {
		d.mode = modeDone
		return false
	}
	all, start := d.body, d.pos
	if n := bytes.IndexByte(all[start:], '\n'); n >= 0 {
		d.body = all[:start+n] // what is broken here cannot reach into the next line
	}
	d.index++
	end, err := d.value(start, MaxDepth)
	if err == nil {
		if d.pos = end; d.skipSpace() != len(d.body) {
			err = fault.New(fault.BadRequest, "not valid JSON: something follows the object at byte %d of the body", d.pos)
		}
	}
	if err != nil {
		d.eventErr = d.named(err)
	}
	d.pos, d.body = len(d.body), all
	return true
}

const space = " \t\r\n"

func (d *Decoder) skipSpace() int {
	for d.pos < len(d.body) && isSpace(d.body[d.pos]) {
		d.pos++
	}
	return d.pos
}

// peek gives the next byte, 0 at the end: no JSON document holds a 0 outside of a fault.
func (d *Decoder) peek() byte {
	if d.pos < len(d.body) {
		return d.body[d.pos]
	}
	return 0
}

// value reads the value at an offset into Event and returns where it ends. depth is how deep it may nest. The error says
// that it is not JSON.
func (d *Decoder) value(at, depth int) (end int, err error) {
	d.event, d.eventErr = event.Event{Severity: event.Absent, Facility: event.Absent}, nil
	d.text, d.fields, d.vars, d.lent = d.text[:0], d.fields[:0], d.vars[:0], 0
	d.at = at
	flat, deepest := false, 0
	if at < len(d.body) && d.body[at] == '{' {
		end, flat = d.doc.scan(d.body, at)
	}
	if !flat {
		var ok bool
		if end, deepest, ok = d.nesting.pass(d.body, at); !ok {
			return end, malformed(d.body, end, deepest > depth)
		}
	}
	switch {
	case deepest > depth:
		d.eventErr = d.wrong("", fault.BadRequest, tooDeep, MaxDepth)
	case d.body[at] != '{':
		d.eventErr = d.wrong("", fault.BadRequest, "an event is a JSON object, not %s", kindOf(d.body[at]))
	case end-at > MaxText:
		if d.eventErr = d.foreign(); d.eventErr != nil {
			break
		}
		d.eventErr = d.wrong("", fault.TooLarge, "the JSON text of an event may be %d bytes long, not %d", MaxText, end-at)
	case !flat:
		if d.eventErr = d.slowObject(span{at, end}); d.eventErr == nil {
			d.eventErr = d.interpret()
		}
	default:
		d.eventErr = d.interpret()
	}
	return end, nil
}

const tooDeep = "the JSON is nested deeper than %d levels"

// malformed says why a text is not JSON.
func malformed(b []byte, at int, deep bool) error {
	switch {
	case deep:
		return fault.New(fault.BadRequest, tooDeep, MaxDepth)
	case at >= len(b):
		return fault.New(fault.BadRequest, "not valid JSON: it ends too early, at byte %d", at)
	case b[at] < ' ' || b[at] >= 0x7f:
		return fault.New(fault.BadRequest, "not valid JSON: byte %#02x cannot stand at byte %d", b[at], at)
	default:
		return fault.New(fault.BadRequest, "not valid JSON: %q cannot stand at byte %d", b[at], at)
	}
}

// Release drops what the decoder holds of the body, and scratch space that an odd body made large.
func (d *Decoder) Release() {
	const keep = 256 << 10
	if cap(d.text)+cap(d.fields) > keep {
		d.text, d.fields = nil, nil
	}
	if cap(d.vars) > 1024 {
		d.vars = nil
	}
	if cap(d.doc.other) > 1024 {
		d.doc.other = nil
	}
	clear(d.vars[:cap(d.vars)])
	d.body, d.doc.body, d.event, d.mode = nil, nil, event.Event{}, modeDone
	d.slowBuf = bytes.Buffer{}
	if d.odd {
		d.slow, d.odd = nil, false
	} else if d.slow != nil {
		d.slow.Reset(&d.slowBuf)
	}
}
