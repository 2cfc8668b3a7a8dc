package syslog

import (
	"strings"

	"github.com/muttproject/mutt/modules/ingest/internal/cisco"
	"github.com/muttproject/mutt/platform/event"
)

// prelude is what network gear writes between the PRI and the timestamp.
type prelude struct {
	counter, sequence string // of the logging process, and of the message
	host              string
	node              string // IOS-XR: "RP/0/RSP0/CPU0"
	task              string // WLC: "*spamApTask0"
	end               int    // where the timestamp begins
}

// readPrelude reads "[counter:] [host:] [sequence:] [host node:]" and ": " at the start of s. It says nothing about what
// follows: the caller believes it only when that is a timestamp.
func readPrelude(s string) (p prelude) {
	for range 5 {
		word, colon := s[p.end:], false
		if len(word) > maxHost {
			word = word[:maxHost]
		}
		end := strings.IndexAny(word, ": ")
		if end < 0 {
			return p
		}
		colon = word[end] == ':'
		word = word[:end]
		switch {
		case word == "" && colon: // NX-OS begins with a colon where the host is not configured
		case !colon:
			if p.host != "" || !canBeHost(word) || !nodeFollows(s[p.end+end:]) {
				return p
			}
			p.host = word
		case digits(word):
			p.counter, p.sequence = p.sequence, word
		case word[0] == '*' && p.task == "" && len(word) > 1:
			p.task = word[1:]
		case strings.IndexByte(word, '/') > 0 && p.node == "":
			p.node = word
		case p.host == "" && canBeHost(word):
			p.host = word
		default:
			return p
		}
		p.end += end + 1
		p.end += len(s[p.end:]) - len(strings.TrimLeft(s[p.end:], " "))
		if p.end == len(s) || timeBegins(s[p.end]) && !startsCounter(s[p.end:]) {
			return p
		}
	}
	return p
}

// nodeFollows reports whether a node of IOS-XR's follows.
func nodeFollows(s string) bool {
	node, _, ok := strings.Cut(s[:min(len(s), maxTag)], ":")
	return ok && strings.Count(node, "/") >= 2 && strings.LastIndexByte(node, ' ') == 0
}

func timeBegins(c byte) bool { return digit(c) || c == '.' }

// startsCounter reports whether s begins with digits and a colon that is followed by a blank: not with a time.
func startsCounter(s string) bool {
	i := 0
	for i < len(s) && digit(s[i]) {
		i++
	}
	return i > 0 && strings.HasPrefix(s[i:], ": ")
}

// prelude keeps what a prelude holds.
func (p *Parser) prelude(e *event.Event, before *prelude) {
	if before.host != "" {
		e.Hostname = before.host
	}
	e.AppName = before.task
	for _, kept := range [...]struct{ name, value string }{
		{"counter", before.counter}, {"sequence", before.sequence}, {"node", before.node}} {
		if kept.value != "" {
			p.object.key(kept.name).quoted(kept.value)
		}
	}
}

// withMnemonic puts a mnemonic that a relay made the APP-NAME back before the message.
func (p *Parser) withMnemonic(e *event.Event) {
	if joined, ok := cisco.AppendMessage(p.joined[:0], e.AppName, e.Message); ok {
		p.joined = joined
		e.Message = view(joined)
	}
}
