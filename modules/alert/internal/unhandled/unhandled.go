// Package unhandled aggregates the events that no rule matched, by host and mask, and words the meta-alert that
// is raised once for each window in which they are too many.
//
// Principles:
//  1. Counting is idempotent by queue entry: a redelivered entry does not count again.
//  2. An entry is aggregated before it is counted: a flood of one message costs one row.
//  3. Once a window's meta-alert is out, its further events change nothing: they are not counted any more.
//  4. A meta-alert's id is a function of host, template and window start, so that a repeat is recognised.
package unhandled

import (
	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/rule"
)

// Tally counts the unhandled events of one entry that share a host and a mask.
type Tally struct {
	Host   string // its identity
	Name   string // one of its spellings
	Mask   string // the template, as rule.AppendMask made it
	Key    string // identity and mask
	Sample string // one of the messages
	Team   string // the host's team
	N      int64
	First  int64 // Unix µs: when the first of them was received
}

// Collector aggregates the events of one entry at a time. It is not safe for concurrent use.
type Collector struct {
	key   []byte
	index map[string]int
}

// Collect appends to dst one tally for each host and mask among the events whose decision is unhandled.
// Name, Sample and Team share memory with the events.
func (c *Collector) Collect(dst []Tally, events []event.Event, decisions []event.Decision) []Tally {
	if c.index == nil {
		c.index = map[string]int{}
	}
	clear(c.index)
	for i := range events {
		if decisions[i].Fate != event.FateUnhandled {
			continue
		}
		e := &events[i]
		c.key = append(event.AppendFoldedHost(c.key[:0], e.Hostname), 0)
		c.key = rule.AppendMask(c.key, e.Message)
		if at, ok := c.index[string(c.key)]; ok {
			dst[at].N++
			dst[at].First = min(dst[at].First, e.ReceivedAt)
			continue
		}
		key := string(c.key)
		c.index[key] = len(dst)
		dst = append(dst, Tally{Host: key[:len(e.Hostname)], Name: e.Hostname, Mask: key[len(e.Hostname)+1:], Key: key, Sample: e.Message,
			Team: decisions[i].Team, N: 1, First: e.ReceivedAt})
	}
	return dst
}
