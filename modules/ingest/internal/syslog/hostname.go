package syslog

import (
	"net/netip"
	"strings"

	"github.com/muttproject/mutt/modules/ingest/internal/stamp"
)

// canBeHost reports whether a word can be a hostname or an address. Where it cannot, the sender's address is right: a
// wrong host is worse for rules, teams and counting than the address of a relay.
func canBeHost(word string) bool {
	if word == "" || len(word) > maxHost || stamp.IsZone(word) {
		return false
	}
	letters, colons, dots := false, false, 0
	for i := range len(word) {
		c := word[i]
		if charClass[c]&inHost == 0 {
			return false
		}
		letters = letters || charClass[c]&startsTag != 0 && c != '/' && c != '('
		colons = colons || c == ':'
		if c == '.' {
			dots++
		}
	}
	last := word[len(word)-1]
	switch {
	case colons: // an IPv6 address; otherwise a tag without a hostname before it
		_, err := netip.ParseAddr(word)
		return err == nil
	case last == '.' || last == '@' || charClass[word[0]]&(inTag|startsTag) == 0 || word[0] == '-' || word[0] == '.':
		return false
	case letters:
		return true
	}
	// Without a letter it is an address, perhaps with a unit's number after it, or a number: a year, a count.
	address, _, _ := strings.Cut(word, "-")
	_, err := netip.ParseAddr(address)
	return dots == 3 && err == nil
}

// Classes of bytes in a header.
const (
	inHost uint8 = 1 << iota
	inTag
	startsTag
)

// charClass holds the classes of each byte. A tag excludes what begins JSON, key=value text and Cisco's "%FAC-3-X".
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
	for _, c := range ":%@" {
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
