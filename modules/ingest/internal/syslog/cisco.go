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
		case p.node == "" && cisco.IsNode(word):
			p.node = word
		case p.host == "" && canBeHost(word):
			p.host = word
		default:
			return p
		}
		p.end += end + 1
		p.end += len(s[p.end:]) - len(strings.TrimLeft(s[p.end:], " "))
		if p.end == len(s) || timeBegins(s[p.end]) && !startsName(s[p.end:]) {
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

// startsName reports whether s begins with a number or an address that a colon and a blank follow, or with a node of
// IOS-XR's: not with a time.
func startsName(s string) bool {
	s = s[:min(len(s), maxTag)]
	if name, _, ok := strings.Cut(s, ": "); ok && (digits(name) || canBeHost(name)) {
		return true
	}
	node, _, ok := strings.Cut(s, ":")
	return ok && strings.Count(node, "/") >= 2 && strings.IndexByte(node, ' ') < 0
}

// prelude keeps what a prelude holds.
func (p *Parser) prelude(e *event.Event, before *prelude) {
	p.headed = true
	if before.host != "" {
		e.Hostname = before.host
	}
	e.AppName = before.task
	p.keep("counter", before.counter)
	p.keep("sequence", before.sequence)
	p.keep("node", before.node)
}

// keep puts a text into the fields, if there is one.
func (p *Parser) keep(name, text string) {
	if text != "" {
		p.object.key(name).quoted(text)
	}
}

// relayed makes the event of a line that a relay passed on the one of the device: a whole line in the content is read as
// if it had come directly, and a mnemonic begins the message, also where the relay made it the APP-NAME. What the device
// wrote before its mnemonic goes to the hostname and the fields. The time is the one of the relay's header.
func (p *Parser) relayed(e *event.Event) {
	if (e.AppName == "" || e.AppName == "1" && e.ProcID == "") && p.object.members == 0 {
		p.whole(e)
	}
	if e.AppName != "" && e.AppName[0] == '%' {
		if joined, ok := cisco.AppendMessage(p.joined[:0], e.AppName, e.Message); ok {
			p.joined = joined
			e.Message = view(joined)
			return
		}
	}
	if !p.headed && cisco.MayHaveHeader(e.AppName, e.ProcID, e.Message) {
		p.device(e)
	}
}

// device reads what the device wrote before its mnemonic.
func (p *Parser) device(e *event.Event) {
	app, message := e.AppName, e.Message
	p.joined = p.joined[:0]
	if strings.HasPrefix(e.Hostname, ".") { // the relay took the device's time for a hostname and an APP-NAME: ".Nov", "30"
		p.joined = append(append(append(append(append(p.joined, e.Hostname...), ' '), app...), ' '), message...)
		app, message = "", view(p.joined)
	}
	h, text, ok := cisco.ReadHeader(app, e.ProcID, message)
	if !ok {
		return
	}
	e.Message = text
	if h.Whole {
		e.Facility, e.Severity = int8(h.Priority>>3), int8(h.Priority&7)
	}
	if h.AppUsed || app != e.AppName {
		e.AppName = ""
	}
	if h.Process != "" {
		e.AppName, e.ProcID = h.Process, h.PID
	}
	if strings.HasPrefix(e.Hostname, ".") {
		e.Hostname = e.SourceIP
	}
	relay := e.Hostname
	if h.Host != "" {
		e.Hostname = h.Host
	}
	stamp := len(p.joined)
	p.joined = h.AppendTime(p.joined)
	p.relay(e, relay)
	p.keep("counter", h.Counter)
	p.keep("sequence", h.Sequence)
	p.keep("origin", h.Origin)
	p.keep("node", h.Node)
	p.keep("device_time", view(p.joined[stamp:]))
}

// whole reads a line with a header of its own in the content of another one, as syslog-ng sends it with flags(no-parse), or
// for an RFC 5424 line that it took for one of RFC 3164: then the version can be the APP-NAME.
func (p *Parser) whole(e *event.Event) {
	s, relay := trimBlanks(e.Message), e.Hostname
	if s == "" || s[0] != '<' && s[0] != '1' && s[0] != '2' {
		return
	}
	if e.AppName != "" {
		if strings.HasPrefix(s, "2") && p.header(s, e) {
			p.relay(e, relay)
		}
		return
	}
	pri, rest, ok := cutPRI(s)
	if !ok && !strings.HasPrefix(s, "1 2") || !p.rfc5424(rest, e) && (!ok || !p.rfc3164(rest, e, false)) {
		return
	}
	if ok {
		e.Facility, e.Severity = int8(pri>>3), int8(pri&7)
	}
	p.relay(e, relay)
}

// relay keeps the hostname of the relay's header where the device's is the event's.
func (p *Parser) relay(e *event.Event, hostname string) {
	if hostname != e.Hostname && hostname != e.SourceIP {
		p.keep("relay", hostname)
	}
}
