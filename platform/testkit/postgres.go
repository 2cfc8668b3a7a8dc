package testkit

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/muttproject/mutt/platform/secret"
)

// PostgresUser is the role that the tests use: it may create databases and owns what it creates, and is no superuser.
const PostgresUser = "mutt"

// PostgresOptions say what server there should be. The zero value is right for most.
type PostgresOptions struct {
	// Fsync makes commits wait for the disk, as in production; it is for measurements. Without it a commit survives Kill all the same
	// (the system keeps what was written), and a power cut is not played.
	Fsync    bool
	TLS      bool     // accepts TLS connections only, with a certificate of its own authority
	Mutual   bool     // with TLS: asks clients for a certificate of the authority too
	Trust    bool     // lets everybody in without looking at the password
	Settings []string // further settings, such as "log_statement=all"
}

// PostgresServer is one running PostgreSQL.
type PostgresServer struct {
	Host     string
	Port     int
	User     string
	Password secret.Secret
	CAFile   string // PEM of the authority, "" without TLS

	process
	psql      string
	env       []string // of psql
	authority *Authority
	databases atomic.Int64
}

// Postgres runs a server until the test ends.
func Postgres(t testing.TB, o PostgresOptions) *PostgresServer {
	t.Helper()
	binary, psql := Binary(t, "postgres", "postgresql"), Binary(t, "psql", "postgresql-client")
	own := unprivileged(t)
	dir := newDir(t, "postgres", own)
	s := &PostgresServer{Host: "127.0.0.1", Port: FreePort(t), User: PostgresUser, psql: psql}
	s.Password = unpackCluster(t, own, dir)
	s.process = process{t: t, dir: dir, owner: own, ready: s.answers}
	s.argv = append([]string{binary, "-D", filepath.Join(dir, "data")}, s.settings(o)...)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the log of PostgreSQL on port %d:\n%s", s.Port, s.log())
		}
		s.stop(syscall.SIGQUIT) // unlike a kill it gives its shared memory back
	})
	s.Start()
	return s
}

func (s *PostgresServer) settings(o PostgresOptions) []string {
	method, hba := "host", filepath.Join(s.dir, "hba.conf")
	set := []string{
		"port=" + strconv.Itoa(s.Port), "listen_addresses=" + s.Host, "unix_socket_directories=", "hba_file=" + hba,
		"max_connections=200", "fsync=" + map[bool]string{true: "on", false: "off"}[o.Fsync],
		"dynamic_shared_memory_type=mmap", // in the directory, so that a killed server leaves nothing in /dev/shm
		"log_min_messages=warning",
	}
	if o.TLS {
		method = "hostssl"
		s.certify(NewAuthority(s.t), time.Now().Add(certificateLife))
		s.env = psqlEnv(s.t, s.authority)
		set = append(set, "ssl=on", "ssl_cert_file="+filepath.Join(s.dir, "cert.pem"), "ssl_key_file="+filepath.Join(s.dir, "key.pem"))
	}
	verify := ""
	if o.Mutual {
		verify, set = " clientcert=verify-ca", append(set, "ssl_ca_file="+filepath.Join(s.dir, "ca.pem"))
	}
	check := map[bool]string{true: "trust", false: "scram-sha-256"}[o.Trust]
	s.owner.write(s.t, hba, method+" all all 127.0.0.1/32 "+check+verify+"\n")
	var args []string
	for _, v := range append(set, o.Settings...) {
		args = append(args, "-c", v)
	}
	return args
}

// answers looks at the last line of the postmaster's own file, as pg_ctl does.
func (s *PostgresServer) answers() error {
	text, err := os.ReadFile(filepath.Join(s.dir, "data", "postmaster.pid"))
	if err != nil {
		return err
	}
	if lines := strings.Split(string(text), "\n"); len(lines) < 8 || strings.TrimSpace(lines[7]) != "ready" {
		return errors.New("it is starting")
	}
	return nil
}

// TLS gives a client's configuration that trusts the server, nil without TLS.
func (s *PostgresServer) TLS() *tls.Config {
	if s.authority == nil {
		return nil
	}
	return s.authority.Client()
}

// DSN gives the connection string of a role. The superuser is "postgres" and has the server's password.
func (s *PostgresServer) DSN(user string, password secret.Secret, database string) secret.Secret {
	u := url.URL{Scheme: "postgres", User: url.UserPassword(user, password.Reveal()), Host: net.JoinHostPort(s.Host, strconv.Itoa(s.Port)), Path: "/" + database}
	if s.CAFile != "" {
		u.RawQuery = url.Values{"sslmode": {"verify-full"}, "sslrootcert": {s.CAFile}}.Encode()
	}
	return secret.New(u.String())
}

// LogFile is what the server writes its log to.
func (s *PostgresServer) LogFile() string { return s.logFile() }

// NewDatabase creates an empty database that belongs to User and gives its name.
func (s *PostgresServer) NewDatabase(t testing.TB) string {
	t.Helper()
	name := fmt.Sprintf("test_%d", s.databases.Add(1))
	if out, err := s.query("postgres", "CREATE DATABASE "+name+" OWNER "+s.User); err != nil {
		t.Fatalf("create a database: %v: %s", err, out)
	}
	return name
}

// SQL runs statements in a database as superuser and gives the rows, fields apart by "|".
func (s *PostgresServer) SQL(database, statements string) string {
	s.t.Helper()
	out, err := s.query(database, statements)
	if err != nil {
		s.t.Fatalf("psql: %v: %s", err, out)
	}
	return out
}

func (s *PostgresServer) query(database, statements string) (string, error) {
	cmd := exec.Command(s.psql, "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", s.Host, "-p", strconv.Itoa(s.Port),
		"-U", superuser, "-d", database, "-c", statements)
	cmd.Env = append(append(os.Environ(), "PGPASSWORD="+s.Password.Reveal()), s.env...)
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// Start starts it again on the same port and data. Like all of the next ones it does nothing when that is so already.
func (s *PostgresServer) Start() { s.t.Helper(); s.start() }

// Stop ends it in order and ends the connections (SIGINT, "fast").
func (s *PostgresServer) Stop() { s.t.Helper(); s.stop(syscall.SIGINT) }

// Kill ends all of its processes with SIGKILL; Start recovers from the log.
func (s *PostgresServer) Kill() {
	s.kill()
	// The file names a process that is gone, whose number another may get.
	if err := os.Remove(filepath.Join(s.dir, "data", "postmaster.pid")); err != nil && !errors.Is(err, os.ErrNotExist) {
		s.t.Errorf("remove the stale postmaster.pid: %v", err)
	}
}

// Pause freezes all of its processes: connections stay open and nothing answers.
func (s *PostgresServer) Pause() { s.pause() }

// Resume ends a pause.
func (s *PostgresServer) Resume() { s.resume() }
