package decode

import (
	"bytes"
	"errors"
	"io"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/muttproject/mutt/platform/fault"
)

// reader gives a strict reader of the body from an offset. Duplicate names are refused by default; invalid UTF-8
// is let through for intake to count.
func (d *Decoder) reader(at, depth int) (*jsontext.Decoder, error) {
	if deeper(d.body[at:], depth) {
		return nil, fault.New(fault.BadRequest, "the JSON is nested deeper than %d levels", MaxDepth)
	}
	d.slowBuf = *bytes.NewBuffer(d.body[at:])
	if d.slow == nil {
		d.slow = jsontext.NewDecoder(&d.slowBuf, jsontext.AllowInvalidUTF8(true))
	} else {
		d.slow.Reset(&d.slowBuf, jsontext.AllowInvalidUTF8(true))
	}
	return d.slow, nil
}

// slowValue passes over any value.
func (d *Decoder) slowValue(at, depth int) (end int, err error) {
	dec, err := d.reader(at, depth)
	if err != nil {
		return 0, err
	}
	if _, err := dec.ReadValue(); err != nil {
		return 0, syntaxFault(err, at)
	}
	return at + int(dec.InputOffset()), nil
}

// slowObject takes an object apart that the scanner left.
func (d *Decoder) slowObject(at, depth int) (end int, err error) {
	dec, err := d.reader(at, depth)
	if err != nil {
		return 0, err
	}
	d.doc.reset(d.body)
	if _, err := dec.ReadToken(); err != nil {
		return 0, syntaxFault(err, at)
	}
	for dec.PeekKind() != '}' {
		var m member
		if m.name, err = readSpan(dec, at); err != nil {
			return 0, err
		}
		if m.value, err = readSpan(dec, at); err != nil {
			return 0, err
		}
		name := d.unquote(m.name)
		if f, known := lookup([]byte(name)); known {
			d.doc.seen |= 1 << f
			d.doc.known[f] = m.value
		} else {
			d.doc.other = append(d.doc.other, m)
		}
		d.text = d.text[:0]
	}
	if _, err := dec.ReadToken(); err != nil {
		return 0, syntaxFault(err, at)
	}
	return at + int(dec.InputOffset()), nil
}

// readSpan passes over the next name or value and gives where it stands in the body.
func readSpan(dec *jsontext.Decoder, at int) (span, error) {
	v, err := dec.ReadValue()
	if err != nil {
		return span{}, syntaxFault(err, at)
	}
	end := at + int(dec.InputOffset())
	return span{end - len(v), end}, nil
}

// syntaxFault says what is wrong with the JSON and where.
func syntaxFault(err error, at int) error {
	var syn *jsontext.SyntacticError
	offset, reason := at, err
	if errors.As(err, &syn) {
		offset, reason = at+int(syn.ByteOffset), syn.Err
	}
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF):
		return fault.New(fault.BadRequest, "not valid JSON: it ends too early, at byte %d", offset)
	case errors.Is(err, jsontext.ErrDuplicateName):
		return fault.New(fault.BadRequest, "the JSON has a name twice in one object, at byte %d", offset)
	default:
		return fault.New(fault.BadRequest, "not valid JSON: %s, at byte %d", reason, offset)
	}
}

// deeper reports whether the value at the start of b nests deeper than limit. It reads no further than its end.
func deeper(b []byte, limit int) bool {
	depth := 0
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '{', '[':
			if depth++; depth > limit {
				return true
			}
		case '}', ']':
			if depth--; depth <= 0 {
				return false
			}
		case '"':
			if i = scanString(b, i+1); i < 0 {
				return false // a fault that the reader names
			}
			i--
		}
	}
	return false
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
