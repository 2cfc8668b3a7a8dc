package store_test

import (
	"slices"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/store"
	"github.com/muttproject/mutt/platform/store/storetest"
	"github.com/muttproject/mutt/platform/testkit"
)

// tampered are statements of somebody who owns the tables, and what the comparison with the migrations says then.
type tampered map[string]struct {
	sql  []string
	want []string
}

func (all tampered) run(t *testing.T, open func(testing.TB, store.Options) storetest.Instance) {
	for name, c := range all {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, store.Options{Logger: zap.NewNop(), Now: time.Now})
			for _, statement := range c.sql {
				if err := s.Exec(statement); err != nil {
					t.Fatal(err)
				}
			}
			part, err := s.CompareRecords(t.Context(), store.RecordPoint{}, 1000)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, d := range part.Differences {
				got = append(got, d.Table+"/"+d.Record+"/"+d.Member)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got %+v, want %q", part.Differences, c.want)
			}
		})
	}
}

func TestGuardsOfSQLite(t *testing.T) {
	t.Parallel()
	tampered{
		"as migrated": {},
		"dropped":     {[]string{`DROP TRIGGER config_audit_log_no_update`}, []string{"config_audit_log/config_audit_log_no_update/trigger"}},
		"replaced by one that does nothing": {[]string{`DROP TRIGGER config_audit_log_no_delete`,
			`CREATE TRIGGER config_audit_log_no_delete BEFORE DELETE ON config_audit_log BEGIN SELECT 1; END`}, []string{"config_audit_log/config_audit_log_no_delete/trigger"}},
		"on another table": {[]string{`DROP TRIGGER config_audit_log_no_update`,
			`CREATE TRIGGER config_audit_log_no_update BEFORE UPDATE ON device_teams BEGIN SELECT RAISE(ABORT, 'config_audit_log is append-only'); END`},
			[]string{"config_audit_log/config_audit_log_no_update/trigger"}},
		"one more":                      {[]string{`CREATE TRIGGER quiet AFTER INSERT ON config_audit_log BEGIN SELECT 1; END`}, []string{"config_audit_log/quiet/trigger"}},
		"one more on a table of others": {[]string{`CREATE TRIGGER notes AFTER INSERT ON device_teams BEGIN SELECT 1; END`}, nil},
	}.run(t, openSQLite)
}

func TestGuardsOfPostgres(t *testing.T) {
	t.Parallel()
	server := testkit.Postgres(t, testkit.PostgresOptions{})
	refuse := []string{"config_audit_log/config_audit_log_no_truncate/function", "config_audit_log/config_audit_log_no_update/function"}
	tampered{
		"as migrated": {},
		"dropped":     {[]string{`DROP TRIGGER config_audit_log_no_update ON config_audit_log`}, []string{"config_audit_log/config_audit_log_no_update/trigger"}},
		"disabled":    {[]string{`ALTER TABLE config_audit_log DISABLE TRIGGER config_audit_log_no_delete`}, []string{"config_audit_log/config_audit_log_no_delete/trigger"}},
		"not in sessions of replication": {[]string{`ALTER TABLE config_audit_anchors ENABLE TRIGGER config_audit_anchors_check`},
			[]string{"config_audit_anchors/config_audit_anchors_check/trigger"}},
		"for other events": {[]string{`DROP TRIGGER config_audit_anchors_no_edit ON config_audit_anchors`, `CREATE TRIGGER config_audit_anchors_no_edit BEFORE UPDATE ON config_audit_anchors
			FOR EACH STATEMENT EXECUTE FUNCTION config_audit_anchors_refuse()`, `ALTER TABLE config_audit_anchors ENABLE ALWAYS TRIGGER config_audit_anchors_no_edit`},
			[]string{"config_audit_anchors/config_audit_anchors_no_edit/trigger"}},
		"with a condition": {[]string{`DROP TRIGGER config_audit_log_no_update ON config_audit_log`, `CREATE TRIGGER config_audit_log_no_update BEFORE UPDATE ON config_audit_log
			FOR EACH STATEMENT WHEN (false) EXECUTE FUNCTION config_audit_log_refuse()`, `ALTER TABLE config_audit_log ENABLE ALWAYS TRIGGER config_audit_log_no_update`},
			[]string{"config_audit_log/config_audit_log_no_update/trigger"}},
		"a function that lets pass": {[]string{`CREATE OR REPLACE FUNCTION config_audit_log_refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$`}, refuse},
		"a function with other rights": {[]string{`ALTER FUNCTION config_audit_retain() SECURITY INVOKER`},
			[]string{"config_audit_anchors/config_audit_anchors_retain/function"}},
		"a function with another search path": {[]string{`ALTER FUNCTION config_audit_log_keep() SET search_path = public`},
			[]string{"config_audit_log/config_audit_log_no_delete/function"}},
		"one more": {[]string{`CREATE TRIGGER quiet AFTER INSERT ON config_audit_log FOR EACH STATEMENT EXECUTE FUNCTION config_audit_log_refuse()`},
			[]string{"config_audit_log/quiet/trigger"}},
		"a rule": {[]string{`CREATE RULE quiet AS ON INSERT TO config_audit_log DO ALSO NOTHING`}, []string{"config_audit_log/quiet/rule"}},
	}.run(t, func(t testing.TB, o store.Options) storetest.Instance { return openPostgres(t, server, o) })
}
