package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"github.com/pressly/goose/v3"
	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/event"
)

// PartitionPeriod is how much time one partition of the event audit holds, by the time in the ids. A day: a retention
// of 90 days is 90 partitions and drops one a day, and 40,000 events/s make 3.5 billion rows or 1.9 TB of it, where
// those of a month would be above the 32 TB that PostgreSQL can keep in one table.
const PartitionPeriod = 24 * time.Hour

// PartitionsAhead is for how many periods to come there should be a partition: a janitor may be away over a weekend.
const PartitionsAhead = 3

// Partition is one piece of the event audit on PostgreSQL.
type Partition struct {
	Name     string
	From, To time.Time // the times of receipt that it takes, To exclusive; zero for the default partition
	Rows     int64     // PostgreSQL's estimate, -1 when it has none yet
	Bytes    int64     // on disk, with indexes
}

// Default reports whether this is the partition for rows that belong to no other.
func (p Partition) Default() bool { return p.To.IsZero() }

// Partitions lists the partitions of the event audit, oldest first and the default one last; none on SQLite.
func (s *Store) Partitions(ctx context.Context) ([]Partition, error) {
	return s.partitions(ctx, `c.reltuples::bigint, pg_total_relation_size(c.oid)`)
}

// PartitionWarnings says in words when the event audit has no partition for today or tomorrow: its rows then go to the
// default partition, where they are found all the same, but which retention cannot drop.
func (s *Store) PartitionWarnings(ctx context.Context) ([]string, error) {
	have, err := s.partitions(ctx, `0, 0`) // sizes would lock every partition
	if err != nil || !s.partitioned() {
		return nil, err
	}
	for ahead := range 2 {
		if day := periodOf(s.now(), ahead); !covered(have, day) {
			return []string{fmt.Sprintf("the event audit has no partition for %s, its rows go to the default one: is a janitor running?",
				day.Format(time.DateOnly))}, nil
		}
	}
	return nil, nil
}

// EnsurePartitions sees to it that the event audit has a partition for now and for each of the next periods, and
// returns how many it made. It may run in several processes at once and while others write. On SQLite it does nothing.
//
// A period of which DEFAULT holds more rows than can be moved at once is left to DEFAULT, with a warning in the log.
func (s *Store) EnsurePartitions(ctx context.Context, now time.Time, ahead int) (made int, err error) {
	have, err := s.partitions(ctx, `0, 0`)
	if err != nil || !s.partitioned() {
		return 0, err
	}
	for i := range ahead + 1 {
		day := periodOf(now, i)
		if covered(have, day) {
			continue
		}
		o, err := s.addPartition(ctx, day, now)
		switch {
		case err != nil:
			return made, err
		case o == partitionLeft:
			s.log.Warn("the default partition of the event audit holds rows of this day: the day stays there", zap.String("day", day.Format(time.DateOnly)))
		case o == partitionMade:
			made++
		}
	}
	return made, nil
}

func (s *Store) partitioned() bool { return s.dialect.goose == goose.DialectPostgres }

// periodOf gives the begin of the period of now, or of one that many later.
func periodOf(now time.Time, later int) time.Time {
	return now.UTC().Truncate(PartitionPeriod).Add(time.Duration(later) * PartitionPeriod)
}

func partitionName(day time.Time) string { return "event_audit_" + day.Format("20060102") }

func covered(have []Partition, day time.Time) bool {
	for _, p := range have {
		if !p.Default() && !p.From.After(day) && p.To.After(day) {
			return true
		}
	}
	return false
}

// partitions reads the catalogue; measures are the expressions for Rows and Bytes.
func (s *Store) partitions(ctx context.Context, measures string) (out []Partition, err error) {
	if !s.partitioned() {
		return nil, nil
	}
	out, err = list(ctx, s.reader, scanPartition, strings.Replace(listPartitions, "MEASURES", measures, 1))
	return out, s.fail(ctx, err, "list the partitions of the event audit")
}

const listPartitions = `SELECT c.oid::regclass::text, substring(bound FROM 'FROM \(''([0-9a-f-]{36})'), substring(bound FROM 'TO \(''([0-9a-f-]{36})'), MEASURES
	FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid, pg_get_expr(c.relpartbound, c.oid) AS bound
	WHERE i.inhparent = 'event_audit'::regclass ORDER BY 2 NULLS LAST`

func scanPartition(rows *sql.Rows, p *Partition) error {
	var from, to sql.Null[event.ID]
	if err := rows.Scan(&p.Name, &from, &to, &p.Rows, &p.Bytes); err != nil {
		return err
	}
	if from.Valid && to.Valid {
		p.From, p.To = time.UnixMilli(idMillis(from.V)).UTC(), time.UnixMilli(idMillis(to.V)).UTC()
	}
	return nil
}
