package cisco

import (
	"net/netip"
	"strings"

	"github.com/muttproject/mutt/modules/ingest/internal/stamp"
)

// isMonth reports whether s is the name of a month, perhaps after the mark of a clock that is not set or not synchronised.
func isMonth(s string) bool {
	if len(s) == 4 && (s[0] == '*' || s[0] == '.') {
		s = s[1:]
	}
	switch s {
	case "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec":
		return true
	}
	return false
}

// isClock reports whether s is a time of day or the rest of one ("08:00:00.123", "00:00Z", "05:12").
func isClock(s string) bool {
	s = strings.TrimLeft(s, "*.")
	colons, i := 0, 0
	for ; i < len(s) && (isDigit(s[i]) || i > 0 && (s[i] == ':' && isDigit(s[i-1]) || s[i] == '.' || s[i] == ',')); i++ {
		if s[i] == ':' {
			colons++
		}
	}
	return colons > 0 && colons <= 3 && (i == len(s) || s[i:] == "Z" || isOffset(s[i:]))
}

// isDate reports whether s is a date of numbers, perhaps with a time or the beginning of one.
func isDate(s string) bool {
	s = strings.TrimLeft(s, "*.")
	return len(s) >= len("2026-11-30") && allDigits(s[:4]) && s[4] == '-' && allDigits(s[5:7]) && s[7] == '-' && allDigits(s[8:10]) &&
		strings.Trim(s[10:], "0123456789T:.,Z+-") == ""
}

// isUptime reports whether s is the time since a device started: "2d03h", "1w2d", "1y12w".
func isUptime(s string) bool {
	pairs := 0
	for s != "" {
		i := 0
		for i < len(s) && isDigit(s[i]) {
			i++
		}
		if i == 0 || i == len(s) || strings.IndexByte("ywdhms", s[i]) < 0 {
			return false
		}
		s = s[i+1:]
		pairs++
	}
	return pairs == 2
}

// isZone reports whether s is a time zone: by a known abbreviation, by its offset, or by both ("GMT+1").
func isZone(s string) bool {
	if stamp.IsZone(s) {
		return true
	}
	offset, named := strings.CutPrefix(s, "UTC")
	if !named {
		offset, named = strings.CutPrefix(s, "GMT")
	}
	return isOffset(offset) || named && len(offset) == 2 && (offset[0] == '+' || offset[0] == '-') && isDigit(offset[1])
}

func isOffset(s string) bool {
	return len(s) >= 3 && len(s) <= 6 && (s[0] == '+' || s[0] == '-') && allDigits(strings.Replace(s[1:], ":", "", 1))
}

// isAbbreviation reports whether s has the form of a time zone's abbreviation.
func isAbbreviation(s string) bool {
	for i := range len(s) {
		if s[i] < 'A' || s[i] > 'Z' {
			return false
		}
	}
	return len(s) >= 2 && len(s) <= 5
}

// IsNode reports whether s can be a node of IOS-XR.
func IsNode(s string) bool {
	slashes := 0
	for i := range len(s) {
		switch c := s[i]; {
		case c == '/' && i > 0:
			slashes++
		case !isDigit(c) && (c|0x20 < 'a' || c|0x20 > 'z'):
			return false
		}
	}
	return slashes > 0
}

// isRack reports whether s begins the name of a node of IOS-XR, which some relays cut at its first slash.
func isRack(s string) bool { return s == "RP" || s == "LC" || s == "SP" || s == "DRP" }

// isName reports whether s can name a host or a process.
func isName(s string) bool {
	letters := false
	for i := range len(s) {
		c := s[i]
		if letter := c|0x20 >= 'a' && c|0x20 <= 'z'; letter {
			letters = true
		} else if !isDigit(c) && (c != '-' && c != '_' && c != '.' || i == 0 && c != '_') {
			return false
		}
	}
	return letters && s[len(s)-1] != '.' // which a domain may end with, and a sentence does
}

// isHost reports whether s can be the hostname of a device. An IPv6 address may have lost its beginning to a relay, so only
// what begins as a whole one does is taken.
func isHost(s string) bool {
	if addr, err := netip.ParseAddr(s); err == nil {
		first := addr.As16()[0]
		return addr.Is4() || first&0xe0 == 0x20 || first >= 0xfc
	}
	return isName(s) && !stamp.IsZone(s) && !isUptime(s)
}

// isOrigin reports whether s is a name with colons or slashes in it.
func isOrigin(s string) bool {
	return strings.ContainsAny(s, ":/") && isName(strings.NewReplacer(":", "", "/", "").Replace(s))
}

func isDigit(c byte) bool { return c-'0' <= 9 }

// allDigits reports whether s has digits only, at least one.
func allDigits(s string) bool {
	for i := range len(s) {
		if !isDigit(s[i]) {
			return false
		}
	}
	return s != ""
}
