package testkit

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/muttproject/mutt/platform/secret"
)

// RedisUser is the ACL user of every test server; it may do everything.
const RedisUser = "mutt"

// RedisOptions say what server there should be. The zero value keeps nothing over a restart.
type RedisOptions struct {
	AOF      string   // "": no persistence; "everysec", "always" or "no": an append-only file with this appendfsync
	TLS      bool     // answers on TLS only, with a certificate of its own authority
	Mutual   bool     // with TLS: asks clients for a certificate of the authority too
	ACLFile  bool     // keeps its users in a file of their own
	NoFile   bool     // reads its configuration from the input and has no file to write it to
	Settings []string // further lines of redis.conf, such as "maxmemory 64mb"

	authority *Authority    // shared by the servers of a Sentinel or Cluster
	password  secret.Secret // likewise
	sentinel  bool          // runs as a Sentinel
}

func (o RedisOptions) withDefaults(t testing.TB) RedisOptions {
	if o.password.Empty() {
		o.password = newPassword(t)
	}
	if o.TLS && o.authority == nil {
		o.authority = NewAuthority(t)
	}
	return o
}

// RedisServer is one running Redis.
type RedisServer struct {
	User     string        // an ACL user; the default user has the same password
	Password secret.Secret // needed by both
	CAFile   string        // PEM of the authority, "" without TLS

	process
	port      int
	authority *Authority
	cli       string
	cliCert   string // what redis-cli shows when it is asked; the server's own at first
	cliKey    string
}

// Redis runs a server until the test ends.
func Redis(t testing.TB, o RedisOptions) *RedisServer {
	t.Helper()
	o = o.withDefaults(t)
	binary, cli := Binary(t, "redis-server", "redis-server"), Binary(t, "redis-cli", "redis-tools")
	own := &owner{}
	dir := newDir(t, "redis", own)
	conf := filepath.Join(dir, "redis.conf")
	s := &RedisServer{User: RedisUser, Password: o.password, port: FreePort(t), authority: o.authority, cli: cli}
	s.process = process{t: t, dir: dir, owner: own, argv: []string{binary, conf}, ready: s.ping}
	switch {
	case o.sentinel:
		s.argv = append(s.argv, "--sentinel")
	case o.NoFile:
		s.argv = []string{"/bin/sh", "-c", `exec "$0" - <"$1"`, binary, conf}
	}
	own.write(t, conf, s.config(o))
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the log of Redis %s:\n%s", s.Addr(), s.log())
		}
		s.kill()
	})
	s.Start()
	return s
}

// config gives redis.conf; passwords stand in the file, not in the arguments that other users can see.
func (s *RedisServer) config(o RedisOptions) string {
	pass := o.password.Reveal()
	lines := []string{"bind 127.0.0.1", "daemonize no", "dir " + s.dir}
	users := []string{fmt.Sprintf("user default on >%s ~* &* +@all", pass), fmt.Sprintf("user %s on >%s ~* &* +@all", RedisUser, pass)}
	if o.ACLFile {
		s.owner.write(s.t, filepath.Join(s.dir, "users.acl"), strings.Join(users, "\n")+"\n")
		lines = append(lines, "aclfile "+filepath.Join(s.dir, "users.acl"))
	} else {
		lines = append(lines, "requirepass "+pass, users[1])
	}
	if !o.sentinel {
		lines = append(lines, `save ""`)
	}
	if o.AOF != "" {
		lines = append(lines, "appendonly yes", "appendfsync "+o.AOF)
	}
	if o.TLS {
		s.CAFile = o.authority.CAFile
		cert, key := o.authority.issue()
		s.cliCert, s.cliKey = filepath.Join(s.dir, "cert.pem"), filepath.Join(s.dir, "key.pem")
		s.owner.write(s.t, s.cliCert, cert)
		s.owner.write(s.t, s.cliKey, key)
		lines = append(lines, "port 0", "tls-port "+strconv.Itoa(s.port), "tls-auth-clients "+map[bool]string{true: "yes", false: "no"}[o.Mutual], "tls-replication yes", "tls-cluster yes",
			"tls-ca-cert-file "+s.CAFile, "tls-cert-file cert.pem", "tls-key-file key.pem")
	} else {
		lines = append(lines, "port "+strconv.Itoa(s.port))
	}
	return strings.Join(append(lines, o.Settings...), "\n") + "\n"
}

// Addr gives host:port.
func (s *RedisServer) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }

// TLS gives a client's configuration that trusts the server, nil without TLS.
func (s *RedisServer) TLS() *tls.Config {
	if s.authority == nil {
		return nil
	}
	return s.authority.Client()
}

// Start starts it again on the same port and data. Like all of the next ones it does nothing when that is so already.
func (s *RedisServer) Start() { s.t.Helper(); s.start() }

// Stop ends it in order (SIGTERM).
func (s *RedisServer) Stop() { s.t.Helper(); s.stop(syscall.SIGTERM) }

// Kill ends it with SIGKILL.
func (s *RedisServer) Kill() { s.kill() }

// Pause freezes it: connections stay open and nothing answers.
func (s *RedisServer) Pause() { s.pause() }

// Resume ends a pause.
func (s *RedisServer) Resume() { s.resume() }

// Do runs a command with redis-cli and gives its output. The test fails when the command does.
func (s *RedisServer) Do(args ...string) string {
	s.t.Helper()
	out, err := s.try(args...)
	if err != nil {
		s.t.Fatalf("redis-cli %s: %v", strings.Join(args, " "), err)
	}
	return out
}

func (s *RedisServer) ping() error {
	_, err := s.try("PING")
	return err
}

// try runs a command; -e makes redis-cli fail when the server answers with an error.
func (s *RedisServer) try(args ...string) (string, error) {
	argv := []string{"-e", "-h", "127.0.0.1", "-p", strconv.Itoa(s.port), "--user", s.User, "--no-auth-warning"}
	if s.CAFile != "" {
		argv = append(argv, "--tls", "--cacert", s.CAFile, "--cert", s.cliCert, "--key", s.cliKey)
	}
	var last io.Reader
	if n := len(args) - 1; strings.ContainsRune(args[n], 0) { // an argument of a process ends at a 0, such as an event's id may have
		argv, args, last = append(argv, "-x"), args[:n], strings.NewReader(args[n])
	}
	cmd := exec.Command(s.cli, append(argv, args...)...)
	cmd.Stdin = last
	cmd.Env = append(os.Environ(), "REDISCLI_AUTH="+s.Password.Reveal())
	out, err := cmd.CombinedOutput()
	text := strings.TrimSpace(string(out))
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, text)
	}
	return text, nil
}
