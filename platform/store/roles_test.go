package store_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/store"
	"github.com/muttproject/mutt/platform/testkit"
)

// TestTheRuntimeRole migrates as one role and works as another, which must do all that processes do and must not be able to edit the
// change audit or its triggers.
func TestTheRuntimeRole(t *testing.T) {
	t.Parallel()
	server := testkit.Postgres(t, testkit.PostgresOptions{Trust: true})
	db := server.NewDatabase(t)
	server.SQL("postgres", `CREATE ROLE mutt_owner LOGIN; GRANT `+server.User+` TO mutt_owner; ALTER DATABASE `+db+` OWNER TO mutt_owner`)
	ctx := t.Context()
	as := func(role string) *store.Store {
		cfg, err := pgxpool.ParseConfig("host=" + server.Host + " dbname=" + db + " sslmode=disable user=" + role)
		if err != nil {
			t.Fatal(err)
		}
		cfg.ConnConfig.Port = uint16(server.Port)
		pool, err := pgxpool.NewWithConfig(ctx, cfg)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(pool.Close)
		return openOn(t, store.Options{Postgres: pool, Logger: zap.NewNop(), Now: time.Now})
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	owner, runtime := as("mutt_owner"), as(server.User)
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

	pool, err := pgxpool.New(ctx, "host="+server.Host+" port="+strconv.Itoa(server.Port)+" dbname="+db+" sslmode=disable user="+server.User)
	must(err)
	defer pool.Close()
	for _, statement := range []string{
		`UPDATE config_audit_log SET reason = 'x'`, `DELETE FROM config_audit_log`, `TRUNCATE config_audit_log`, `TRUNCATE api_keys`,
		`DROP TRIGGER config_audit_log_no_update ON config_audit_log`, `ALTER TABLE config_audit_log DISABLE TRIGGER ALL`, `DROP TABLE config_audit_log`,
		`CREATE OR REPLACE FUNCTION config_audit_log_keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN OLD; END $$`,
		`CREATE TRIGGER quiet AFTER INSERT ON config_audit_log FOR EACH ROW EXECUTE FUNCTION config_audit_log_keep()`,
		`DELETE FROM config_audit_anchors`, `ALTER TABLE revisions ADD COLUMN x INT`, `SET session_replication_role = replica`, `SET ROLE mutt_owner`,
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
