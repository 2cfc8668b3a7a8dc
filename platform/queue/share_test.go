package queue

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

const leaseTTL = 5 * time.Second

// cast is a storage and its consumers in virtual time; one step is the time between two looks.
type cast struct {
	now        time.Time
	partitions int
	members    []*player // in the order of joining
	leases     []lot
	roster     []entered // in the order of joining
	born       int
	moves      int
}

type lot struct {
	by    string
	until time.Time
}

type entered struct {
	Member
	until time.Time
}

// player is one consumer.
type player struct {
	*share
	tenures []*tenure
	sick    bool // announces itself and takes nothing
}

func newCast(partitions int) *cast {
	return &cast{now: time.Unix(1000, 0), partitions: partitions, leases: make([]lot, partitions)}
}

func (c *cast) join(sick bool) *player {
	c.born++
	p := &player{share: newShare(fmt.Sprintf("m%d", 1000-c.born), c.partitions, leaseTTL, true), sick: sick}
	c.members = append(c.members, p)
	c.look(p)
	return p
}

func (c *cast) kill(i int) { c.members = slices.Delete(c.members, i, i+1) }

func (c *cast) stop(i int) {
	p := c.members[i]
	for _, t := range p.tenures {
		c.leases[t.partition] = lot{}
	}
	c.roster = slices.DeleteFunc(c.roster, func(e entered) bool { return e.Name == p.name })
	c.kill(i)
}

// look announces a consumer; what is to be given up is free at once.
func (c *cast) look(p *player) {
	c.roster = slices.DeleteFunc(c.roster, func(e entered) bool { return c.now.After(e.until) })
	i := slices.IndexFunc(c.roster, func(e entered) bool { return e.Name == p.name })
	if i < 0 {
		i = len(c.roster)
		c.roster = append(c.roster, entered{})
	}
	c.roster[i] = entered{p.member(), c.now.Add(leaseTTL)}
	var seen []Member
	for _, e := range c.roster {
		seen = append(seen, e.Member)
	}
	for _, t := range p.learn(seen, c.now) {
		c.leases[t.partition] = lot{}
		c.drop(p, t)
	}
}

func (c *cast) drop(p *player, t *tenure) {
	c.moves++
	p.drop(t)
	p.tenures = slices.DeleteFunc(p.tenures, func(u *tenure) bool { return u == t })
}

// work renews what a consumer holds and tries what it may take, beginning anywhere; what it took it announces.
func (c *cast) work(p *player, first int) {
	for _, t := range slices.Clone(p.tenures) {
		if l := &c.leases[t.partition]; l.by == p.name && !c.now.After(l.until) {
			l.until = c.now.Add(leaseTTL)
		} else {
			c.drop(p, t)
		}
	}
	for i := range c.partitions {
		part := (first + i) % c.partitions
		if p.sick || slices.ContainsFunc(p.tenures, func(t *tenure) bool { return t.partition == part }) {
			continue
		}
		t := p.take(part, c.now)
		if t == nil {
			continue
		}
		if l := &c.leases[part]; l.by == "" || c.now.After(l.until) {
			*l = lot{p.name, c.now.Add(leaseTTL)}
			p.began(t, func() {})
			p.tenures = append(p.tenures, t)
			c.moves++
		} else {
			p.drop(t)
		}
	}
	select {
	case <-p.changed:
		c.look(p)
	default:
	}
}

// step lets everybody act once, in any order; while the storage is away nobody succeeds.
func (c *cast) step(order []int, away bool) {
	c.now = c.now.Add(lookEvery(leaseTTL))
	for _, i := range order {
		if i >= len(c.members) {
			continue
		}
		if p := c.members[i]; away {
			p.blind()
		} else {
			c.look(p)
			c.work(p, i)
		}
	}
}

func (c *cast) settle(steps int) {
	for range steps {
		order := make([]int, len(c.members))
		for i := range order {
			order[i] = i
		}
		c.step(order, false)
	}
}

// holders gives who works on each partition, and fails when two do.
func (c *cast) holders(t *rapid.T) []string {
	by := make([]string, c.partitions)
	for _, p := range c.members {
		for _, u := range p.tenures {
			if by[u.partition] != "" {
				t.Fatalf("partition %d is in two hands", u.partition)
			}
			by[u.partition] = p.name
		}
	}
	return by
}

// TestSharesConverge: whatever came before, the living soon hold everything, evenly, and then nothing moves any more.
func TestSharesConverge(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := newCast(rapid.IntRange(1, 9).Draw(t, "partitions"))
		any := func() int { return rapid.IntRange(0, len(c.members)-1).Draw(t, "who") }
		for range rapid.IntRange(0, 40).Draw(t, "actions") {
			switch act := rapid.IntRange(0, 6).Draw(t, "action"); {
			case act == 0 || len(c.members) == 0:
				c.join(false)
			case act == 1:
				c.kill(any())
			case act == 2:
				c.stop(any())
			default:
				c.step(rapid.Permutation([]int{0, 1, 2, 3, 4, 5, 6, 7}).Draw(t, "order"), act == 3)
			}
		}
		if len(c.members) == 0 {
			c.join(false)
		}
		c.settle(12)
		for p, name := range c.holders(t) {
			if name == "" {
				t.Fatalf("nobody holds partition %d", p)
			}
		}
		c.settle(60) // what was taken over the quota, because those who should have it died one after the other, is given up
		even(t, c, c.holders(t))
		moves := c.moves
		c.settle(100)
		if c.moves != moves {
			t.Fatalf("%d moves without a cause", c.moves-moves)
		}
	})
}

// even fails unless everything is held, by each its floor or ceiling.
func even(t *rapid.T, c *cast, by []string) {
	count := map[string]int{}
	for p, name := range by {
		if name == "" {
			t.Fatalf("nobody holds partition %d", p)
		}
		count[name]++
	}
	for _, m := range c.members {
		if n, floor := count[m.name], c.partitions/len(c.members); n != floor && n != floor+1 {
			t.Fatalf("%s holds %d of %d, %d are alive", m.name, n, c.partitions, len(c.members))
		}
	}
}

// TestDeathMovesOnlyWhatWasHeld and is over within 10 s.
func TestDeathMovesOnlyWhatWasHeld(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := newCast(rapid.IntRange(1, 9).Draw(t, "partitions"))
		for range rapid.IntRange(2, 6).Draw(t, "members") {
			c.join(false)
		}
		c.settle(20)
		before := c.holders(t)
		dead := rapid.IntRange(0, len(c.members)-1).Draw(t, "dead")
		name := c.members[dead].name
		c.kill(dead)
		c.settle(9)
		after := c.holders(t)
		even(t, c, after)
		for p := range before {
			if before[p] != name && before[p] != after[p] {
				t.Fatalf("partition %d moved from %s to %s when %s died", p, before[p], after[p], name)
			}
		}
	})
}

// TestNobodyWaitsForTheSick: what one does not take though it should, others take after a grace, and keep for a while.
func TestNobodyWaitsForTheSick(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := newCast(rapid.IntRange(1, 9).Draw(t, "partitions"))
		for range rapid.IntRange(0, 3).Draw(t, "sick") {
			c.join(true)
		}
		c.join(false)
		for range rapid.IntRange(0, 3).Draw(t, "more sick") {
			c.join(true)
		}
		c.settle(15)
		for p, name := range c.holders(t) {
			if name == "" {
				t.Fatalf("nobody holds partition %d", p)
			}
		}
		moves := c.moves
		c.settle(40)
		if c.moves != moves {
			t.Fatalf("%d moves within a minute", c.moves-moves)
		}
		for _, m := range c.members {
			m.sick = false
		}
		c.settle(80)
		even(t, c, c.holders(t))
	})
}
