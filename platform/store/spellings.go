package store

import (
	"context"
	"database/sql"
	"errors"

	"github.com/muttproject/mutt/platform/event"
)

// A host is one identity, and the audit keeps the spelling of each event under an index by bytes. The spellings of a host
// are found by a walk along that index: from the least spelling that a name can have, each look returns the next stored
// name, and the next look begins at the least spelling after that one. So a walk takes a look for each spelling and for
// each place where another name stands between two, a few in all, and neither rows nor an index were added for it: rows
// of all versions are found alike (docs/adr/0028-one-host-one-identity.md).

const (
	// maxSpellings is how many spellings of a host are looked for by the index; relays and people make two or three.
	maxSpellings = 8
	// maxLooks bounds a walk among names that were made to prolong it.
	maxLooks = 100
)

// spellings returns the stored spellings of a host, in the order of their bytes. next returns the least stored name that is
// not less than from. The result is not whole when there are too many spellings, or too many other names between them.
func spellings(ctx context.Context, name string, next func(ctx context.Context, from string) (string, error)) (found []string, whole bool, err error) {
	identity := event.FoldHost(name)
	from, more := leastSpelling(identity, "")
	for range maxLooks {
		if !more {
			return found, true, nil
		}
		stored, err := next(ctx, from)
		if errors.Is(err, sql.ErrNoRows) {
			return found, true, nil
		}
		if err != nil {
			return nil, false, err
		}
		if event.SameHost(stored, identity) {
			if len(found) == maxSpellings {
				return found, false, nil
			}
			found = append(found, stored)
		}
		from, more = leastSpelling(identity, stored+"\x00")
	}
	return found, false, nil
}

// leastSpelling returns the least spelling of a host, by bytes, that is not less than from; ok is false when there is none.
func leastSpelling(identity, from string) (least string, ok bool) {
	spelling := []byte(identity)
	// capitals completes a spelling that is greater than from already, whatever follows.
	capitals := func(i int) (string, bool) {
		for ; i < len(spelling); i++ {
			spelling[i] = upperByte(identity[i])
		}
		return string(spelling), true
	}
	raise := -1 // the last place where from has a capital, in whose place a small letter would be greater
	// raised is for a from that is greater than all spellings that begin as it does.
	raised := func() (string, bool) {
		if raise < 0 {
			return "", false
		}
		spelling[raise] = identity[raise]
		return capitals(raise + 1)
	}
	for i := range spelling {
		if i == len(from) {
			return capitals(i)
		}
		small, capital := identity[i], upperByte(identity[i])
		switch c := from[i]; {
		case c == small:
		case c == capital:
			spelling[i], raise = capital, i
		case c < capital:
			return capitals(i)
		case c < small:
			return capitals(i + 1)
		default:
			return raised()
		}
	}
	if len(from) > len(spelling) {
		return raised()
	}
	return string(spelling), true
}

// upperByte returns the capital of an ASCII letter, and any other byte as it is.
func upperByte(c byte) byte {
	if 'a' <= c && c <= 'z' {
		return c - ('a' - 'A')
	}
	return c
}
