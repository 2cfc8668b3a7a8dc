package acceptance

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/muttproject/mutt/app/apptest"
	"github.com/muttproject/mutt/platform/apiclient"
)

// twoRoles is a MUTT whose schema belongs to one role of PostgreSQL, and whose process logs in as another one.
type twoRoles struct {
	*testing.T
	servers *apptest.Servers
	m       *apptest.MUTT

	old, missing string // partitions of the event audit: one past its days, and one of a day to come that was dropped
}

// TestTwoRoles migrates as one role and lets the process do all its work as another one, which owns the event audit and nothing else.
func TestTwoRoles(t *testing.T) {
	t.Parallel()
	r := &twoRoles{T: t, servers: apptest.NewServers(t, "everysec")}
	r.servers.Postgres.SQL("postgres", `CREATE ROLE schema_owner LOGIN PASSWORD 'password-of-the-owner'; GRANT mutt TO schema_owner;
		ALTER DATABASE `+r.servers.Database+` OWNER TO schema_owner`)
	r.migrate()
	r.m = apptest.Start(t, apptest.Options{Servers: r.servers, NoMigrate: true, Prepare: oldEvents, Env: map[string]string{"UNHANDLED_THRESHOLD": "10"}})
	r.changes()
	r.session()
	r.events()
	r.partitions()
	r.warnings()
	r.verified()
	r.m.Stop()
	r.expect("t", `SELECT last_used IS NOT NULL FROM api_keys WHERE name = 'probe'`)
	r.wrongRole()
}

// sql runs a statement as superuser.
func (r *twoRoles) sql(statement string) string {
	r.Helper()
	return r.servers.Postgres.SQL(r.servers.Database, statement)
}

// expect checks the answer to a query.
func (r *twoRoles) expect(want, query string) {
	r.Helper()
	if got := r.sql(query); got != want {
		r.Errorf("%s: %q, want %q", query, got, want)
	}
}

// mutt runs a command as a role of PostgreSQL, holds that it ends with a status, and returns what it printed.
func (r *twoRoles) mutt(status int, role, password string, args ...string) string {
	r.Helper()
	cmd := exec.CommandContext(r.Context(), binary(r.T), args...)
	cmd.Env = append(os.Environ(), "HOME="+r.TempDir(), "MUTT_API_KEY="+apptest.AdminKey)
	for k, v := range r.servers.Env() {
		cmd.Env = append(cmd.Env, k+"="+v)
	}
	cmd.Env = append(cmd.Env, "DB_USER="+role, "DB_PASS="+password)
	if r.m != nil {
		cmd.Env = append(cmd.Env, "MUTT_SERVER="+r.m.AdminURL)
	}
	out, err := cmd.CombinedOutput()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		r.Fatal(err)
	}
	if got := cmd.ProcessState.ExitCode(); got != status {
		r.Fatalf("mutt %q as %s ended with %d, want %d: %s", args, role, got, status, out)
	}
	return string(out)
}

func (r *twoRoles) asOwner(status int, args ...string) string {
	r.Helper()
	return r.mutt(status, "schema_owner", "password-of-the-owner", args...)
}

func (r *twoRoles) asProcess(status int, args ...string) string {
	r.Helper()
	return r.mutt(status, r.servers.Postgres.User, r.servers.Postgres.Password.Reveal(), args...)
}

// migrate names the role of the processes once. A later run knows it, and hands over partitions that the owner has created meanwhile.
func (r *twoRoles) migrate() {
	r.Helper()
	r.asOwner(0, "migrate", "up", "--runtime-role", "mutt")
	day := time.Now().UTC().AddDate(0, 0, -180).Truncate(24 * time.Hour)
	bound := func(at time.Time) string {
		ms := fmt.Sprintf("%012x", at.UnixMilli())
		return "'" + ms[:8] + "-" + ms[8:] + "-0000-0000-000000000000'"
	}
	r.old = "event_audit_" + day.Format("20060102")
	r.sql(fmt.Sprintf(`SET ROLE schema_owner; CREATE TABLE %s PARTITION OF event_audit FOR VALUES FROM (%s) TO (%s)`, r.old, bound(day), bound(day.AddDate(0, 0, 1))))
	r.asOwner(0, "migrate", "up")
	r.missing = r.sql(`SELECT max(relname::text) FROM pg_class WHERE relname LIKE 'event\_audit\_2%' AND relkind = 'r'`)
	r.sql(`DROP TABLE ` + r.missing)
	r.owns()
}

// owns holds that the event audit, with its partitions, belongs to the role of the process, and nothing else does.
func (r *twoRoles) owns() {
	r.Helper()
	r.expect("mutt", `SELECT DISTINCT pg_get_userbyid(relowner) FROM pg_class WHERE relname LIKE 'event\_audit%' AND relkind IN ('r', 'p')`)
	r.expect("", `SELECT relname FROM pg_class WHERE relowner = 'mutt'::regrole AND relkind IN ('r', 'p', 'S', 'v') AND relname NOT LIKE 'event\_audit%'`)
	r.expect("0", `SELECT count(*) FROM pg_proc WHERE proowner = 'mutt'::regrole`)
	r.expect("f", `SELECT rolsuper FROM pg_roles WHERE rolname = 'mutt'`)
}

// changes commits one change of each kind.
func (r *twoRoles) changes() {
	r.Helper()
	change := func(method string, body, out any, path ...string) { r.Helper(); r.m.Change(method, body, out, path...) }
	r.m.SetConfig("moog_rate_limit", 5000)
	rule := map[string]any{"name": "interface down", "match_string": "changed state to down", "prod_handling": "Page_only", "dev_handling": "Ignore", "team_assignment": "NETO"}
	id := fmt.Sprint(r.m.AddRule(rule))
	rule["priority"] = 7
	change(http.MethodPut, rule, nil, "rules", id)
	rule["name"] = "short-lived"
	change(http.MethodDelete, nil, nil, "rules", fmt.Sprint(r.m.AddRule(rule)))
	change(http.MethodPost, map[string]any{"hostname": "lab-1"}, nil, "dev-hosts")
	change(http.MethodPost, map[string]any{"hostname": "core-1", "team_assignment": "CORE"}, nil, "teams")
	var key apiclient.KeyMade
	change(http.MethodPost, map[string]any{"name": "probe", "role": "ingest"}, &key, "keys")
	change(http.MethodPost, map[string]any{}, &key, "keys", fmt.Sprint(key.ID), "rotate")
	apptest.Eventually(r, "the new rule and the new key are in force", func() (bool, any) {
		a := r.m.Do(http.MethodPost, r.m.IngestURL+"/api/v2/ingest", apptest.Event("probe", down("Gi0/0")), "X-API-KEY", key.Secret, "Content-Type", "application/json")
		return a.Status == http.StatusOK && len(r.m.Destination.Alerts()) > 0, string(a.Body)
	})
}

// session logs in and out.
func (r *twoRoles) session() {
	r.Helper()
	url := r.m.AdminURL + "/api/v2/session"
	login := r.m.Do(http.MethodPost, url, []byte(`{"key":"`+apptest.AdminKey+`"}`), "Content-Type", "application/json")
	var opened apiclient.Session
	if err := login.JSON(&opened); err != nil || login.Status != http.StatusOK {
		r.Fatalf("login: %d %s", login.Status, login.Body)
	}
	cookie, _, _ := strings.Cut(login.Header.Get("Set-Cookie"), ";")
	if a := r.m.Do(http.MethodGet, url, nil, "Cookie", cookie); a.Status != http.StatusOK {
		r.Errorf("in the session: %d %s", a.Status, a.Body)
	}
	if a := r.m.Do(http.MethodDelete, url, nil, "Cookie", cookie, "X-CSRF-Token", opened.CSRFToken); a.Status >= 300 {
		r.Errorf("logout: %d %s", a.Status, a.Body)
	}
	r.expect("0", `SELECT count(*) FROM ui_sessions`)
}

// events come in, are judged and delivered: some page, and some are known to no rule until there are many.
func (r *twoRoles) events() {
	r.Helper()
	for i := range 20 {
		r.m.Send(apptest.Event(fmt.Sprint("router-", i), down(fmt.Sprint("Gi1/", i))))
		r.m.Send(apptest.Event("core-1", fmt.Sprintf("peer 203.0.113.%d is unhappy", i)))
	}
	for i := range 20 {
		r.m.ExpectDescription(down(fmt.Sprint("Gi1/", i)))
	}
	r.m.ExpectAlert("of unhandled events", func(a apptest.Alert) bool { return a.Type == "unhandled" && a.Class == "CORE" })
	l := r.m.ExpectBalanced()
	if d := l.Delivery; d.Delivered != d.Forwardable || d.Delivered < 22 {
		r.Errorf("the books: %+v", l)
	}
	r.expect(fmt.Sprintf("40|%d", l.Judging.Received), `SELECT count(*) FILTER (WHERE hostname <> 'probe'), count(*) FROM event_audit WHERE hostname <> 'old'`)
	apptest.Eventually(r, "the janitor folds what was received", func() (bool, any) {
		got := r.sql(`SELECT COALESCE(sum(n), 0) FROM folded_counts`)
		return got != "0", got
	})
}

// partitions: the janitor adds the one that was missing and drops the one of long ago, as their owner.
func (r *twoRoles) partitions() {
	r.Helper()
	apptest.Eventually(r, "the janitor adds a partition and drops another one", func() (bool, any) {
		got := strings.Fields(r.sql(`SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent = 'event_audit'::regclass`))
		return slices.Contains(got, r.missing) && !slices.Contains(got, r.old), got
	})
	r.owns()
}

// warnings: health has none of the role, until the role may do more than it needs.
func (r *twoRoles) warnings() {
	r.Helper()
	warned := func() (bool, string) {
		body := string(r.m.Do(http.MethodGet, r.m.OpsURL+"/health", nil).Body)
		return strings.Contains(body, "the role of this process"), body
	}
	if is, body := warned(); is {
		r.Errorf("health: %s", body)
	}
	r.sql(`GRANT UPDATE ON config_audit_log TO mutt`)
	apptest.Eventually(r, "health warns of a right too many", func() (bool, any) { return warned() })
	r.sql(`REVOKE UPDATE ON config_audit_log FROM mutt`)
	apptest.Eventually(r, "the warning goes", func() (bool, any) { is, body := warned(); return !is, body })
}

// verified: 'audit verify' works with the rights of the process, and names what a superuser did.
func (r *twoRoles) verified() {
	r.Helper()
	if out := r.asProcess(0, "audit", "verify"); !strings.Contains(out, "records that are as the change audit says") {
		r.Errorf("verified: %s", out)
	}
	r.sql(`INSERT INTO api_keys (name, role, hash, bootstrap, created_at, revision) VALUES ('backdoor', 'admin', '\x00', 0, 0, 0)`)
	r.sql(`UPDATE alert_rules SET definition = replace(definition, 'Page_only', 'Ignore')`)
	r.sql(`ALTER TABLE config_audit_log DISABLE TRIGGER config_audit_log_no_update`)
	out := r.asProcess(1, "audit", "verify")
	for _, want := range []string{"no change has created it", "prod_handling", "config_audit_log_no_update", "differences: 3"} {
		if !strings.Contains(out, want) {
			r.Errorf("verified without %q: %s", want, out)
		}
	}
}

// wrongRole: the role of the processes cannot migrate, and the error says which role does.
func (r *twoRoles) wrongRole() {
	r.Helper()
	r.asProcess(0, "migrate", "up") // nothing is pending
	r.sql(`DROP TABLE books_closed; DELETE FROM goose_db_version WHERE version_id = (SELECT max(version_id) FROM goose_db_version)`)
	if out := r.asProcess(1, "migrate", "up"); !strings.Contains(out, "does not allow this to DB_USER") || !strings.Contains(out, "as the role that owns the schema") {
		r.Errorf("migrated as the role of the processes: %s", out)
	}
}
