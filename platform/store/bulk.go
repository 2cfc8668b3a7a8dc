package store

import (
	"context"
	"database/sql"
	"strings"
)

// bulk inserts many rows with few statements: one text for each of a few fixed numbers of rows, prepared once.
type bulk struct {
	columns int
	sizes   []int // rows of a statement, falling, down to 1
	texts   []string
}

// newBulk makes the texts of INSERT INTO head VALUES (…), (…) tail.
func newBulk(d dialect, head, tail string, columns int, sizes ...int) bulk {
	b := bulk{columns: columns, sizes: sizes}
	for _, rows := range sizes {
		var sb strings.Builder
		sb.WriteString(d.bulkInsert + head + " VALUES ")
		for i := range rows * columns {
			switch {
			case i == 0:
				sb.WriteByte('(')
			case i%columns == 0:
				sb.WriteString("), (")
			default:
				sb.WriteString(", ")
			}
			sb.WriteString(d.bulkMark(i + 1))
		}
		sb.WriteString(") " + tail)
		b.texts = append(b.texts, sb.String())
	}
	return b
}

// run cuts args, rows of columns, into statements and gives each to do.
func (b *bulk) run(args []any, stmts []*sql.Stmt, do func(*sql.Stmt, []any) error) error {
	for i, rows := range b.sizes {
		for n := rows * b.columns; len(args) >= n; args = args[n:] {
			if err := do(stmts[i], args[:n]); err != nil {
				return err
			}
		}
	}
	return nil
}

// exec inserts rows.
func (b *bulk) exec(ctx context.Context, tx *sql.Tx, args []any, stmts []*sql.Stmt) error {
	return b.run(args, stmts, func(st *sql.Stmt, part []any) error {
		_, err := tx.StmtContext(ctx, st).ExecContext(ctx, part...)
		return err
	})
}
