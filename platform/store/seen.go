package store

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/muttproject/mutt/platform/event"
)

// maxSeenLooks bounds a walk among names that begin alike; each look is one or two of an index.
const maxSeenLooks = 60

// HostsSeen returns at most n hosts, in the order of their names, that begin with prefix, in any case of the ASCII letters, and that have had an
// event since then. Like spellings it walks along the index of names: no rows are counted, however many there are. Names are looked for as
// prefix is written, in small letters and in capitals. It gives up, with what it has, after maxSeenLooks names.
func (s *Store) HostsSeen(ctx context.Context, prefix string, since time.Time, n int) (found []string, err error) {
	start := idFloor(since)
	known := map[string]bool{}
	err = s.read(ctx, "look for hosts", func(q querier) error {
		for _, begin := range slices.Compact(slices.Sorted(slices.Values([]string{prefix, event.FoldHost(prefix), upperASCII(prefix)}))) {
			last := ""
			for range maxSeenLooks {
				var name string
				err := q.QueryRowContext(ctx, `SELECT hostname FROM event_audit WHERE hostname >= $1 AND hostname > $2 ORDER BY hostname LIMIT 1`, begin, last).Scan(&name)
				if errors.Is(err, sql.ErrNoRows) || err == nil && !strings.HasPrefix(name, begin) {
					break
				}
				if err != nil {
					return err
				}
				last = name
				if identity := event.FoldHost(name); !known[identity] {
					var there int
					err := q.QueryRowContext(ctx, `SELECT 1 FROM event_audit WHERE hostname = $1 AND id >= $2 LIMIT 1`, name, s.dialect.id(&start)).Scan(&there)
					if err != nil && !errors.Is(err, sql.ErrNoRows) {
						return err
					}
					if known[identity] = err == nil; err == nil {
						found = append(found, name)
					}
				}
				if len(found) == n {
					return nil
				}
			}
		}
		return nil
	})
	slices.SortFunc(found, func(a, b string) int { return strings.Compare(event.FoldHost(a), event.FoldHost(b)) })
	return found, err
}

// upperASCII writes the ASCII letters of a name as capitals.
func upperASCII(name string) string {
	b := []byte(name)
	for i := range b {
		b[i] = upperByte(b[i])
	}
	return string(b)
}
