package postgres_test

import (
	"os"
	"strings"
	"testing"

	"github.com/muttproject/mutt/platform/connect/postgres"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/secret"
	"github.com/muttproject/mutt/platform/testkit"
)

func administrator(t *testing.T, p *testkit.PostgresServer, user string, password secret.Secret) *postgres.Administrator {
	t.Helper()
	a, err := postgres.NewAdministrator(p.DSN(user, password, "postgres"))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestSetPassword(t *testing.T) {
	t.Parallel()
	p := testkit.Postgres(t, testkit.PostgresOptions{Settings: []string{"log_statement=all", "log_min_messages=log"}})
	a := administrator(t, p, "postgres", p.Password)
	p.SQL("postgres", `CREATE ROLE "O'Hara "" B" LOGIN PASSWORD 'first'; CREATE ROLE helper LOGIN CREATEROLE PASSWORD 'helps'`)
	accepts := func(role, password string, want bool) {
		t.Helper()
		if got, err := a.Accepts(t.Context(), role, secret.New(password)); err != nil || got != want {
			t.Errorf("the password of %s is accepted: %v, %v; want %v", role, got, err, want)
		}
	}
	helper := administrator(t, p, "helper", secret.New("helps"))
	for _, c := range []struct { // the helper's own password is the last one that it changes
		role string
		by   *postgres.Administrator
	}{{`O'Hara " B`, a}, {testkit.PostgresUser, helper}, {"helper", helper}} {
		role, by := c.role, c.by
		next := "new-secret-of-the-role'\\$-é"
		if err := by.MayAlter(t.Context(), role); err != nil {
			t.Fatalf("%s: %v", role, err)
		}
		if err := by.SetPassword(t.Context(), role, secret.New(next)); err != nil {
			t.Fatalf("%s: %v", role, err)
		}
		accepts(role, next, true)
		accepts(role, "first", false)
	}
	log, err := os.ReadFile(p.LogFile())
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(log), "ALTER ROLE") || strings.Contains(string(log), "new-secret") {
		t.Error("the log of PostgreSQL has no statement, or the password is in it")
	}
}

func TestAdministratorRefused(t *testing.T) {
	t.Parallel()
	p := testkit.Postgres(t, testkit.PostgresOptions{})
	_, err := postgres.NewAdministrator(secret.New("postgres://admin:hush@:x"))
	if mustFail(t, err, fault.ConfigInvalid, "not understood"); strings.Contains(err.Error(), "hush") {
		t.Errorf("the error shows the DSN: %v", err)
	}
	admin := administrator(t, p, "postgres", p.Password)
	mustFail(t, admin.MayAlter(t.Context(), "nobody"), fault.NotFound, "no role")
	mutt := administrator(t, p, testkit.PostgresUser, p.Password)
	mustFail(t, mutt.MayAlter(t.Context(), "postgres"), fault.Forbidden, "may not alter")
	f := mustFail(t, mutt.SetPassword(t.Context(), "postgres", secret.New("next")), fault.Forbidden, "may not alter")
	if !strings.Contains(f.Remedy, "ADMIN OPTION") || strings.Contains(f.Error(), "postgres\"") {
		t.Errorf("%v; remedy %q", f, f.Remedy)
	}
	mustFail(t, administrator(t, p, "postgres", secret.New("wrong")).MayAlter(t.Context(), testkit.PostgresUser), fault.Forbidden, "refuses the administrator")
	p.Stop()
	mustFail(t, admin.MayAlter(t.Context(), testkit.PostgresUser), fault.StoreUnavailable, "cannot be reached")
	_, err = admin.Accepts(t.Context(), testkit.PostgresUser, p.Password)
	mustFail(t, err, fault.StoreUnavailable, "cannot be reached")
}

func TestAdministratorOfATrustingServer(t *testing.T) {
	t.Parallel()
	p := testkit.Postgres(t, testkit.PostgresOptions{Trust: true})
	mustFail(t, administrator(t, p, "postgres", p.Password).MayAlter(t.Context(), testkit.PostgresUser), fault.ConfigInvalid, "any password")
}
