package syslog

import (
	"strings"

	"github.com/muttproject/mutt/modules/ingest/internal/cisco"
	"github.com/muttproject/mutt/modules/ingest/internal/stamp"
	"github.com/muttproject/mutt/platform/event"
)

// Longest parts of a header that are believed; RFC 3164 allows 32 for a tag, but units and containers go beyond.
const (
	maxHost = 255
	maxTag  = 64
	maxPID  = 64
)

// rfc3164 reads what follows the PRI: [timestamp [hostname]] [tag[pid]:] content (RFC 3164 section 4.1), with the
// timestamps of package stamp, any run of blanks between the parts, and what network gear writes before the timestamp.
// What does not look like its part is left in the content. It is false for a line that has neither PRI nor timestamp.
func (p *Parser) rfc3164(s string, e *event.Event, hasPRI bool) bool {
	s = trimBlanks(s)
	t, n, ok := stamp.Read(s, p.at, p.loc)
	var before prelude
	if n == 0 {
		if host, rest, ok := cutSnare(s); ok {
			e.Hostname, e.Message = host, rest
			return true
		}
		if before = readPrelude(s); before.end > 0 {
			t, n, ok = stamp.Read(s[before.end:], p.at, p.loc)
		}
	}
	switch {
	case n > 0:
		if before.end > 0 {
			p.prelude(e, &before)
			s = s[before.end:]
		}
		p.stamp(e, s[:n], t, ok)
		s = trimColon(s[n:])
		if before.host == "" {
			s = p.host(s, e)
		}
	case !hasPRI:
		return false
	case before.host == "" && before.sequence != "" && strings.HasPrefix(s[before.end:], "%"): // IOS without timestamps
		p.prelude(e, &before)
		s = s[before.end:]
	}
	tag, pid, content := cutTag(s)
	if tag != "" {
		e.AppName = tag
	}
	e.ProcID, e.Message = pid, content
	return true
}

// trimBlanks removes the blanks at the start of s.
func trimBlanks(s string) string {
	for s != "" && s[0] == ' ' {
		s = s[1:]
	}
	return s
}

// trimColon removes the blanks and the colon that may follow a timestamp.
func trimColon(s string) string {
	s = trimBlanks(s)
	if strings.HasPrefix(s, ":") && !strings.HasPrefix(s, "::") {
		s = trimBlanks(s[1:])
	}
	return s
}

// host takes the hostname, if there is one, off what follows the timestamp.
func (p *Parser) host(s string, e *event.Event) string {
	if from, relayed := forwarded(s); relayed {
		host, content, found := strings.Cut(from, ":")
		if host = strings.TrimSpace(host); found && canBeHost(host) {
			e.Hostname = host
			return trimBlanks(content)
		}
		return s
	}
	if repeated(s) {
		return s
	}
	host, rest := cutHost(s)
	if host == "" {
		if host, rest, ok := cutSnare(s); ok {
			e.Hostname = host
			return rest
		}
		return s
	}
	e.Hostname = host
	rest = trimBlanks(rest)
	if content := trimColon(rest); len(content) < len(rest) && cisco.Mnemonic(content) > 0 { // FTD, ASA: "firepower : %FTD-6-110002: "
		return content
	}
	return rest
}

// forwarded returns what follows the words that relays of AIX and BSD write before a hostname.
func forwarded(s string) (from string, ok bool) {
	if s == "" || s[0] != 'M' && s[0] != 'F' {
		return s, false
	}
	if from, ok = strings.CutPrefix(s, "Message forwarded from "); ok {
		return from, true
	}
	return strings.CutPrefix(s, "Forwarded from ")
}

// repeated reports whether s is what a relay says instead of a message.
func repeated(s string) bool {
	return s != "" && (s[0] == 'l' || s[0] == 'm') && (strings.HasPrefix(s, "last message repeated ") || strings.HasPrefix(s, "message repeated ") ||
		strings.HasPrefix(s, "last message buffered "))
}

// cutHost takes a hostname or address off s; "" when the first word cannot be one, or is all there is.
func cutHost(s string) (host, rest string) {
	end := strings.IndexByte(s[:min(len(s), maxHost+3)], ' ')
	if end < 1 {
		return "", s
	}
	host, rest = s[:end], s[end+1:]
	if name, colon := strings.CutSuffix(host, ":"); colon { // a tag, unless it stands before a mnemonic of Cisco's
		if content := trimBlanks(rest); canBeHost(name) && cisco.Mnemonic(content) > 0 {
			return name, rest
		}
		return "", s
	}
	if len(host) > 2 && host[0] == '[' && host[end-1] == ']' {
		if tag, _, _ := cutTag(trimBlanks(rest)); tag != "" && canBeHost(host[1:end-1]) {
			return host[1 : end-1], rest
		}
		return "", s
	}
	if !canBeHost(host) || strings.HasPrefix(rest, "= ") {
		return "", s
	}
	return host, rest
}

// cutSnare reads "HOST TAB MSWinEventLog TAB …": Snare for Windows, without a syslog header or with a tab in it.
func cutSnare(s string) (host, rest string, ok bool) {
	host, rest, ok = strings.Cut(s[:min(len(s), maxHost+len("\tMSWinEventLog\t"))], "\t")
	if !ok || !strings.HasPrefix(rest, "MSWinEventLog\t") || !canBeHost(host) {
		return "", s, false
	}
	return host, s[len(host)+1:], true
}

// cutTag takes "tag: ", "tag[pid]: " or "tag[pid] " off s.
func cutTag(s string) (tag, pid, content string) {
	i := 0
	for i < len(s) && i <= maxTag && charClass[s[i]]&inTag != 0 {
		i++
	}
	if i == 0 || i > maxTag || i == len(s) || charClass[s[0]]&startsTag == 0 {
		return "", "", s
	}
	rest := s[i:]
	if rest[0] == '[' {
		end := strings.IndexByte(rest[:min(len(rest), maxPID)], ']')
		if end < 0 || strings.IndexByte(rest[:end], ' ') >= 0 {
			return "", "", s
		}
		pid, rest = rest[1:end], rest[end+1:]
	}
	switch {
	case strings.HasPrefix(rest, ": "):
		return s[:i], pid, rest[2:]
	case pid != "" && strings.HasPrefix(rest, " : %"): // IOS-XR
		return s[:i], pid, rest[3:]
	case rest == ":" || rest == "" && pid != "":
		return s[:i], pid, ""
	case pid != "" && rest[0] == ' ':
		return s[:i], pid, rest[1:]
	}
	return "", "", s // "CEF:0|…", "10.0.0.1:514 …": a colon inside a word ends no tag
}
