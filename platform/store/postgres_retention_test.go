package store_test

import (
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/connect"
	"github.com/muttproject/mutt/platform/connect/postgres"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/secret"
	"github.com/muttproject/mutt/platform/store"
	"github.com/muttproject/mutt/platform/testkit"
)

// TestRetentionNeedsNoRightToDelete runs MUTT as a role that does not own the tables and may not delete from the change
// audit. Its default search_path has a schema of its own before that of the tables.
func TestRetentionNeedsNoRightToDelete(t *testing.T) {
	t.Parallel()
	server := testkit.Postgres(t, testkit.PostgresOptions{})
	database := server.NewDatabase(t)
	owner := openOn(t, store.Options{Postgres: newPool(t, server, database), Logger: zap.NewNop(), Now: time.Now})
	if err := owner.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	server.SQL(database, `CREATE ROLE app LOGIN PASSWORD 'app-password';
		GRANT SELECT, INSERT, UPDATE ON revisions, dynamic_config TO app;
		GRANT SELECT, INSERT ON config_audit_log, config_audit_anchors TO app;
		CREATE SCHEMA app AUTHORIZATION app`)
	pool, err := postgres.Open(t.Context(), postgres.Config{Host: server.Host, Port: server.Port, Database: database, MaxConns: 2,
		Name: "retention", Credentials: connect.Only("app", secret.New("app-password"))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	app := openOn(t, store.Options{Postgres: pool, Logger: zap.NewNop(), Now: time.Now})
	for _, value := range []string{"1", "2", "3"} {
		if _, err := app.Change(t.Context(), store.Actor{Name: "test"}, "", func(tx *store.Tx) error { return tx.SetConfig("k", value) }); err != nil {
			t.Fatal(err)
		}
	}
	for _, refused := range []string{`DELETE FROM config_audit_log`, `TRUNCATE config_audit_log`, `UPDATE config_audit_log SET reason = 'x'`,
		`DELETE FROM config_audit_anchors`, `DROP TRIGGER config_audit_log_no_delete ON config_audit_log`, `SELECT config_audit_retain()`} {
		if _, err := pool.Exec(t.Context(), refused); err == nil || !strings.Contains(err.Error(), "permission denied") && !strings.Contains(err.Error(), "must be owner") {
			t.Errorf("%s: %v", refused, err)
		}
	}
	removed, err := app.PruneChanges(t.Context(), store.Actor{Name: "system:janitor"}, "", time.Now().Add(time.Hour), 2)
	if err != nil || removed != 2 {
		t.Fatalf("%d rows were removed: %v", removed, err)
	}
	if rows, _, err := owner.VerifyChain(t.Context()); rows != 2 || err != nil {
		t.Fatalf("%d rows hold: %v", rows, err)
	}
	// What runs with the owner's rights does not take a table of the caller's for the real one.
	for _, text := range []string{`CREATE TABLE app.config_audit_log (LIKE public.config_audit_log)`, `CREATE TABLE app.config_audit_anchors (LIKE public.config_audit_anchors)`,
		`INSERT INTO app.config_audit_log SELECT * FROM public.config_audit_log`,
		`INSERT INTO public.config_audit_anchors SELECT id, hash, 1, 9000000000000000, 0 FROM public.config_audit_log WHERE id = 3`} {
		if _, err := pool.Exec(t.Context(), text); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	}
	if got := strings.TrimSpace(server.SQL(database, `SELECT (SELECT count(*) FROM app.config_audit_log) || ' ' || (SELECT count(*) FROM public.config_audit_log)`)); got != "2 1" {
		t.Errorf("%s rows are in the caller's table and in the real one, want 2 and 1", got)
	}
	if _, _, err := owner.VerifyChain(t.Context()); !fault.Is(err, fault.Corrupt) {
		t.Errorf("an anchor that nobody noted: %v", err)
	}
}
