package intake

import (
	"encoding/binary"
	"strings"
	"unicode/utf8"
	"unsafe"

	"github.com/muttproject/mutt/platform/event"
)

// Limits of names in bytes (contracts.md section 2). Everything else is bounded by the size of the event.
const (
	maxHostname = 255 // a DNS name (RFC 1035 section 2.3.4); RFC 5424 section 6 says the same
	maxShort    = 128 // app_name, proc_id, msg_id: the longest of RFC 5424 section 6
	maxSource   = 1024
)

// kind says what becomes of hidden characters, which are control characters (C0, DEL, C1) and those of bidirectional
// formatting. In a text of any kind an invalid byte becomes U+FFFD, and NUL, which PostgreSQL's text refuses, is removed.
// No kind makes a text more than three times as long.
type kind uint8

const (
	nameKind    kind = iota // removed
	messageKind             // shown: C0 and DEL as their pictures (U+2400 to U+2421), the others as \u009b; tab, LF and CR stay
	fieldsKind              // escaped as \u009b, which is the same JSON
)

// cleanEvent cleans every text of e; it reports whether one was changed. A name that lost characters is kept in Fields as
// it was. A hostname of which nothing is left is absent, which the source's address stands for.
func cleanEvent(e *event.Event, maxEvent int) (repaired bool) {
	if isClean(e) {
		return false
	}
	named := e.Hostname != ""
	for _, t := range [...]struct {
		to *string
		as kind
	}{{&e.Message, messageKind}, {&e.Fields, fieldsKind}, {&e.CorrelationID, nameKind}, {&e.SenderID, nameKind}, {&e.TrapOID, nameKind},
		{&e.TraceParent, nameKind}} {
		*t.to = clean(*t.to, t.as)
	}
	for i := range e.Variables {
		v := &e.Variables[i]
		v.OID, v.Type, v.Value = clean(v.OID, nameKind), clean(v.Type, nameKind), clean(v.Value, messageKind)
	}
	for _, n := range [...]struct {
		to    *string
		field string
		limit int
	}{{&e.SourceIP, "source_ip", maxSource}, {&e.Hostname, "hostname", maxHostname}, {&e.AppName, "app_name", maxShort}, {&e.ProcID, "proc_id", maxShort},
		{&e.MsgID, "msg_id", maxShort}, {&e.SourceType, "source_type", maxSource}} {
		if isName(*n.to, n.limit) {
			continue
		}
		original := strings.ReplaceAll(*n.to, "\x00", "")
		name := clean(original, nameKind)
		lost := utf8.RuneCountInString(name) < utf8.RuneCountInString(original)
		name = strings.Trim(name, " ")
		if len(name) > n.limit {
			name, lost = strings.TrimRight(cut(name, n.limit), " "), true
		}
		*n.to = name
		if lost {
			keepOriginal(e, n.field, original, maxEvent)
		}
	}
	if named && e.Hostname == "" {
		e.Hostname = cut(e.SourceIP, maxHostname)
	}
	return true
}

// isClean reports whether cleanEvent has nothing to do. It is the hot path.
func isClean(e *event.Event) bool {
	for i := range e.Variables {
		v := &e.Variables[i]
		if !isText(v.OID, nameKind) || !isText(v.Type, nameKind) || !isText(v.Value, messageKind) {
			return false
		}
	}
	return isText(e.Message, messageKind) && isName(e.Hostname, maxHostname) && isName(e.AppName, maxShort) && isName(e.ProcID, maxShort) &&
		isName(e.MsgID, maxShort) && isName(e.SourceIP, maxSource) && isName(e.SourceType, maxSource) && isText(e.Fields, fieldsKind) &&
		isText(e.CorrelationID, nameKind) && isText(e.SenderID, nameKind) && isText(e.TrapOID, nameKind) && isText(e.TraceParent, nameKind)
}

func isText(s string, as kind) bool { return cleanUntil(s, as) == len(s) }

func isName(s string, limit int) bool {
	return s == "" || len(s) <= limit && s[0] != ' ' && s[len(s)-1] != ' ' && cleanUntil(s, nameKind) == len(s)
}

// IsBlank reports whether nothing is left of a name when it is cleaned.
func IsBlank(name string) bool {
	for _, r := range name {
		if r > ' ' && !hidden(r) {
			return false
		}
	}
	return true
}

// keepOriginal puts what a name was into Fields, as much of it as the event has room for.
func keepOriginal(e *event.Event, field, original string, maxEvent int) {
	const (
		reserve = 1 << 10 // for what an event's encoding holds besides its texts, and the names that are still to be kept
		growth  = 6       // of a character that JSON escapes
	)
	room := maxEvent - size(e) - reserve
	quoted := quote(original)
	if len(quoted) > room {
		if room < growth {
			return
		}
		quoted = quote(cut(original, room/growth))
	}
	rest := "}"
	if len(e.Fields) > len("{}") {
		rest = "," + e.Fields[1:]
	}
	e.Fields = `{"` + field + `":` + quoted + rest
}

func quote(s string) string { return clean(view(event.AppendJSONString(nil, s)), fieldsKind) }

// cut shortens a text to at most limit bytes, at the beginning of a character where the text is UTF-8.
func cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for n := limit; n > limit-utf8.UTFMax && n >= 0; n-- {
		if utf8.RuneStart(s[n]) {
			return s[:n]
		}
	}
	return s[:limit]
}

// cleanUntil returns where the first invalid byte or hidden character is, len(s) when there is none.
func cleanUntil(s string, as kind) (n int) {
	for n < len(s) {
		if n+8 <= len(s) && printable(binary.LittleEndian.Uint64(unsafe.Slice(unsafe.StringData(s[n:]), 8))) {
			n += 8
			continue
		}
		switch c := s[n]; {
		case c >= ' ' && c < 0x7f || as != nameKind && stays(c):
			n++
		case c < utf8.RuneSelf:
			return n
		default:
			r, size := utf8.DecodeRuneInString(s[n:])
			if size == 1 || hidden(r) {
				return n
			}
			n += size
		}
	}
	return n
}

// printable reports whether all eight bytes are from ' ' to '~'. Of bytes without a high bit, subtracting 0x20 sets it in those
// below, and in further ones only beside them; adding 1 sets it in DEL.
func printable(w uint64) bool {
	const each = 0x0101010101010101
	return (w|(w-0x20*each)|(w+each))&(0x80*each) == 0
}

// stays reports whether c is a control character that a message keeps.
func stays(c byte) bool { return c == '\t' || c == '\n' || c == '\r' }

// hidden reports whether r is a control character or one of bidirectional formatting (Unicode's Bidi_Control).
func hidden(r rune) bool {
	return r < ' ' || r >= 0x7f && r < 0xa0 || r == 0x061c || r == 0x200e || r == 0x200f || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069
}

// clean returns s with what is not clean changed as its kind says; s itself when there is nothing.
func clean(s string, as kind) string {
	n := cleanUntil(s, as)
	if n == len(s) {
		return s
	}
	b := make([]byte, 0, len(s)+16)
	for ; n < len(s); n = cleanUntil(s, as) {
		r, size := utf8.DecodeRuneInString(s[n:])
		b = append(b, s[:n]...)
		s = s[n+size:]
		switch {
		case r == utf8.RuneError: // it is valid nowhere else: U+FFFD itself is clean
			b = utf8.AppendRune(b, r)
		case r == 0 || as == nameKind:
		case as == messageKind && r < ' ':
			b = utf8.AppendRune(b, '\u2400'+r)
		case as == messageKind && r == 0x7f:
			b = utf8.AppendRune(b, '\u2421')
		default:
			const hex = "0123456789abcdef"
			b = append(b, '\\', 'u', hex[r>>12], hex[r>>8&15], hex[r>>4&15], hex[r&15])
		}
	}
	return view(append(b, s...))
}

func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// size is a lower bound of an event's encoded length in bytes.
func size(e *event.Event) int {
	n := len(e.Hostname) + len(e.Message) + len(e.CorrelationID) + len(e.SenderID) + len(e.SourceType) + len(e.SourceIP) +
		len(e.AppName) + len(e.ProcID) + len(e.MsgID) + len(e.TrapOID) + len(e.Fields) + len(e.TraceParent)
	for i := range e.Variables {
		v := &e.Variables[i]
		n += len(v.OID) + len(v.Type) + len(v.Value) + 3
	}
	return n
}
