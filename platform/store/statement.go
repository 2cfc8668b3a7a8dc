package store

import (
	"context"
	"database/sql"
)

// statement is a text that is used again and again. stmt is nil where the driver keeps the statements of a connection
// by their text.
type statement struct {
	text string
	stmt *sql.Stmt
}

func (st statement) exec(ctx context.Context, tx *sql.Tx, args []any) (sql.Result, error) {
	if st.stmt == nil {
		return tx.ExecContext(ctx, st.text, args...)
	}
	return tx.StmtContext(ctx, st.stmt).ExecContext(ctx, args...)
}

func (st statement) query(ctx context.Context, tx *sql.Tx, args []any) (*sql.Rows, error) {
	if st.stmt == nil {
		return tx.QueryContext(ctx, st.text, args...)
	}
	return tx.StmtContext(ctx, st.stmt).QueryContext(ctx, args...)
}

// prepared gives the statements of texts, made once. It must be called outside a transaction: the writer of SQLite
// has one connection.
func (s *Store) prepared(ctx context.Context, texts ...string) ([]statement, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]statement, len(texts))
	for i, text := range texts {
		out[i].text = text
		if !s.dialect.prepares {
			continue
		}
		st, ok := s.stmts[text]
		if !ok {
			var err error
			if st, err = s.writer.PrepareContext(ctx, text); err != nil {
				return nil, s.fail(ctx, err, "prepare a statement")
			}
			s.stmts[text] = st
		}
		out[i].stmt = st
	}
	return out, nil
}
