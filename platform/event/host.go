package event

// One host is one identity, whatever the case of its name: some devices and relays write CORE-1, others core-1. The
// identity is the folded name. It is a function of the name, so that an event carries the spelling alone, and entries that
// earlier versions queued have the same identity. Partitions, counters, rules, teams, signatures and filters use the
// identity; people and the destination see the spelling.

// FoldHost returns the identity of a host: its name with the ASCII letters in lower case (RFC 4343). Other letters stay as
// they are. A name that is folded already is returned itself, without a copy.
func FoldHost(name string) string {
	for i := range len(name) {
		if FoldByte(name[i]) != name[i] {
			return string(AppendFoldedHost(make([]byte, 0, len(name)), name))
		}
	}
	return name
}

// AppendFoldedHost appends the identity of a host to dst.
func AppendFoldedHost(dst []byte, name string) []byte {
	start := len(dst)
	dst = append(dst, name...)
	for i, c := range dst[start:] {
		if 'A' <= c && c <= 'Z' { // as FoldByte, and most names are folded already: nothing is written
			dst[start+i] = c + 'a' - 'A'
		}
	}
	return dst
}

// FoldByte returns the lower case of an ASCII letter, and any other byte as it is.
func FoldByte(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// SameHost reports whether two names are those of one host.
func SameHost(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if FoldByte(a[i]) != FoldByte(b[i]) {
			return false
		}
	}
	return true
}
