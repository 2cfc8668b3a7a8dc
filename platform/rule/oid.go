package rule

import (
	"errors"
	"strconv"
	"strings"
)

// maxArcs is the most sub-identifiers that SNMP allows (RFC 2578 section 3.5).
const maxArcs = 128

// cleanOID brings an OID into the form in which it is stored: no leading dot, no trailing ".*".
func cleanOID(s string) string {
	return strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(s), "."), ".*")
}

// checkOID says why a cleaned OID is none.
func checkOID(s string) error {
	arcs := strings.Split(s, ".")
	if len(arcs) > maxArcs {
		return errors.New("has more than 128 arcs")
	}
	for i, arc := range arcs {
		n, err := strconv.ParseUint(arc, 10, 32)
		if err != nil || strconv.FormatUint(n, 10) != arc {
			return errors.New("is not an OID: want numbers with dots between, such as 1.3.6.1.4.1.9")
		}
		if i == 0 && n > 2 {
			return errors.New("is not an OID: the first number is 0, 1 or 2")
		}
		if i == 1 && n > 39 && arcs[0] != "2" {
			return errors.New("is not an OID: under 0 and 1 the second number is at most 39")
		}
	}
	return nil
}

// oidUnder reports whether oid lies at or under prefix, on whole arcs.
func oidUnder(oid, prefix string) bool {
	oid = strings.TrimPrefix(oid, ".")
	return strings.HasPrefix(oid, prefix) && (len(oid) == len(prefix) || oid[len(prefix)] == '.')
}

// oidIndex finds the rules of an OID and of everything above it.
type oidIndex map[string][]int32 // cleaned OID to ranks, ascending

// each calls fn with the ranks of every entry at or above oid.
func (x oidIndex) each(oid string, fn func(ranks []int32)) {
	oid = strings.TrimPrefix(oid, ".")
	for i := 1; i <= len(oid); i++ {
		if i == len(oid) || oid[i] == '.' {
			if ranks, ok := x[oid[:i]]; ok {
				fn(ranks)
			}
		}
	}
}
