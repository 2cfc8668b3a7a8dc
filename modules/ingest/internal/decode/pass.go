package decode

// nesting is which of the open containers are objects, one bit each.
type nesting struct {
	bits  [maxPassed / 64]uint64
	depth int
}

// maxPassed is how deep a value may nest for its end to be found: an element deeper than MaxDepth is refused alone, one
// deeper than this refuses its body.
const maxPassed = 4096

func (n *nesting) push(object bool) {
	word, bit := n.depth>>6, uint64(1)<<(n.depth&63)
	if n.bits[word] &^= bit; object {
		n.bits[word] |= bit
	}
	n.depth++
}

// object reports whether the innermost container is an object.
func (n *nesting) object() bool { return n.bits[(n.depth-1)>>6]>>((n.depth-1)&63)&1 == 1 }

// pass checks the JSON value at b[i] by the grammar of RFC 8259, whatever it nests, and returns where it ends and how deep
// it nests. It reads each byte once, no further than the value's end, and keeps nothing of it. When ok is false, end is the
// offset of the fault (len(b) when the value ends too early) or of the bracket that nests deeper than maxPassed.
func (n *nesting) pass(b []byte, i int) (end, deepest int, ok bool) {
	n.depth = 0
	for {
		// A value begins at b[i].
		opened := i < len(b) && (b[i] == '{' || b[i] == '[')
		if opened {
			if n.depth == maxPassed {
				return i, deepest, false
			}
			n.push(b[i] == '{')
			deepest = max(deepest, n.depth)
			i = skip(b, i+1)
		} else {
			end := scanScalar(b, i)
			if end < 0 {
				return faultAt(b, i), deepest, false
			}
			i = end
		}
		// What follows it, up to the next value.
		for first := opened; ; first = false {
			if n.depth == 0 {
				return i, deepest, true
			}
			if i = skip(b, i); i >= len(b) {
				return i, deepest, false
			}
			object := n.object()
			if b[i] == '}' && object || b[i] == ']' && !object {
				n.depth--
				i++
				continue
			}
			if !first {
				if b[i] != ',' {
					return i, deepest, false
				}
				i = skip(b, i+1)
			}
			if object {
				if i, ok = passName(b, i); !ok {
					return i, deepest, false
				}
			}
			break
		}
	}
}

// passName passes over a member's name and its colon. When ok is false, next is the offset of the fault.
func passName(b []byte, i int) (next int, ok bool) {
	if i >= len(b) || b[i] != '"' {
		return i, false
	}
	end := scanString(b, i+1)
	if end < 0 {
		return faultAt(b, i), false
	}
	if end = skip(b, end); end >= len(b) || b[end] != ':' {
		return end, false
	}
	return skip(b, end+1), true
}

// faultAt finds the first wrong byte of the scalar at b[i], len(b) when it ends too early.
func faultAt(b []byte, i int) int {
	if i >= len(b) {
		return len(b)
	}
	switch c := b[i]; {
	case c == '"':
		for i++; i < len(b) && b[i] >= ' '; i++ {
			if b[i] == '\\' {
				end := scanEscape(b, i+1)
				switch {
				case end >= 0:
					i = end - 1
				case cutEscape(b[i+1:]):
					return len(b)
				default:
					return i
				}
			}
		}
		return i
	case c == '-' || c >= '0' && c <= '9':
		for i < len(b) && (b[i] >= '0' && b[i] <= '9' || b[i] == '-' || b[i] == '+' || b[i] == '.' || b[i] == 'e' || b[i] == 'E') {
			i++
		}
		return i
	}
	for _, word := range [...]string{"true", "false", "null"} {
		if rest := b[i:]; len(rest) < len(word) && string(rest) == word[:len(rest)] {
			return len(b)
		}
	}
	return i
}

// cutEscape reports whether an escape, without its backslash, is right as far as it goes.
func cutEscape(b []byte) bool {
	if len(b) == 0 {
		return true
	}
	for _, c := range b[1:min(len(b), 5)] {
		if hex4([]byte{'0', '0', '0', c}) < 0 {
			return false
		}
	}
	return b[0] == 'u' && len(b) < 5
}
