// Package cisco knows the mnemonics of Cisco's messages ("%LINK-3-UPDOWN: …"), for every way that a message takes to MUTT.
//
// Principles:
//  1. A mnemonic is part of the message, and begins it. Relays that parse a line as RFC 3164 make it the APP-NAME, or leave the
//     device's own header before it; so a rule matches the line that came directly and the one that came through a relay.
//  2. What stands before a mnemonic is taken off only when every word of it is known to be a part of a header. Text stays.
package cisco

import "strings"

// Mnemonic returns the length of "%FACILITY[-SUBFACILITY]-SEVERITY-MNEMONIC" at the start of s; 0 when there is none.
func Mnemonic(s string) int {
	if s == "" || s[0] != '%' {
		return 0
	}
	severity, begin, i := false, 1, 1
	for ; i < len(s); i++ {
		c := s[i]
		if c == '-' && i > begin {
			severity = severity || i == begin+1 && begin > 1 && s[begin] >= '0' && s[begin] <= '7'
			begin = i + 1
		} else if (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') && c != '_' {
			break
		}
	}
	if !severity || i == begin {
		return 0
	}
	return i
}

// AppendMessage appends the message that an APP-NAME and what follows it were before a relay took them apart. ok is false,
// and nothing is appended, when the APP-NAME is not a mnemonic or the message begins with it.
func AppendMessage(dst []byte, appName, message string) (joined []byte, ok bool) {
	name := strings.TrimSuffix(appName, ":")
	if n := Mnemonic(name); n == 0 || n < len(name) || strings.HasPrefix(message, name) {
		return dst, false
	}
	rest := strings.TrimLeft(strings.TrimPrefix(strings.TrimLeft(message, " "), ":"), " ")
	dst = append(append(dst, name...), ": "...)
	return append(dst, rest...), true
}
