package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/muttproject/mutt/platform/fault"
)

// Where another role than that of the processes owns the tables on PostgreSQL, the processes cannot drop the triggers of
// the change audit, edit its rows or change the schema. They own event_audit alone, whose partitions they add and drop.

// runtimeRights lists what a process needs, by table.
func runtimeRights() map[string]string {
	const all = "SELECT, INSERT, UPDATE, DELETE"
	return map[string]string{
		"revisions": "SELECT, UPDATE", "config_audit_log": "SELECT, INSERT", "config_audit_anchors": "SELECT, INSERT", "goose_db_version": "SELECT",
		"alert_rules": all, "development_hosts": all, "device_teams": all, "dynamic_config": all, "api_keys": all, "secret_rotations": all,
		"ui_sessions": all, "ledger_batches": all, "ledger": all, "folded_counts": all, "books_closed": all, "rule_hits": all, "rule_hits_pending": all, "unhandled_counters": all, "unhandled_entries": all,
	}
}

// Grant gives the role of the processes its rights: it becomes the owner of event_audit and its partitions, and gets what
// it needs of the other tables. The caller owns the tables and is a member of the role. "" stands for the role that owns
// event_audit already; if one role does both, nothing is done then. A role that is named and could edit the change audit
// all the same is refused with fault.ConfigInvalid. On SQLite Grant does nothing.
func (s *Store) Grant(ctx context.Context, role string) error {
	if !s.partitioned() {
		return nil
	}
	have, err := s.partitions(ctx, `0, 0`)
	if err != nil {
		return err
	}
	return s.write(ctx, "grant the rights of the processes", func(tx *sql.Tx) error {
		r, err := standing(ctx, tx, role)
		if err != nil || role == "" && r.alone() {
			return err
		}
		if refusal := r.refusal(role != ""); refusal != nil {
			return refusal
		}
		to, in := quoted(r.name), quoted(r.schema)
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

func quoted(name string) string { return pgx.Identifier{name}.Sanitize() }

// runtimeRole is a role that the processes may log in as, and how it stands to the schema and to the role that migrates.
type runtimeRole struct {
	name, migrator, schema string
	superuser              bool
	ownsTables, ownsSchema bool // itself, or as a member of the owner
	hasMigrator            bool // the role that migrates is its member
}

// standing reads a role; "" stands for the owner of event_audit.
func standing(ctx context.Context, tx *sql.Tx, name string) (r runtimeRole, err error) {
	err = tx.QueryRowContext(ctx, `SELECT r.rolname, current_user, n.nspname, r.rolsuper, pg_has_role(r.oid, c.relowner, 'MEMBER'), pg_has_role(r.oid, n.nspowner, 'MEMBER'),
			pg_has_role(current_user, r.oid, 'MEMBER')
		FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, pg_class e JOIN pg_roles r ON r.rolname = COALESCE(NULLIF($1, ''), pg_get_userbyid(e.relowner))
		WHERE c.oid = 'config_audit_log'::regclass AND e.oid = 'event_audit'::regclass`, name).
		Scan(&r.name, &r.migrator, &r.schema, &r.superuser, &r.ownsTables, &r.ownsSchema, &r.hasMigrator)
	if errors.Is(err, sql.ErrNoRows) {
		err = fault.New(fault.ConfigInvalid, "PostgreSQL has no role %q for the processes", name).WithRemedy("create the role, or correct its name")
	}
	return r, err
}

// alone reports whether the role of the processes owns everything, so that there is nothing to grant.
func (r runtimeRole) alone() bool { return r.name == r.migrator || r.ownsTables }

// refusal returns why the role cannot get the rights of the processes, nil if it can. A role that an operator names must
// also be one from which the change audit is safe then.
func (r runtimeRole) refusal(named bool) error {
	switch {
	case named && r.name == r.migrator:
		return fault.New(fault.ConfigInvalid, "%q cannot be the role of the processes, because it is the role that migrates", r.name).
			WithRemedy("run this as the role that owns the schema (DB_USER, DB_PASS), and name the other one")
	case named && r.superuser:
		return fault.New(fault.ConfigInvalid, "%q cannot be the role of the processes, because a superuser can edit the change audit", r.name).
			WithRemedy("ALTER ROLE %s NOSUPERUSER, or name another role", quoted(r.name))
	case named && (r.ownsTables || r.ownsSchema):
		return fault.New(fault.ConfigInvalid, "%q cannot be the role of the processes yet, because it owns the database or its tables, or is a member of their owner", r.name).
			WithRemedy("let %s own the database and all tables first, see docs/guides/scaling.md", quoted(r.migrator))
	case !r.hasMigrator:
		return fault.New(fault.ConfigInvalid, "%q must be a member of %q, to make it the owner of the event audit", r.migrator, r.name).
			WithRemedy("as a superuser of PostgreSQL: GRANT %s TO %s", quoted(r.name), quoted(r.migrator))
	}
	return nil
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
