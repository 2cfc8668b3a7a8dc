package decode

import (
	"errors"
	"math"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/fault"
)

// severityOf reads a severity's name (RFC 5424 section 6.2.1) or one of its synonyms, in any case.
func severityOf(s string) (n int8, ok bool) {
	var low [16]byte
	switch string(lower(low[:0], s)) {
	case "emerg", "emergency", "panic":
		return 0, true
	case "alert":
		return 1, true
	case "crit", "critical":
		return 2, true
	case "err", "error", "major":
		return 3, true
	case "warning", "warn", "minor":
		return 4, true
	case "notice":
		return 5, true
	case "info", "informational", "information":
		return 6, true
	case "debug":
		return 7, true
	}
	return 0, false
}

// facilityOf reads a facility's name as syslog.conf(5) spells it, in any case.
func facilityOf(s string) (n int8, ok bool) {
	var low [16]byte
	switch word := string(lower(low[:0], s)); word {
	case "kern":
		return 0, true
	case "user":
		return 1, true
	case "mail":
		return 2, true
	case "daemon":
		return 3, true
	case "auth", "security":
		return 4, true
	case "syslog":
		return 5, true
	case "lpr":
		return 6, true
	case "news":
		return 7, true
	case "uucp":
		return 8, true
	case "cron":
		return 9, true
	case "authpriv":
		return 10, true
	case "ftp":
		return 11, true
	case "ntp":
		return 12, true
	case "audit":
		return 13, true
	case "console":
		return 14, true
	case "clock":
		return 15, true
	default:
		if d, found := strings.CutPrefix(word, "local"); found && len(d) == 1 && d[0] >= '0' && d[0] <= '7' {
			return 16 + int8(d[0]-'0'), true
		}
	}
	return 0, false
}

// lower appends ASCII letters in lower case; a word longer than any name comes back empty.
func lower(dst []byte, s string) []byte {
	if len(s) > cap(dst) {
		return dst
	}
	for i := range len(s) {
		c := s[i]
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		dst = append(dst, c)
	}
	return dst
}

// smallInt reads a number by its value, however it is written: 3, 3.0, 3e0. isNumber is true for every text that looks like
// a number; one that is not whole or too large comes back as -1.
func smallInt(s string) (n int, isNumber bool) {
	end := 0
	for ; end < len(s) && s[end] >= '0' && s[end] <= '9'; end++ {
		n = min(n*10+int(s[end]-'0'), math.MaxInt16)
	}
	switch digits := strings.TrimPrefix(s, "-"); {
	case end > 0 && end == len(s):
		return n, true
	case digits == "" || digits[0] < '0' || digits[0] > '9':
		return 0, false
	case strings.Trim(s, "0123456789.eE+-") != "": // "2nd" is a word, and so is what is a number in Go only
		return 0, false
	}
	f, err := strconv.ParseFloat(s, 64)
	switch {
	case err != nil && !errors.Is(err, strconv.ErrRange):
		return 0, false
	case f < 0 || f > math.MaxInt16 || f != math.Trunc(f):
		return -1, true
	}
	return int(f), true
}

// validOID checks dotted numbers without a leading dot: 2 to 128 arcs below 2^32 (RFC 2578 section 3.5).
func validOID(s string) bool {
	arcs := 0
	for more := true; more; {
		var arc string
		arc, s, more = strings.Cut(s, ".")
		n, err := strconv.ParseUint(arc, 10, 32)
		if err != nil || arc[0] == '+' || len(arc) > 1 && arc[0] == '0' || arcs == 0 && n > 2 {
			return false
		}
		arcs++
	}
	return arcs >= 2 && arcs <= 128
}

// uuidText gives a UUID in its canonical form: most senders write that, so it costs nothing.
func uuidText(s string) (string, bool) {
	id, err := uuid.Parse(s)
	if err != nil {
		return "", false
	}
	if len(s) == 36 && strings.IndexFunc(s, func(r rune) bool { return r >= 'A' && r <= 'F' }) < 0 {
		return s, true
	}
	return id.String(), true
}

// variables reads the bindings of either form. They are JSON without a name twice, so the reader cannot fail.
func (d *Decoder) variables(f field, s span) error {
	if d.body[s.start] != '[' {
		return d.wrong(f.name(), fault.InvalidField, "must be an array of {oid,type,value} or of \"oid=value\", not %s",
			kindOf(d.body[s.start]))
	}
	dec := d.reader(s)
	_, err := dec.ReadToken()
	for i := 0; err == nil && dec.PeekKind() != ']'; i++ {
		if i == MaxVariables {
			return d.wrong(f.name(), fault.TooLarge, "may have %d entries", MaxVariables)
		}
		v, reason := event.Variable{}, ""
		switch kind := dec.PeekKind(); kind {
		case '"':
			var sp span
			if sp, err = readSpan(dec, s.start); err == nil {
				v, reason = splitBinding(d.unquote(sp))
			}
		case '{':
			v, reason, err = d.binding(dec, s.start)
		default:
			reason = "must be {oid,type,value} or \"oid=value\", not " + kindOf(byte(kind))
		}
		if err == nil && reason != "" {
			return d.wrong(f.name()+"["+strconv.Itoa(i)+"]", fault.InvalidField, "%s", reason)
		}
		d.vars = append(d.vars, v)
	}
	if err != nil {
		return d.unreadable(err, s.start)
	}
	d.event.Variables = d.vars
	return nil
}

// splitBinding reads "oid=value".
func splitBinding(s string) (v event.Variable, reason string) {
	oid, value, found := strings.Cut(s, "=")
	if oid = strings.TrimPrefix(strings.TrimSpace(oid), "."); !found || oid == "" {
		return v, "must be of the form oid=value"
	}
	return event.Variable{OID: oid, Value: strings.TrimSpace(value)}, ""
}

// binding reads {oid,type,value}; what else the object holds is not kept.
func (d *Decoder) binding(dec *jsontext.Decoder, at int) (v event.Variable, reason string, err error) {
	if _, err := dec.ReadToken(); err != nil {
		return v, "", err
	}
	for dec.PeekKind() != '}' {
		name, err := readSpan(dec, at)
		if err != nil {
			return v, "", err
		}
		value, err := readSpan(dec, at)
		if err != nil {
			return v, "", err
		}
		if d.body[value.start] == 'n' {
			continue // null is absent
		}
		text, isScalar := d.scalar(value)
		switch d.unquote(name) {
		case "oid":
			if v.OID = strings.TrimPrefix(text, "."); !isScalar {
				reason = "oid must be a string"
			}
		case "type":
			if v.Type = text; !isScalar {
				reason = "type must be a string"
			}
		case "value":
			v.Value = d.anyText(value)
		}
	}
	if _, err := dec.ReadToken(); err != nil {
		return v, "", err
	}
	if v.OID == "" && reason == "" {
		reason = "oid is missing"
	}
	return v, reason, nil
}

// anyText returns the text form of any value but null: that of a scalar, else its JSON without space.
func (d *Decoder) anyText(s span) string {
	if text, ok := d.scalar(s); ok {
		return text
	}
	start := len(d.text)
	d.text = appendCompact(d.text, d.body[s.start:s.end])
	return view(d.text[start:])
}
