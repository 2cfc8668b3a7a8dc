package postgres_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/muttproject/mutt/platform/connect/postgres"
	"github.com/muttproject/mutt/platform/connect/tlsconf"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/testkit"
)

// TestClientCertificate has a server that asks for one, and whose own certificate and authority change.
func TestClientCertificate(t *testing.T) {
	t.Parallel()
	p := testkit.Postgres(t, testkit.PostgresOptions{TLS: true, Mutual: true})
	first, second := p.Authority(), testkit.NewAuthority(t)
	dir := t.TempDir()
	f := tlsconf.Config{CAFile: filepath.Join(dir, "ca"), CertFile: filepath.Join(dir, "cert"), KeyFile: filepath.Join(dir, "key")}
	put := func(a *testkit.Authority, until time.Time) {
		cert, key := a.Pair(t, until)
		testkit.Replace(t, map[string]string{f.CAFile: a.CAFile, f.CertFile: cert, f.KeyFile: key})
	}
	put(first, time.Now().Add(time.Hour))
	files, err := tlsconf.New(tlsconf.Peer{}, f)
	if err != nil {
		t.Fatal(err)
	}
	c := config(t, p)
	c.TLS = files.Client()
	pool := open(t, c)

	p.Renew(second, time.Now().Add(time.Hour))
	if err := ask(t, pool); err != nil {
		t.Fatalf("an open connection outlives the server's certificate: %v", err)
	}
	pool.Reset()
	mustFail(t, ask(t, pool), fault.StoreUnavailable, "the certificate of PostgreSQL is not trusted")
	put(second, time.Now().Add(time.Hour))
	if _, err := files.Refresh(); err != nil {
		t.Fatal(err)
	}
	if err := ask(t, pool); err != nil {
		t.Fatalf("after the files changed: %v", err)
	}

	c.TLS = tlsconf.Fixed(second.Client())
	_, err = postgres.Open(t.Context(), c)
	if f := mustFail(t, err, fault.StoreUnavailable, "does not let this user in"); !strings.Contains(f.Remedy, "DB_TLS_CLIENT_CERT") {
		t.Fatalf("remedy %q", f.Remedy)
	}
	put(second, time.Now().Add(-time.Minute))
	if _, err := files.Refresh(); err != nil {
		t.Fatal(err)
	}
	c.TLS, c.Credentials = files.Client(), offer(right(p)) // the others wait, after a refusal
	_, err = postgres.Open(t.Context(), c)
	mustFail(t, err, fault.StoreUnavailable, "does not accept the client certificate")
	p.Renew(second, time.Now().Add(-time.Minute))
	_, err = postgres.Open(t.Context(), c)
	mustFail(t, err, fault.StoreUnavailable, "the certificate of PostgreSQL expired at")
}
