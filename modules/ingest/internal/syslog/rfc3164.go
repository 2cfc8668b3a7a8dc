package syslog

import (
	"net/netip"
	"strings"

	"github.com/muttproject/mutt/platform/event"
)

// Longest parts of a header that are believed; RFC 3164 allows 32 for a tag, but units and containers go beyond.
const (
	maxHost = 255
	maxTag  = 64
	maxPID  = 64
)

// rfc3164 reads what follows the PRI: [timestamp [hostname]] [tag[pid]:] content (RFC 3164 section 4.1), or the
// same with an RFC 3339 timestamp, as rsyslog forwards. What does not look like its part is left in the content.
// It is false for a line that has neither PRI nor timestamp.
func (p *Parser) rfc3164(s string, e *event.Event, hasPRI bool) bool {
	s = strings.TrimLeft(s, " ")
	t, n, ok := stamp3164(s, p.at, p.loc)
	if n == 0 {
		t, n, ok = stamp3339(s)
	}
	switch {
	case n > 0:
		p.stamp(e, s[:n], t, ok)
		s = strings.TrimPrefix(s[n:], ":")
		s = strings.TrimPrefix(s, " ")
		if host, rest := cutHost(s); host != "" {
			e.Hostname, s = host, rest
		}
	case !hasPRI:
		return false
	}
	e.AppName, e.ProcID, e.Message = cutTag(s)
	return true
}

// cutHost takes a hostname or address off s; "" when the first word is none, or is all there is.
func cutHost(s string) (host, rest string) {
	end := strings.IndexByte(s, ' ')
	if end < 1 || end > maxHost {
		return "", s
	}
	colon := false
	for i := range end {
		c := charClass[s[i]]
		if c&inHost == 0 {
			return "", s
		}
		colon = colon || s[i] == ':'
	}
	if colon { // an IPv6 address; otherwise a tag without a hostname before it
		if _, err := netip.ParseAddr(s[:end]); err != nil {
			return "", s
		}
	}
	return s[:end], s[end+1:]
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
		end := strings.IndexAny(rest[:min(len(rest), maxPID)], "] ")
		if end < 0 || rest[end] != ']' {
			return "", "", s
		}
		pid, rest = rest[1:end], rest[end+1:]
	}
	switch {
	case strings.HasPrefix(rest, ": "):
		return s[:i], pid, rest[2:]
	case rest == ":" || rest == "" && pid != "":
		return s[:i], pid, ""
	case pid != "" && rest[0] == ' ':
		return s[:i], pid, rest[1:]
	}
	return "", "", s // "CEF:0|…", "10.0.0.1:514 …": a colon inside a word ends no tag
}

// Classes of bytes in a header.
const (
	inHost uint8 = 1 << iota
	inTag
	startsTag
)

// charClass gives the classes of each byte. A tag excludes what begins JSON, key=value text and Cisco's "%FAC-3-X".
var charClass = func() (t [256]uint8) {
	for c := range t {
		switch {
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
			t[c] = inHost | inTag | startsTag
		case c >= '0' && c <= '9':
			t[c] = inHost | inTag
		}
	}
	for _, c := range "._-" {
		t[c] |= inHost | inTag
	}
	for _, c := range ":%/@" {
		t[c] |= inHost
	}
	for _, c := range "()/@+#~$" {
		t[c] |= inTag
	}
	t['_'] |= startsTag
	t['/'] |= startsTag
	t['('] |= startsTag // "(systemd)[1]:"
	return t
}()
