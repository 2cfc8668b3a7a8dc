package store

import (
	"context"
	"fmt"
	"strings"
)

// Limits of lists.
const (
	defaultLimit = 50
	maxLimit     = 1000
	// exactTotal is up to where the total of a list is counted; above it is estimated.
	exactTotal = 10_000
)

func pageLimit(n int) int {
	if n <= 0 {
		return defaultLimit
	}
	return min(n, maxLimit)
}

// filter collects conditions on the rows of a table, all of which must hold, and their parameters.
type filter struct {
	table string
	hosts []string // the parameters of a host's spellings, none for all hosts
	conds []string
	args  []any
}

// add adds a condition in which %d stands for the number of the parameter.
func (f *filter) add(cond string, arg any) {
	f.args = append(f.args, arg)
	f.conds = append(f.conds, fmt.Sprintf(cond, len(f.args)))
}

// text adds a condition unless value is empty.
func (f *filter) text(cond, value string) {
	if value != "" {
		f.add(cond, value)
	}
}

// and returns a copy, to which more conditions can be added.
func (f *filter) and() *filter {
	return &filter{table: f.table, hosts: f.hosts, conds: append([]string(nil), f.conds...), args: append([]any(nil), f.args...)}
}

// host adds the condition that a row is of a host with these spellings, of which there is at least one.
func (f *filter) host(spellings []string) {
	for _, s := range spellings {
		f.args = append(f.args, s)
		f.hosts = append(f.hosts, fmt.Sprintf("$%d", len(f.args)))
	}
}

// where returns the conditions, for some of the host's spellings.
func (f *filter) where(hosts ...string) string {
	conds := f.conds
	if len(hosts) > 0 {
		conds = append([]string{"hostname IN (" + strings.Join(hosts, ", ") + ")"}, conds...)
	}
	if len(conds) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(conds, " AND ")
}

// byID returns the query for rows in the order of their ids ("DESC" for the newest first). An index has the rows of one
// spelling in this order, and no database merges several by itself: it would read and sort all rows of the host.
func (f *filter) byID(columns, order string, limit, offset int) string {
	if len(f.hosts) < 2 {
		return fmt.Sprintf("SELECT %s FROM %s%s ORDER BY id %s LIMIT %d OFFSET %d", columns, f.table, f.where(f.hosts...), order, limit, offset)
	}
	parts := make([]string, len(f.hosts))
	for i, host := range f.hosts {
		parts[i] = fmt.Sprintf("SELECT * FROM (SELECT %s FROM %s%s ORDER BY id %s LIMIT %d) AS spelling", columns, f.table, f.where(host), order, limit+offset)
	}
	return fmt.Sprintf("%s ORDER BY id %s LIMIT %d OFFSET %d", strings.Join(parts, " UNION ALL "), order, limit, offset)
}

// count counts the rows up to exactTotal + 1.
func (f *filter) count(ctx context.Context, q querier) (n int64, err error) {
	err = q.QueryRowContext(ctx, fmt.Sprintf(`SELECT count(*) FROM (SELECT 1 FROM %s%s LIMIT %d) AS bounded`,
		f.table, f.where(f.hosts...), exactTotal+1), f.args...).Scan(&n)
	return n, err
}
