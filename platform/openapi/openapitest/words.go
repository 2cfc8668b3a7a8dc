package openapitest

import (
	"encoding/json"
	"math/big"
	"strings"
)

// words are texts that a caller in good faith may send.
func words() []string {
	return []string{"sw1", "core-router.example.net", "10.1.0.0/16", "lab-*", "NETOPS", "link down", "log_level", "moog_rate_limit", "alert", "1", "2", "99",
		"2026-11-23T08:00:00Z", "2026-11-23", "key:admin", "alert_rules", "Ünïcode 中文", "a b", "%", "true"}
}

// hostile are texts that nobody sends in good faith: injections, tampered cursors, bounds of machines, bytes that are
// no text. The empty text is not among them: it counts as absent in most places.
func hostile() []string {
	return []string{`' OR '1'='1`, `1; DROP TABLE alert_rules; --`, `" UNION SELECT 1 --`, `%00`, "\x00", "a\x00b", "a\r\nX-Injected: yes", "\n", "\xff\xfe", "\xed\xa0\x80",
		"../../../etc/passwd", "..%2f..%2f", `..\..\windows\win.ini`, ".", "..", "/", "//", "<script>alert(1)</script>", "{{.}}", "${jndi:ldap://x}", "\u202e", "𝕏",
		"9223372036854775807", "9223372036854775808", "-9223372036854775809", "2147483648", "-1", "1e309", "0x10", "1_000", "NaN", "null", "[]", "{}", "*", "~",
		"YQGas8hbTHAAgAAAAAAAAAEAAAAA", "ZAGas8hbTHAAgAAAAAAAAAEAAAAA", "AAAA", "====", "9999-12-31T23:59:59Z", "0001-01-01", "10000-01-01", "2026-02-30",
		"1969-12-31T23:59:59Z", `"12"`, `W/"12-ab"`, `"x`, strings.Repeat("A", 900), strings.Repeat("A", 5000), strings.Repeat("é", 600)}
}

// numbers are the bounds of a whole number, beside them, and where machine words end.
func numbers(least, most *json.Number) []string {
	list := []string{"0", "1", "2", "7", "200", "2147483647", "2147483648", "9223372036854775807"}
	for _, bound := range []*json.Number{least, most} {
		if bound == nil {
			continue
		}
		if n, ok := new(big.Int).SetString(bound.String(), 10); ok {
			one := big.NewInt(1)
			list = append(list, n.String(), new(big.Int).Sub(n, one).String(), new(big.Int).Add(n, one).String())
		}
	}
	return list
}
