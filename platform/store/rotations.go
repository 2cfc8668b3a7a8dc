package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"strconv"

	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/rotation"
)

const rotationColumns = `subject, id, step, base, staged, promoted, started_at, started_by, updated_at, updated_by, revision`

func scanRotation(rows *sql.Rows, s *rotation.State) error {
	var started, updated int64
	if err := rows.Scan(&s.Subject, &s.ID, &s.Step, &s.Base, &s.Staged, &s.Promoted, &started, &s.StartedBy, &updated, &s.UpdatedBy, &s.Revision); err != nil {
		return err
	}
	s.StartedAt, s.UpdatedAt = event.Time(started), event.Time(updated)
	return nil
}

// Rotations gives the last rotation of each secret that ever had one, by subject.
func (s *Store) Rotations(ctx context.Context) ([]rotation.State, error) {
	out, err := list(ctx, s.reader, scanRotation, `SELECT `+rotationColumns+` FROM secret_rotations ORDER BY subject`)
	return out, s.fail(ctx, err, "read the rotations of secrets")
}

// Rotation gives the last rotation of a secret as this change sees it, nil when there was none.
func (t *Tx) Rotation(subject rotation.Subject) (*rotation.State, error) {
	return first(list(t.ctx, t.tx, scanRotation, `SELECT `+rotationColumns+` FROM secret_rotations WHERE subject = $1`, subject))
}

// PutRotation brings a rotation to its next step, and gives what is stored. One that cannot follow the present state is refused. Who and when
// are this change's.
func (t *Tx) PutRotation(next rotation.State) (rotation.State, error) {
	old, err := t.Rotation(next.Subject)
	if err != nil {
		return next, err
	}
	var before object
	if old != nil {
		before = rotationObject(old)
	}
	if err := next.Follows(old); err != nil {
		return next, err
	}
	next.UpdatedAt, next.UpdatedBy, next.Revision = t.at, t.actor.Name, t.revision
	next.StartedAt, next.StartedBy = t.at, t.actor.Name
	if old.Open() {
		next.StartedAt, next.StartedBy = old.StartedAt, old.StartedBy
	}
	if err := t.exec(`INSERT INTO secret_rotations (`+rotationColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
		ON CONFLICT (subject) DO UPDATE SET id = excluded.id, step = excluded.step, base = excluded.base, staged = excluded.staged,
			promoted = excluded.promoted, started_at = excluded.started_at, started_by = excluded.started_by,
			updated_at = excluded.updated_at, updated_by = excluded.updated_by, revision = excluded.revision`,
		next.Subject, next.ID, next.Step, next.Base, next.Staged, next.Promoted, event.Micros(next.StartedAt), next.StartedBy,
		event.Micros(next.UpdatedAt), next.UpdatedBy, next.Revision); err != nil {
		return next, err
	}
	t.record(TableRotations, string(next.Subject), before, rotationObject(&next), "subject", "id")
	return next, nil
}

func rotationObject(s *rotation.State) object {
	text := func(s string) json.RawMessage { return event.AppendJSONString(nil, s) }
	o := object{"subject": text(string(s.Subject)), "id": text(s.ID), "step": text(string(s.Step))}
	for name, version := range map[string]int64{"base": s.Base, "staged": s.Staged, "promoted": s.Promoted} {
		if version != 0 {
			o[name] = json.RawMessage(strconv.FormatInt(version, 10))
		}
	}
	return o
}
