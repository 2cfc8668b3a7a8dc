package store

import (
	"context"
	"database/sql"
	"time"

	"github.com/muttproject/mutt/platform/event"
)

// Sessions are not configuration: they are written beside Change, and nobody is told by a revision. A session is looked
// up at each use.

const sessionColumns = `token_hash, key_hash, name, role, created_at, seen_at, expires_at`

func scanSession(rows *sql.Rows, s *Session) error {
	var created, seen, expires int64
	if err := rows.Scan(&s.TokenHash, &s.KeyHash, &s.Name, &s.Role, &created, &seen, &expires); err != nil {
		return err
	}
	s.CreatedAt, s.SeenAt, s.ExpiresAt = event.Time(created), event.Time(seen), event.Time(expires)
	return nil
}

// CreateSession stores a new session.
func (s *Store) CreateSession(ctx context.Context, n Session) error {
	return s.execSession(ctx, "open a session", `INSERT INTO ui_sessions (`+sessionColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		n.TokenHash, nullBytes(n.KeyHash), n.Name, n.Role, event.Micros(n.CreatedAt), event.Micros(n.SeenAt), event.Micros(n.ExpiresAt))
}

// Session reads the session of a token's hash; nil when there is none.
func (s *Store) Session(ctx context.Context, tokenHash []byte) (*Session, error) {
	ctx, done := s.patient(ctx)
	defer done()
	found, err := first(list(ctx, s.reader, scanSession, `SELECT `+sessionColumns+` FROM ui_sessions WHERE token_hash = $1`, tokenHash))
	return found, s.fail(ctx, err, "read a session")
}

// SeeSession notes that a session was used.
func (s *Store) SeeSession(ctx context.Context, tokenHash []byte, at time.Time) error {
	return s.execSession(ctx, "note the use of a session", `UPDATE ui_sessions SET seen_at = $1 WHERE token_hash = $2 AND seen_at < $1`, event.Micros(at), tokenHash)
}

// DeleteSession ends a session; one that is not there is fine.
func (s *Store) DeleteSession(ctx context.Context, tokenHash []byte) error {
	return s.execSession(ctx, "end a session", `DELETE FROM ui_sessions WHERE token_hash = $1`, tokenHash)
}

// PruneSessions deletes the sessions that have reached their greatest age by now.
func (s *Store) PruneSessions(ctx context.Context, now time.Time) error {
	return s.execSession(ctx, "prune sessions", `DELETE FROM ui_sessions WHERE expires_at <= $1`, event.Micros(now))
}

func (s *Store) execSession(ctx context.Context, doing, statement string, args ...any) error {
	ctx, done := s.patient(ctx)
	defer done()
	return s.write(ctx, doing, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, statement, args...)
		return err
	})
}
