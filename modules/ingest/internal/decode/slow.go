package decode

import (
	"bytes"
	"errors"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/muttproject/mutt/platform/fault"
)

// reader returns a strict reader of a value that is JSON. Duplicate names are refused by default; invalid UTF-8 is let
// through for intake to count.
func (d *Decoder) reader(s span) *jsontext.Decoder {
	d.odd = d.odd || s.end-s.start > 64<<10
	d.slowBuf = *bytes.NewBuffer(d.body[s.start:s.end])
	if d.slow == nil {
		d.slow = jsontext.NewDecoder(&d.slowBuf, jsontext.AllowInvalidUTF8(true))
	} else {
		d.slow.Reset(&d.slowBuf, jsontext.AllowInvalidUTF8(true))
	}
	return d.slow
}

// slowObject takes an object apart that the scanner left. It is JSON, so what can be wrong with it are its names and
// their number. The error is a *fault.Error about the event.
func (d *Decoder) slowObject(s span) error {
	dec := d.reader(s)
	d.doc.reset(d.body)
	if _, err := dec.ReadToken(); err != nil {
		return d.unreadable(err, s.start)
	}
	for dec.PeekKind() != '}' {
		var m member
		var err error
		if m.name, err = readSpan(dec, s.start); err == nil {
			m.value, err = readSpan(dec, s.start)
		}
		if err != nil {
			return d.unreadable(err, s.start)
		}
		name := d.unquote(m.name)
		if f, known := lookup([]byte(name)); known {
			d.doc.seen |= 1 << f
			d.doc.known[f] = m.value
		} else if len(d.doc.other) < MaxMembers {
			d.doc.other = append(d.doc.other, m)
		} else {
			return d.wrong("", fault.TooLarge, "an event may have %d members that MUTT does not know", MaxMembers)
		}
		d.text = d.text[:0]
	}
	if _, err := dec.ReadToken(); err != nil {
		return d.unreadable(err, s.start)
	}
	return nil
}

// readSpan passes over the next name or value and returns where it stands in the body.
func readSpan(dec *jsontext.Decoder, at int) (span, error) {
	v, err := dec.ReadValue()
	end := at + int(dec.InputOffset())
	return span{end - len(v), end}, err
}

// unreadable says why the strict reader refuses a value that is JSON.
func (d *Decoder) unreadable(err error, at int) error {
	offset := at
	var syn *jsontext.SyntacticError
	if errors.As(err, &syn) {
		offset, err = at+int(syn.ByteOffset), syn.Err
	}
	if errors.Is(err, jsontext.ErrDuplicateName) {
		return d.wrong("", fault.BadRequest, "the JSON has a name twice in one object, at byte %d", offset)
	}
	return d.wrong("", fault.BadRequest, "not valid JSON: %s, at byte %d", err, offset)
}

// appendCompact appends a valid JSON value without the space between its tokens.
func appendCompact(dst, raw []byte) []byte {
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case isSpace(c):
		case c == '"':
			end := scanString(raw, i+1)
			dst = append(dst, raw[i:end]...)
			i = end - 1
		default:
			dst = append(dst, c)
		}
	}
	return dst
}
