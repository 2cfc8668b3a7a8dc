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

// filter collects conditions, all of which must hold, and their parameters.
type filter struct {
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

// and gives a copy with more conditions.
func (f *filter) and() *filter {
	return &filter{conds: append([]string(nil), f.conds...), args: append([]any(nil), f.args...)}
}

func (f *filter) where() string {
	if len(f.conds) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(f.conds, " AND ")
}

// count counts the rows of a table up to exactTotal + 1.
func (f *filter) count(ctx context.Context, q querier, table string) (n int64, err error) {
	err = q.QueryRowContext(ctx, fmt.Sprintf(`SELECT count(*) FROM (SELECT 1 FROM %s%s LIMIT %d) AS bounded`,
		table, f.where(), exactTotal+1), f.args...).Scan(&n)
	return n, err
}
