package rule

import (
	"math"
	"math/bits"
)

// noRank is worse than every rank.
const noRank = math.MaxInt32

// denseBytes bounds the table of full rows. What fits the near caches is faster than a full table: a text is
// almost always in a shallow state, and those come first.
const denseBytes = 1 << 20

// ends marks the cell of a state in which a literal, or a suffix that is one, ends.
const ends = 1 << 31

// automaton is an Aho-Corasick automaton over the byte classes of folded literals.
//
// States are numbered breadth first, so that the children of a state are neighbours (from first of the one to first of the next),
// a failure link always points to a lower number, and the first states are the ones nearly always visited. Those
// have full rows (dense); the others store their children only and follow failure links.
//
// While scanning, a state is held as a cell: its number shifted to the start of its row, with the mark ends when
// a literal ends there.
type automaton struct {
	class [256]uint8 // byte to class, ASCII case folded; 0 for bytes that are in no literal
	shift uint8      // a dense row has 1<<shift cells
	dense []uint32
	limit uint32  // cells from here on belong to states without a dense row
	nodes []node  // by state, and one more that ends the last children
	in    []uint8 // class on the edge into each state
	lit   []int32 // literal that ends here, or -1

	longest int // length of the longest literal
}

// node is what a step and a hit need of one state, side by side in memory.
type node struct {
	first uint32 // first child
	fail  uint32 // the longest proper suffix that is a state
	next  uint32 // the longest proper suffix that ends a literal, 0 for none
	best  int32  // lowest rank that any literal ending here (suffixes included) can lead to, or noRank
}

// newAutomaton builds the automaton of sorted, distinct, non-empty folded literals. ranks[i] is the lowest
// rank that literal i can lead to; dense bounds the table of full rows, in bytes.
func newAutomaton(literals []string, ranks []int32, dense int) *automaton {
	a := &automaton{}
	a.classify(literals)
	a.trie(literals)
	a.link(ranks, dense)
	return a
}

// classify gives each byte of the literals a class.
func (a *automaton) classify(literals []string) {
	n := uint8(1)
	for _, l := range literals {
		a.longest = max(a.longest, len(l))
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
			state := len(a.nodes)
			a.nodes = append(a.nodes, node{first: uint32(len(a.in)), best: noRank})
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
	a.nodes = append(a.nodes, node{first: uint32(len(a.in))})
}

// link sets failure links, dense rows and what ends where. Each state needs those of lower numbers only.
func (a *automaton) link(ranks []int32, dense int) {
	n := uint32(len(a.in))
	want := min(n, max(1, uint32(dense/4)>>a.shift))
	a.dense = make([]uint32, int(want)<<a.shift)
	for s := range n {
		nd, end := &a.nodes[s], a.nodes[s+1].first
		if s > 0 {
			f := &a.nodes[nd.fail]
			nd.best, nd.next = f.best, nd.fail
			if a.lit[nd.fail] < 0 {
				nd.next = f.next
			}
			if l := a.lit[s]; l >= 0 {
				nd.best = min(nd.best, ranks[l])
			}
			for c := nd.first; c < end; c++ {
				a.nodes[c].fail = a.step(nd.fail<<a.shift, a.in[c]) &^ ends >> a.shift
			}
		}
		if s >= want {
			continue
		}
		row := a.dense[s<<a.shift : (s+1)<<a.shift]
		if s > 0 {
			copy(row, a.dense[nd.fail<<a.shift:])
		}
		for c := nd.first; c < end; c++ {
			row[a.in[c]] = c << a.shift
		}
		a.limit = (s + 1) << a.shift
	}
	for i, cell := range a.dense {
		a.dense[i] = a.cell(cell >> a.shift)
	}
}

// cell gives a state as rows hold it.
func (a *automaton) cell(state uint32) uint32 {
	if a.nodes[state].best < noRank {
		return state<<a.shift | ends
	}
	return state << a.shift
}

// step gives the cell after the state of another one (without its mark) on a class.
func (a *automaton) step(cell uint32, class uint8) uint32 {
	for cell >= a.limit {
		nd := a.nodes[cell>>a.shift:]
		for c, end := nd[0].first, nd[1].first; c < end; c++ {
			if a.in[c] == class {
				return a.cell(c)
			}
		}
		cell = nd[0].fail << a.shift
	}
	return a.dense[cell|uint32(class)]
}

// run goes on at byte i of two texts, of which the second is not the longer, until a literal ends in one of
// them or the second text does. It gives the next i and both cells with their marks.
func (a *automaton) run(head, tail string, i int, one, two uint32) (next int, o, t uint32) {
	head = head[:len(tail)]
	dense, limit := a.dense, a.limit
	for ; i < len(tail); i++ {
		if c := a.class[head[i]]; one < limit {
			one = dense[one|uint32(c)]
		} else {
			one = a.step(one, c)
		}
		if c := a.class[tail[i]]; two < limit {
			two = dense[two|uint32(c)]
		} else {
			two = a.step(two, c)
		}
		if (one|two)&ends != 0 {
			return i + 1, one, two
		}
	}
	return i, one, two
}
