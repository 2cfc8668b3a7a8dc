package syslog

import (
	"strings"

	"github.com/muttproject/mutt/modules/ingest/internal/stamp"
	"github.com/muttproject/mutt/platform/event"
)

// rfc5424 reads what follows the PRI: VERSION SP TIMESTAMP SP HOSTNAME SP APP-NAME SP PROCID SP MSGID SP
// STRUCTURED-DATA [SP MSG] (RFC 5424 section 6). It takes every line that leodido/go-syslog takes, and in addition:
// other forms of a time, several blanks, headers over the length limits, a parameter that comes twice, and damaged structured
// data, which stays in the message. It is false, with e unchanged, when the header is not whole.
func (p *Parser) rfc5424(s string, e *event.Event) bool {
	version, s, ok := cutWord(s)
	if !ok || len(version) > 3 || version[0] < '1' || version[0] > '9' || !digits(version) {
		return false
	}
	return p.header(s, e)
}

// header reads what follows the version.
func (p *Parser) header(s string, e *event.Event) bool {
	when, s, ok := cutWord(s)
	if !ok || len(when) > maxHost { // what is longer is not a time, and would not fit into the fields when it is escaped
		return false
	}
	t, n, valid := stamp.Read(when, p.at, p.loc)
	if when != "-" && (n == 0 || when[min(4, len(when)-1)] != '-') { // Meraki's "1 1796025600.4 " is not this format
		return false
	}
	var words [4]string // hostname, app name, process id, message id
	for i := range words {
		if words[i], s, ok = cutWord(s); !ok {
			return false
		}
		if words[i] == "-" {
			words[i] = ""
		}
	}
	if when != "-" {
		p.stamp(e, when, t, valid && n == len(when))
	}
	if words[0] != "" {
		e.Hostname = words[0]
	}
	e.AppName, e.ProcID, e.MsgID = words[1], words[2], words[3]
	if data := trimBlanks(s); strings.HasPrefix(data, "[") || strings.HasPrefix(data, "-") {
		s = data
	}
	e.Message = strings.TrimPrefix(p.structured(s), "\ufeff") // a BOM only says that the text is UTF-8
	return true
}

// cutWord takes a word, the blanks before it and one after it off s; ok is false when it is empty or the last.
func cutWord(s string) (word, rest string, ok bool) {
	s = trimBlanks(s)
	i := strings.IndexByte(s, ' ')
	if i < 1 {
		return "", s, false
	}
	return s[:i], s[i+1:], true
}

func digits(s string) bool {
	for i := range len(s) {
		if !digit(s[i]) {
			return false
		}
	}
	return true
}

func digit(c byte) bool { return c-'0' <= 9 }
