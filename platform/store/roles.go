package store

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// Where another role than that of the processes owns the tables on PostgreSQL, the processes cannot drop the triggers of
// the change audit, edit its rows or change the schema. They own event_audit alone, whose partitions they add and drop.

// runtimeRights lists what a process needs, by table.
func runtimeRights() map[string]string {
	const all = "SELECT, INSERT, UPDATE, DELETE"
	return map[string]string{
		"revisions": "SELECT, UPDATE", "config_audit_log": "SELECT, INSERT", "config_audit_anchors": "SELECT, INSERT", "goose_db_version": "SELECT",
		"alert_rules": all, "development_hosts": all, "device_teams": all, "dynamic_config": all, "api_keys": all, "secret_rotations": all,
		"ui_sessions": all, "ledger_batches": all, "ledger": all, "folded_counts": all, "unhandled_counters": all, "unhandled_entries": all,
	}
}

// Grant makes a role that of the processes: it owns event_audit and its partitions, and gets what it needs of the rest. The
// caller owns the tables and is a member of the role. "" stands for the role that owns event_audit already; if
// that is the caller, one role does both, and nothing is done. On SQLite it does nothing.
func (s *Store) Grant(ctx context.Context, role string) error {
	if !s.partitioned() {
		return nil
	}
	have, err := s.partitions(ctx, `0, 0`)
	if err != nil {
		return err
	}
	return s.write(ctx, "grant the rights of the processes", func(tx *sql.Tx) error {
		var owner, me, schema string
		if err := tx.QueryRowContext(ctx, `SELECT pg_get_userbyid(c.relowner), current_user, n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
			WHERE c.oid = 'event_audit'::regclass`).Scan(&owner, &me, &schema); err != nil {
			return err
		}
		if role == "" {
			role = owner
		}
		if role == me {
			return nil
		}
		to := pgx.Identifier{role}.Sanitize()
		in := pgx.Identifier{schema}.Sanitize()
		statements := []string{`GRANT USAGE, CREATE ON SCHEMA ` + in + ` TO ` + to, `ALTER TABLE event_audit OWNER TO ` + to}
		for _, p := range have {
			statements = append(statements, `ALTER TABLE `+p.Name+` OWNER TO `+to)
		}
		for table, rights := range runtimeRights() {
			statements = append(statements, fmt.Sprintf(`REVOKE ALL ON %s FROM %s`, table, to), fmt.Sprintf(`GRANT %s ON %s TO %s`, rights, table, to))
		}
		return exec(ctx, tx, statements...)
	})
}

// RoleWarning says what the database cannot prove because the role of this process may do more than it needs with the
// change audit; "" for nothing.
func (s *Store) RoleWarning(ctx context.Context) (string, error) {
	if !s.partitioned() {
		return "", nil
	}
	var owns bool
	err := s.reader.QueryRowContext(ctx, `SELECT pg_has_role(current_user, c.relowner, 'MEMBER') OR pg_has_role(current_user, n.nspowner, 'MEMBER')
		OR has_table_privilege(c.oid, 'UPDATE, DELETE, TRUNCATE, TRIGGER') FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE c.oid = 'config_audit_log'::regclass`).Scan(&owns)
	if err != nil || !owns {
		return "", s.fail(ctx, err, "read the rights on the change audit")
	}
	return "the role of this process owns the change audit in PostgreSQL and could drop its triggers: the database cannot prove that nobody edited it; " +
		"let another role own the schema (docs/guides/scaling.md), or keep audit heads elsewhere", nil
}
