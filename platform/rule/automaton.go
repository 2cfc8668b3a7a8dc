package rule

import (
	"math"
	"math/bits"
)

// noRank is worse than every rank.
const noRank = math.MaxInt32

// denseBytes bounds the table of full rows. What fits the near caches is faster than a full table: a text is
// almost always in a shallow state, and those come first.
const denseBytes = 512 << 10

// automaton is an Aho-Corasick automaton over the byte classes of folded literals.
//
// States are numbered breadth first, so that the children of a state are neighbours (first[s]..first[s+1]),
// a failure link always points to a lower number, and the first states are the ones nearly always visited. Those
// have full rows (dense); the others store their children only and follow failure links.
type automaton struct {
	class [256]uint8 // byte to class, ASCII case folded; 0 for bytes that are in no literal
	shift uint8      // a dense row has 1<<shift cells
	dense []uint32
	rows  uint32   // number of states with a dense row
	first []uint32 // first child of each state, and one more
	in    []uint8  // class on the edge into each state
	fail  []uint32
	lit   []int32  // literal that ends here, or -1
	next  []uint32 // the longest proper suffix that ends a literal, 0 for none
	best  []int32  // lowest rank that any literal ending here (suffixes included) can lead to, or noRank
}

// newAutomaton builds the automaton of sorted, distinct, non-empty folded literals. ranks[i] is the lowest
// rank that literal i can lead to.
func newAutomaton(literals []string, ranks []int32) *automaton {
	a := &automaton{}
	a.classify(literals)
	a.trie(literals)
	a.link(ranks)
	return a
}

// classify gives each byte of the literals a class.
func (a *automaton) classify(literals []string) {
	n := uint8(1)
	for _, l := range literals {
		for i := range len(l) {
			if a.class[l[i]] == 0 {
				a.class[l[i]] = n
				n++ // valid UTF-8 has fewer than 255 distinct bytes
			}
		}
	}
	for b := byte('a'); b <= 'z'; b++ {
		a.class[b] = a.class[upper(b)]
	}
	a.shift = uint8(bits.Len8(n - 1))
}

// trie numbers the prefixes of the sorted literals breadth first.
func (a *automaton) trie(literals []string) {
	type span struct{ lo, hi int } // the literals that begin with a state's prefix
	level, depth := []span{{0, len(literals)}}, 0
	a.in, a.lit = append(a.in, 0), append(a.lit, -1)
	for len(level) > 0 {
		var below []span
		for _, sp := range level {
			state := len(a.first)
			a.first = append(a.first, uint32(len(a.in)))
			if sp.lo < sp.hi && len(literals[sp.lo]) == depth {
				a.lit[state] = int32(sp.lo)
				sp.lo++
			}
			for lo := sp.lo; lo < sp.hi; {
				b, hi := literals[lo][depth], lo+1
				for hi < sp.hi && literals[hi][depth] == b {
					hi++
				}
				below = append(below, span{lo, hi})
				a.in, a.lit = append(a.in, a.class[b]), append(a.lit, -1)
				lo = hi
			}
		}
		level, depth = below, depth+1
	}
	a.first = append(a.first, uint32(len(a.in)))
}

// link sets failure links, dense rows and what ends where. Each state needs those of lower numbers only.
func (a *automaton) link(ranks []int32) {
	n := uint32(len(a.in))
	a.fail, a.next, a.best = make([]uint32, n), make([]uint32, n), make([]int32, n)
	a.best[0] = noRank
	want := min(n, uint32(denseBytes/4)>>a.shift)
	a.dense = make([]uint32, int(want)<<a.shift)
	for s := range n {
		if s > 0 {
			f := a.fail[s]
			a.best[s], a.next[s] = a.best[f], f
			if a.lit[f] < 0 {
				a.next[s] = a.next[f]
			}
			if l := a.lit[s]; l >= 0 {
				a.best[s] = min(a.best[s], ranks[l])
			}
		}
		for c := a.first[s]; c < a.first[s+1]; c++ {
			if s > 0 {
				a.fail[c] = a.step(a.fail[s], a.in[c])
			}
		}
		if s < want {
			row := a.dense[s<<a.shift : (s+1)<<a.shift]
			if s > 0 {
				copy(row, a.dense[a.fail[s]<<a.shift:])
			}
			for c := a.first[s]; c < a.first[s+1]; c++ {
				row[a.in[c]] = c
			}
			a.rows = s + 1
		}
	}
}

// step gives the state after s on a class.
func (a *automaton) step(s uint32, class uint8) uint32 {
	for s >= a.rows {
		for c, end := a.first[s], a.first[s+1]; c < end; c++ {
			if a.in[c] == class {
				return c
			}
		}
		s = a.fail[s]
	}
	return a.dense[s<<a.shift|uint32(class)]
}
