package intake

import (
	"strings"
	"unicode/utf8"

	"github.com/muttproject/mutt/platform/event"
)

// cleanEvent makes every text of e clean; it reports whether one was not.
func cleanEvent(e *event.Event) (repaired bool) {
	for _, p := range [...]*string{&e.Hostname, &e.Message, &e.CorrelationID, &e.SenderID, &e.SourceType, &e.SourceIP,
		&e.AppName, &e.ProcID, &e.MsgID, &e.TrapOID, &e.Fields, &e.TraceParent} {
		repaired = cleanText(p) || repaired
	}
	for i := range e.Variables {
		v := &e.Variables[i]
		for _, p := range [...]*string{&v.OID, &v.Type, &v.Value} {
			repaired = cleanText(p) || repaired
		}
	}
	return repaired
}

// cleanText replaces each invalid byte by U+FFFD and removes NUL, which PostgreSQL's text refuses.
func cleanText(p *string) bool {
	s := *p
	if utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 {
		return false
	}
	var b strings.Builder
	b.Grow(len(s) + 8)
	for _, r := range s { // an invalid byte is ranged over as one U+FFFD
		if r != 0 {
			b.WriteRune(r)
		}
	}
	*p = b.String()
	return true
}

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
