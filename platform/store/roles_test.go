package store_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/store"
	"github.com/muttproject/mutt/platform/testkit"
)

// TestRefusedRuntimeRoles holds that a role which could edit the change audit all the same is refused, and that nothing has changed then.
func TestRefusedRuntimeRoles(t *testing.T) {
	t.Parallel()
	server := testkit.Postgres(t, testkit.PostgresOptions{Trust: true})
	server.SQL("postgres", `CREATE ROLE schema_owner LOGIN; CREATE ROLE stranger LOGIN; CREATE ROLE almighty LOGIN SUPERUSER; CREATE ROLE heir LOGIN IN ROLE schema_owner;
		GRANT almighty, `+server.User+` TO schema_owner`)
	for name, c := range map[string]struct{ prepare, migrator, role, want string }{
		"missing":                 {"", "schema_owner", "nobody_here", `no role "nobody_here"`},
		"the one that migrates":   {"", "schema_owner", "schema_owner", "the role that migrates"},
		"a superuser":             {"", "schema_owner", "almighty", "superuser"},
		"a member of the owner":   {"", "schema_owner", "heir", "member of their owner"},
		"not one of the owner's":  {"", "schema_owner", "stranger", `"schema_owner" must be a member of "stranger"`},
		"the owner of tables":     {`ALTER TABLE config_audit_log OWNER TO ` + server.User, "schema_owner", server.User, "owns the database or its tables"},
		"the owner of a database": {`ALTER DATABASE DB OWNER TO ` + server.User, "schema_owner", server.User, "owns the database or its tables"},
		"one role, later":         {"", "schema_owner", "", ""},
		"one role, by a DBA":      {"", "almighty", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := server.NewDatabase(t)
			server.SQL("postgres", `ALTER DATABASE `+db+` OWNER TO schema_owner`)
			if err := openAs(t, server, db, "schema_owner").Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
			if c.prepare != "" {
				server.SQL(db, strings.ReplaceAll(c.prepare, "DB", db))
			}
			const state = `SELECT string_agg(relname || pg_get_userbyid(relowner) || COALESCE(relacl::text, ''), ' ' ORDER BY relname) FROM pg_class WHERE relnamespace = 'public'::regnamespace`
			before := server.SQL(db, state)
			err := openAs(t, server, db, c.migrator).Grant(t.Context(), c.role)
			if c.want == "" && err != nil || c.want != "" && (!fault.Is(err, fault.ConfigInvalid) || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got %v, want %q", err, c.want)
			}
			if after := server.SQL(db, state); after != before {
				t.Errorf("the rights were %s\nand are %s", before, after)
			}
		})
	}
}

// openAs opens the store of a database as a role, on a server that asks for no passwords.
func openAs(t *testing.T, server *testkit.PostgresServer, db, role string) *store.Store {
	t.Helper()
	cfg, err := pgxpool.ParseConfig("host=" + server.Host + " dbname=" + db + " sslmode=disable user=" + role)
	if err != nil {
		t.Fatal(err)
	}
	cfg.ConnConfig.Port = uint16(server.Port)
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return openOn(t, store.Options{Postgres: pool, Logger: zap.NewNop(), Now: time.Now})
}

// TestTheRuntimeRole migrates as one role and works as another, which must do all that processes do and must not be able to edit the
// change audit or its triggers.
func TestTheRuntimeRole(t *testing.T) {
	t.Parallel()
	server := testkit.Postgres(t, testkit.PostgresOptions{Trust: true})
	db := server.NewDatabase(t)
	server.SQL("postgres", `CREATE ROLE schema_owner LOGIN; GRANT `+server.User+` TO schema_owner; ALTER DATABASE `+db+` OWNER TO schema_owner`)
	ctx := t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	owner, runtime := openAs(t, server, db, "schema_owner"), openAs(t, server, db, server.User)
	must(owner.Migrate(ctx))
	_, err := owner.EnsurePartitions(ctx, time.Now(), 1)
	must(err)
	must(owner.Grant(ctx, server.User))
	must(owner.Grant(ctx, "")) // as a later migration does

	if w, err := runtime.RoleWarning(ctx); w != "" || err != nil {
		t.Errorf("the runtime role is warned of: %q %v", w, err)
	}
	if w, err := owner.RoleWarning(ctx); !strings.Contains(w, "cannot prove") || err != nil {
		t.Errorf("the owner: %q %v", w, err)
	}
	must(runtime.RequireSchema(ctx))
	_, err = runtime.EnsurePartitions(ctx, time.Now(), 3)
	must(err)
	change := func(fn func(*store.Tx) error) {
		t.Helper()
		_, err := runtime.Change(ctx, store.Actor{Name: "test"}, "", fn)
		must(err)
	}
	change(func(tx *store.Tx) error { return tx.PutDevHost("lab") })
	change(func(tx *store.Tx) error { return tx.SetConfig("a", "1") })
	dropped, err := runtime.DropPartitions(ctx, store.Actor{Name: "test"}, "", time.Now().Add(48*time.Hour))
	if err != nil || len(dropped) == 0 {
		t.Errorf("dropped %v %v", dropped, err)
	}
	if n, err := runtime.PruneChanges(ctx, store.Actor{Name: "test"}, "", time.Now().Add(time.Hour), 2); n != 2 || err != nil {
		t.Errorf("retention removed %d, %v", n, err)
	}
	if _, _, err := runtime.VerifyChain(ctx); err != nil {
		t.Error(err)
	}
	part, err := runtime.CompareRecords(ctx, store.RecordPoint{}, 100)
	if err != nil || len(part.Differences) > 0 {
		t.Errorf("%+v %v", part, err)
	}

	won := hitEntry(time.Now())
	_, err = runtime.Judge(ctx, "test", []store.JudgedEntry{won})
	must(err)
	must(runtime.FoldHits(ctx))
	must(runtime.PruneHits(ctx, time.Now()))
	if hits, err := runtime.RuleHits(ctx, time.Now().Add(-time.Hour)); err != nil || len(hits) != 1 || hits[0].N != 1 {
		t.Errorf("hits of rules: %+v %v", hits, err)
	}

	pool, err := pgxpool.New(ctx, "host="+server.Host+" port="+strconv.Itoa(server.Port)+" dbname="+db+" sslmode=disable user="+server.User)
	must(err)
	defer pool.Close()
	for _, statement := range []string{
		`UPDATE config_audit_log SET reason = 'x'`, `DELETE FROM config_audit_log`, `TRUNCATE config_audit_log`, `TRUNCATE api_keys`,
		`DROP TRIGGER config_audit_log_no_update ON config_audit_log`, `ALTER TABLE config_audit_log DISABLE TRIGGER ALL`, `DROP TABLE config_audit_log`,
		`CREATE OR REPLACE FUNCTION config_audit_log_keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN OLD; END $$`,
		`CREATE TRIGGER quiet AFTER INSERT ON config_audit_log FOR EACH ROW EXECUTE FUNCTION config_audit_log_keep()`,
		`DELETE FROM config_audit_anchors`, `ALTER TABLE revisions ADD COLUMN x INT`, `SET session_replication_role = replica`, `SET ROLE schema_owner`,
	} {
		if _, err := pool.Exec(ctx, statement); err == nil {
			t.Errorf("the runtime role may: %s", statement)
		}
	}
	have := map[string]bool{}
	for _, name := range strings.Fields(server.SQL(db, `SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND NOT relispartition AND relnamespace = 'public'::regnamespace
		AND NOT has_table_privilege('`+server.User+`', oid, 'SELECT')`)) {
		have[name] = true
	}
	if len(have) > 0 {
		t.Errorf("tables without rights for the processes, which runtimeRights must name: %v", have)
	}
}
