package syslog

import "unicode/utf8"

// object writes one JSON object into a buffer that is used again.
type object struct {
	b       []byte
	members int
}

func (o *object) reset() { o.b, o.members = o.b[:0], 0 }

// text gives the whole object, "" when it has no members. It is valid until reset.
func (o *object) text() string {
	if o.members == 0 {
		return ""
	}
	o.b = append(o.b, '}')
	return view(o.b)
}

// key begins a member; its value must follow.
func (o *object) key(name string) *object {
	if o.members == 0 {
		o.b = append(o.b, '{')
	} else {
		o.b = append(o.b, ',')
	}
	o.members++
	return o.quoted(name).raw(":")
}

// raw writes JSON text.
func (o *object) raw(json string) *object {
	o.b = append(o.b, json...)
	return o
}

// quoted writes a JSON string.
func (o *object) quoted(s string) *object {
	o.b = append(o.b, '"')
	o.b = append(appendEscaped(o.b, s), '"')
	return o
}

// param writes a parameter's value as a JSON string.
func (o *object) param(p *sdParam) *object {
	if !p.escaped {
		return o.quoted(p.value)
	}
	o.b = append(o.b, '"')
	from := 0
	for i := 0; i+1 < len(p.value); i++ {
		if p.value[i] == '\\' && escapable(p.value[i+1]) {
			o.b = appendEscaped(o.b, p.value[from:i])
			from = i + 1
			i++
		}
	}
	o.b = append(appendEscaped(o.b, p.value[from:]), '"')
	return o
}

// appendEscaped writes the inside of a JSON string. Invalid UTF-8 becomes U+FFFD; NUL, which PostgreSQL's jsonb
// refuses, is left out.
func appendEscaped(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		size := 1
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			if r != utf8.RuneError || n > 1 {
				i += n
				continue
			}
		}
		b = append(b, s[from:i]...)
		switch {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c >= utf8.RuneSelf:
			b = utf8.AppendRune(b, utf8.RuneError)
		case c != 0:
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
		i += size
		from = i
	}
	return append(b, s[from:]...)
}
