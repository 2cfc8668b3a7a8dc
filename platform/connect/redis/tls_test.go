package redis_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/muttproject/mutt/platform/connect/redis"
	"github.com/muttproject/mutt/platform/connect/tlsconf"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/testkit"
)

// TestClientCertificate has a server that demands one, and whose own certificate and authority change.
func TestClientCertificate(t *testing.T) {
	t.Parallel()
	r := testkit.Redis(t, testkit.RedisOptions{TLS: true, Mutual: true})
	second := testkit.NewAuthority(t)
	dir := t.TempDir()
	f := tlsconf.Config{CAFile: filepath.Join(dir, "ca"), CertFile: filepath.Join(dir, "cert"), KeyFile: filepath.Join(dir, "key")}
	put := func(a *testkit.Authority, until time.Time) {
		cert, key := a.Pair(t, until)
		testkit.Replace(t, map[string]string{f.CAFile: a.CAFile, f.CertFile: cert, f.KeyFile: key})
	}
	put(r.Authority(), time.Now().Add(time.Hour))
	files, err := tlsconf.New(tlsconf.Peer{}, f)
	if err != nil {
		t.Fatal(err)
	}
	c := config(r)
	c.TLS = files.Client()
	client := open(t, c)
	r.Renew(second, time.Now().Add(time.Hour))
	if err := ping(t.Context(), client); err != nil {
		t.Fatalf("an open connection outlives the server's certificate: %v", err)
	}
	_, err = redis.Open(t.Context(), c)
	mustFail(t, err, fault.QueueUnavailable, "the certificate of Redis is not trusted")
	put(second, time.Now().Add(time.Hour))
	refresh(t, files)
	if err := client.Replace(t.Context()); err != nil {
		t.Fatalf("after the files changed: %v", err)
	}
	if err := ping(t.Context(), client); err != nil {
		t.Fatal(err)
	}

	c.TLS = tlsconf.Fixed(second.Client())
	_, err = redis.Open(t.Context(), c)
	mustFail(t, err, fault.QueueUnavailable, "Redis asks for a client certificate")
	put(second, time.Now().Add(-time.Minute))
	refresh(t, files)
	c.TLS = files.Client()
	_, err = redis.Open(t.Context(), c)
	mustFail(t, err, fault.QueueUnavailable, "Redis does not accept the client certificate")
	r.Renew(second, time.Now().Add(-time.Minute))
	_, err = redis.Open(t.Context(), c)
	mustFail(t, err, fault.QueueUnavailable, "the certificate of Redis expired at")
}

func refresh(t *testing.T, s *tlsconf.Source) {
	t.Helper()
	if _, err := s.Refresh(); err != nil {
		t.Fatal(err)
	}
}
