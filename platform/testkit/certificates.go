package testkit

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Pair writes a certificate of the authority and its key, PEM, for a client or a server on this machine, and gives their files.
// The certificate ends at until.
func (a *Authority) Pair(t testing.TB, until time.Time) (cert, key string) {
	t.Helper()
	return a.PairFor(t, until, "localhost", "127.0.0.1")
}

// PairFor is Pair for other names and addresses (subjectAltName); without any, the certificate has a common name alone.
func (a *Authority) PairFor(t testing.TB, until time.Time, names ...string) (cert, key string) {
	t.Helper()
	certText, keyText := a.issueFor(until, names...)
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	own := &owner{}
	own.write(t, cert, certText)
	own.write(t, key, keyText)
	return cert, key
}

// Replace puts other files in the place of some, each at once, as who renews a certificate should.
func Replace(t testing.TB, with map[string]string) {
	t.Helper()
	for path, from := range with {
		text, err := os.ReadFile(from)
		if err != nil {
			t.Fatalf("read a certificate: %v", err)
		}
		(&owner{}).write(t, path+".new", string(text))
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatalf("replace a certificate: %v", err)
		}
	}
}

// Renew gives the server another certificate for new connections: of an authority, which is the one of clients too, until a time.
func (s *RedisServer) Renew(a *Authority, until time.Time) {
	s.t.Helper()
	cert, key := a.Pair(s.t, until)
	s.Do("CONFIG", "SET", "tls-cert-file", cert, "tls-key-file", key, "tls-ca-cert-file", a.CAFile)
	s.CAFile, s.authority = a.CAFile, a
	s.cliCert, s.cliKey = a.Pair(s.t, time.Now().Add(certificateLife))
}

// Authority gives the authority of the server's certificate, nil without TLS.
func (s *RedisServer) Authority() *Authority { return s.authority }

// Renew gives the server another certificate for new connections: of an authority, which is the one of clients too, until a time.
func (s *PostgresServer) Renew(a *Authority, until time.Time) {
	s.t.Helper()
	const loaded = "SELECT pg_conf_load_time()"
	before := s.SQL("postgres", loaded)
	s.certify(a, until)
	s.SQL("postgres", "SELECT pg_reload_conf()")
	s.env = psqlEnv(s.t, a)
	if !await(patience, func() bool {
		now, err := s.query("postgres", loaded)
		return err == nil && now != before
	}) {
		s.t.Fatal("PostgreSQL does not load its new certificate")
	}
}

// Authority gives the authority of the server's certificate, nil without TLS.
func (s *PostgresServer) Authority() *Authority { return s.authority }

// certify writes the server's files.
func (s *PostgresServer) certify(a *Authority, until time.Time) {
	s.t.Helper()
	cert, key := a.issueFor(until, "localhost", "127.0.0.1")
	ca, err := os.ReadFile(a.CAFile)
	if err != nil {
		s.t.Fatalf("read the authority's certificate: %v", err)
	}
	for name, text := range map[string]string{"cert.pem": cert, "key.pem": key, "ca.pem": string(ca)} {
		s.owner.write(s.t, filepath.Join(s.dir, name), text)
	}
	s.CAFile, s.authority = a.CAFile, a
}

// psqlEnv gives psql a certificate that a server may ask for.
func psqlEnv(t testing.TB, a *Authority) []string {
	t.Helper()
	cert, key := a.Pair(t, time.Now().Add(certificateLife))
	return []string{"PGSSLCERT=" + cert, "PGSSLKEY=" + key}
}

// Log gives all that the server wrote so far.
func (s *PostgresServer) Log() string {
	s.t.Helper()
	text, err := os.ReadFile(s.logFile())
	if err != nil {
		s.t.Fatalf("read the server's log: %v", err)
	}
	return string(text)
}
