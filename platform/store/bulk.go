package store

import (
	"context"
	"database/sql"
	"strings"

	"github.com/muttproject/mutt/platform/event"
)

// bulk works on many rows with few statements: one text for each of a few fixed numbers of rows, prepared once.
type bulk struct {
	columns int
	sizes   []int // rows of a statement, falling, down to 1
	texts   []string
}

// newBulk makes the texts of INSERT INTO head VALUES (…), (…) tail.
func newBulk(d dialect, head, tail string, columns int, sizes ...int) bulk {
	return newChunks(d, [3]string{d.bulkInsert + head + " VALUES ", "", " " + tail}, columns, sizes)
}

// newLookup makes the texts of head IN ((…), (…)) tail, for rows of one column.
func newLookup(d dialect, head, tail string, sizes ...int) bulk {
	return newChunks(d, [3]string{head + " IN (", "", ") " + tail}, 1, sizes)
}

// newChunks makes texts of three pieces: what is before the rows, at the end of each row, and after the rows.
func newChunks(d dialect, piece [3]string, columns int, sizes []int) bulk {
	b := bulk{columns: columns, sizes: sizes}
	for _, rows := range sizes {
		var sb strings.Builder
		sb.WriteString(piece[0])
		for i := range rows * columns {
			switch {
			case i == 0:
				sb.WriteByte('(')
			case i%columns == 0:
				sb.WriteString(piece[1] + "), (")
			default:
				sb.WriteString(", ")
			}
			sb.WriteString(d.bulkMark(i + 1))
		}
		sb.WriteString(piece[1] + ")" + piece[2])
		b.texts = append(b.texts, sb.String())
	}
	return b
}

// halves gives the sizes n, n/2 … 1: few statements for any number of rows.
func halves(n int) (sizes []int) {
	for ; n > 0; n /= 2 {
		sizes = append(sizes, n)
	}
	return sizes
}

// run cuts args, rows of columns, into statements and gives each to do.
func (b *bulk) run(args []any, stmts []statement, do func(statement, []any) error) error {
	for i, rows := range b.sizes {
		for n := rows * b.columns; len(args) >= n; args = args[n:] {
			if err := do(stmts[i], args[:n]); err != nil {
				return err
			}
		}
	}
	return nil
}

// exec writes rows.
func (b *bulk) exec(ctx context.Context, tx *sql.Tx, args []any, stmts []statement) error {
	return b.run(args, stmts, func(st statement, part []any) error {
		_, err := st.exec(ctx, tx, part)
		return err
	})
}

// query gives scan every row that the statements return, in no order.
func (b *bulk) query(ctx context.Context, tx *sql.Tx, args []any, stmts []statement, scan func(*sql.Rows) error) error {
	return b.run(args, stmts, func(st statement, part []any) error {
		rows, err := st.query(ctx, tx, part)
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }() // Err tells what went wrong
		for rows.Next() {
			if err := scan(rows); err != nil {
				return err
			}
		}
		return rows.Err()
	})
}

// marked inserts rows with RETURNING id, and gives the ids that were new.
func (b *bulk) marked(ctx context.Context, tx *sql.Tx, args []any, stmts []statement) (map[event.ID]bool, error) {
	fresh := make(map[event.ID]bool, len(args)/b.columns)
	var id event.ID
	err := b.query(ctx, tx, args, stmts, func(rows *sql.Rows) error {
		err := rows.Scan(&id)
		if err == nil {
			fresh[id] = true
		}
		return err
	})
	return fresh, err
}

// preparedBulks gives the statements of each of bulks. Like prepared, it must be called outside a transaction.
func (s *Store) preparedBulks(ctx context.Context, bulks ...*bulk) ([][]statement, error) {
	var texts []string
	for _, b := range bulks {
		texts = append(texts, b.texts...)
	}
	stmts, err := s.prepared(ctx, texts...)
	if err != nil {
		return nil, err
	}
	out := make([][]statement, len(bulks))
	for i, b := range bulks {
		n := len(b.texts)
		out[i], stmts = stmts[:n], stmts[n:]
	}
	return out, nil
}
