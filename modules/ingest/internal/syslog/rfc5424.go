package syslog

import (
	"strings"

	"github.com/muttproject/mutt/platform/event"
)

// rfc5424 reads what follows the PRI: VERSION SP TIMESTAMP SP HOSTNAME SP APP-NAME SP PROCID SP MSGID SP
// STRUCTURED-DATA [SP MSG] (RFC 5424 section 6). It takes every line that leodido/go-syslog takes, and in addition:
// fractions of any length, headers over the length limits, a parameter that comes twice, and damaged structured
// data, which stays in the message. It is false, with e unchanged, when the header is not whole.
func (p *Parser) rfc5424(s string, e *event.Event) bool {
	version, s, ok := cutWord(s)
	if !ok || len(version) > 3 || version[0] < '1' || version[0] > '9' || !digits(version) {
		return false
	}
	stamp, s, ok := cutWord(s)
	if !ok {
		return false
	}
	t, n, valid := stamp3339(stamp)
	if stamp != "-" && n == 0 {
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
	if stamp != "-" {
		p.stamp(e, stamp, t, valid && n == len(stamp))
	}
	if words[0] != "" {
		e.Hostname = words[0]
	}
	e.AppName, e.ProcID, e.MsgID = words[1], words[2], words[3]
	e.Message = strings.TrimPrefix(p.structured(s), "\ufeff") // a BOM only says that the text is UTF-8
	return true
}

// cutWord takes a word and the one space after it off s; ok is false when it is empty or the last.
func cutWord(s string) (word, rest string, ok bool) {
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
