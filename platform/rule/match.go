package rule

import (
	"context"
	"net/netip"
	"slices"

	"github.com/muttproject/mutt/platform/event"
)

// Scratch is the memory that one worker needs to judge. It fits any Set (it grows at the first use with a
// larger one) and must not be used by two goroutines at once.
type Scratch struct {
	event *event.Event
	now   int64
	ctx   context.Context // of a tool that may give up (JudgeWithin); nil otherwise
	texts arena

	seen  []uint32 // generation in which a literal was seen, by literal
	gen   uint32
	cands []int32 // rules that need a closer look

	folded     []byte // the message
	foldedHost []byte
	addrs      [2]netip.Addr
	addrCount  int
	haveText, haveHost, haveAddrs,
	ascii bool
}

// NewScratch makes the memory for one worker.
func (s *Set) NewScratch() *Scratch {
	return &Scratch{seen: make([]uint32, len(s.literals)), cands: make([]int32, 0, 64), folded: make([]byte, 0, 1024)}
}

func (sc *Scratch) begin(s *Set, e *event.Event, now int64) {
	sc.event, sc.now = e, now
	sc.haveText, sc.haveHost, sc.haveAddrs = false, false, false
	sc.cands = sc.cands[:0]
	sc.gen++
	if len(sc.seen) < len(s.literals) || sc.gen == 0 {
		sc.seen, sc.gen = make([]uint32, len(s.literals)), 1
	}
	sc.ascii = isASCII(e.Message)
}

// message gives the folded message.
func (sc *Scratch) message() string {
	if !sc.haveText {
		sc.folded, sc.haveText = appendFold(sc.folded[:0], sc.event.Message), true
	}
	return viewString(sc.folded)
}

// hostname returns the identity of the host.
func (sc *Scratch) hostname() string {
	if !sc.haveHost {
		sc.foldedHost, sc.haveHost = event.AppendFoldedHost(sc.foldedHost[:0], sc.event.Hostname), true
	}
	return viewString(sc.foldedHost)
}

// addresses gives the source address, and the hostname when it is an address.
func (sc *Scratch) addresses() (addrs [2]netip.Addr, n int) {
	if !sc.haveAddrs {
		sc.addrCount, sc.haveAddrs = 0, true
		for _, s := range [...]string{sc.event.SourceIP, sc.event.Hostname} {
			if a, ok := parseAddr(s); ok {
				sc.addrs[sc.addrCount] = a
				sc.addrCount++
			}
		}
	}
	return sc.addrs, sc.addrCount
}

// Match gives the rule that wins for e at now (Unix µs), or ok false. The rule is shared: do not change it.
func (s *Set) Match(e *event.Event, now int64, sc *Scratch) (r *Rule, ok bool) {
	rank := s.winner(e, now, sc)
	if rank == noRank {
		return nil, false
	}
	return s.rules[rank].rule, true
}

// winner gives the best rank that matches, or noRank.
func (s *Set) winner(e *event.Event, now int64, sc *Scratch) int32 {
	sc.begin(s, e, now)
	best := int32(noRank)
	if e.TrapOID != "" && len(s.oids) > 0 {
		best = s.byOID(sc, best)
	}
	if len(s.equals) > 0 {
		for _, rank := range s.equals[sc.message()] {
			if rank >= best {
				break
			}
			if s.rules[rank].holds(sc) {
				best = rank
			}
		}
	}
	if len(s.literals) > 0 {
		best = s.scan(sc, best)
	}
	return s.closerLook(sc, best)
}

// byOID looks at the rules with a trap_oid; those that have a text too are left for the closer look.
func (s *Set) byOID(sc *Scratch, best int32) int32 {
	s.oids.each(sc.event.TrapOID, func(ranks []int32) {
		for _, rank := range ranks {
			if rank >= best {
				return
			}
			if c := &s.rules[rank]; c.text != nil {
				sc.cands = append(sc.cands, rank)
			} else if c.holds(sc) {
				best = rank
			}
		}
	})
	return best
}

// scan runs the automaton over the message. An ASCII message is folded by the class table on the way.
//
// Two states run over the two halves of the text at once, because each step waits for a load. The halves
// overlap by one byte less than the longest literal, so that every occurrence lies within one of them.
func (s *Set) scan(sc *Scratch, best int32) int32 {
	text := sc.event.Message
	if !sc.ascii {
		text = sc.message()
	}
	a := s.auto
	half := min((len(text)+a.longest)/2, len(text))
	head, tail := text[:half], text[len(text)-half:]
	if half == len(text) {
		tail = ""
	}
	var one, two uint32
	for i := 0; i < len(tail); {
		i, one, two = a.run(head, tail, i, one, two)
		best = s.hit(sc, two, s.hit(sc, one, best))
		one, two = one&^ends, two&^ends
	}
	for i := len(tail); i < len(head); i++ {
		one = a.step(one, a.class[head[i]])
		best = s.hit(sc, one, best)
		one &^= ends
	}
	return best
}

// hit deals with every literal that ends in a cell's state and can still lead to a better rule.
func (s *Set) hit(sc *Scratch, cell uint32, best int32) int32 {
	if cell&ends == 0 {
		return best
	}
	a := s.auto
	state := cell &^ ends >> a.shift
	if a.lit[state] < 0 {
		state = a.nodes[state].next
	}
	for ; state != 0 && a.nodes[state].best < best; state = a.nodes[state].next {
		id := a.lit[state]
		if sc.seen[id] == sc.gen {
			continue
		}
		sc.seen[id] = sc.gen
		l := &s.literals[id]
		for _, rank := range l.direct {
			if rank >= best {
				break
			}
			if s.rules[rank].holds(sc) {
				best = rank
			}
		}
		for _, rank := range l.leads {
			if rank >= best {
				break
			}
			sc.cands = append(sc.cands, rank)
		}
	}
	return best
}

// closerLook tries the candidates and the rules without literals, in the order of rank, until one matches.
func (s *Set) closerLook(sc *Scratch, best int32) int32 {
	slices.Sort(sc.cands)
	cands, always, last := sc.cands, s.always, int32(-1)
	for len(cands) > 0 || len(always) > 0 {
		var rank int32
		if len(always) == 0 || len(cands) > 0 && cands[0] < always[0] {
			rank, cands = cands[0], cands[1:]
		} else {
			rank, always = always[0], always[1:]
		}
		if rank >= best || sc.over() {
			break
		}
		if c := &s.rules[rank]; rank != last && c.holds(sc) && sc.saw(c.clauses) && c.text.match(sc) {
			return rank
		}
		last = rank
	}
	return best
}

// saw reports whether one literal of every clause was seen. A literal that was skipped because it could not
// lead to a better rule can only be missing for rules that lost already.
func (sc *Scratch) saw(clauses [][]int32) bool {
	for _, clause := range clauses {
		if !slices.ContainsFunc(clause, func(id int32) bool { return sc.seen[id] == sc.gen }) {
			return false
		}
	}
	return true
}

// holds checks what does not depend on the message or OID.
func (c *compiled) holds(sc *Scratch) bool {
	return c.severities&severityBit(sc.event.Severity) != 0 &&
		(c.source == event.SourceUnknown || c.source == sc.event.Source) &&
		sc.now >= c.from && sc.now < c.until && c.host.holds(sc)
}

// severityBit gives the bit of a severity; anything outside 0..7 counts as absent.
func severityBit(severity int8) uint16 {
	if severity < 0 || severity > 7 {
		return 1 << 8
	}
	return 1 << severity
}
