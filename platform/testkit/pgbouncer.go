package testkit

import (
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// PgBouncerServer is one running PgBouncer. Its users are User of the PostgreSQL behind it, with the same password, and "postgres".
type PgBouncerServer struct {
	Host string
	Port int

	process
}

// PgBouncer runs a pooler in front of a PostgreSQL without TLS until the test ends, as Debian's package configures it but for the
// mode: "session", "transaction" or "statement". Settings are further lines of its section [pgbouncer].
func PgBouncer(t testing.TB, behind *PostgresServer, mode string, settings ...string) *PgBouncerServer {
	t.Helper()
	binary := Binary(t, "pgbouncer", "pgbouncer")
	own := unprivileged(t)
	dir := newDir(t, "pgbouncer", own)
	s := &PgBouncerServer{Host: "127.0.0.1", Port: FreePort(t)}
	users, conf := filepath.Join(dir, "userlist.txt"), filepath.Join(dir, "pgbouncer.ini")
	own.write(t, users, fmt.Sprintf("%q %q\n%q %q\n", behind.User, behind.Password.Reveal(), superuser, behind.Password.Reveal()))
	lines := []string{"[databases]", fmt.Sprintf("* = host=%s port=%d", behind.Host, behind.Port), "[pgbouncer]", "listen_addr = " + s.Host,
		"listen_port = " + strconv.Itoa(s.Port), "unix_socket_dir =", "auth_type = scram-sha-256", "auth_file = " + users, "pool_mode = " + mode}
	own.write(t, conf, strings.Join(append(lines, settings...), "\n")+"\n")
	s.process = process{t: t, dir: dir, owner: own, argv: []string{binary, conf}, ready: s.answers}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the log of PgBouncer on port %d:\n%s", s.Port, s.log())
		}
		s.stop(syscall.SIGTERM) // at once; SIGINT would wait for its clients
	})
	s.start()
	return s
}

func (s *PgBouncerServer) answers() error {
	conn, err := net.Dial("tcp", net.JoinHostPort(s.Host, strconv.Itoa(s.Port)))
	if err != nil {
		return err
	}
	return conn.Close()
}
