package testkit

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/muttproject/mutt/platform/secret"
)

const superuser = "postgres"

// unpackCluster makes dir/data the data directory of a new server and gives its password. initdb is slow, so its result is kept
// as one file for all tests of this user; one file, because a cleaner of the cache can then only take it whole.
func unpackCluster(t testing.TB, o *owner, dir string) secret.Secret {
	t.Helper()
	parent, err := os.UserCacheDir()
	if err != nil {
		parent = os.TempDir() // no HOME
	}
	cache := cacheDir(t, parent)
	archive := filepath.Join(cache, clusterName(t))
	lock, err := os.OpenFile(archive+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatalf("lock the cluster's archive: %v", err)
	}
	defer lock.Close()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil { // one process makes it, the others wait
		t.Fatalf("lock the cluster's archive: %v", err)
	}
	if !exists(archive) {
		archiveCluster(t, o, archive)
	}
	f, err := os.Open(archive)
	if err != nil {
		t.Fatalf("open the cluster's archive: %v", err)
	}
	defer f.Close()
	run(t, o, dir, f, "tar", "-x")
	pass, err := os.ReadFile(filepath.Join(dir, "password"))
	if err != nil {
		t.Fatalf("read the cluster's password: %v", err)
	}
	return secret.New(strings.TrimSpace(string(pass)))
}

// clusterName names the archive after all that its content depends on.
func clusterName(t testing.TB) string {
	t.Helper()
	out, err := exec.Command(Binary(t, "initdb", "postgresql"), "--version").Output()
	if err != nil {
		t.Fatalf("ask for PostgreSQL's version: %v", err)
	}
	fields := strings.Fields(string(out)) // initdb (PostgreSQL) 15.14 (Debian ...)
	return fmt.Sprintf("postgres-%s-1.tar", fields[min(2, len(fields)-1)])
}

func archiveCluster(t testing.TB, o *owner, archive string) {
	t.Helper()
	dir := newDir(t, "initdb", o)
	pass, data := newPassword(t).Reveal(), filepath.Join(dir, "data")
	o.write(t, filepath.Join(dir, "password"), pass+"\n")
	run(t, o, dir, nil, Binary(t, "initdb", "postgresql"), "-D", data, "-U", superuser, "--pwfile=password",
		"--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions")
	role := fmt.Sprintf("CREATE ROLE %s LOGIN CREATEDB PASSWORD '%s'\n", PostgresUser, pass)
	o.write(t, filepath.Join(dir, "role.sql"), role)
	sql, err := os.Open(filepath.Join(dir, "role.sql"))
	if err != nil {
		t.Fatalf("open the role's statement: %v", err)
	}
	defer sql.Close()
	run(t, o, dir, sql, Binary(t, "postgres", "postgresql"), "--single", "-F", "-D", data, "postgres")
	run(t, o, dir, nil, "tar", "-cf", "cluster.tar", "data", "password")
	half := archive + ".half" // the cache may lie on another disk, where a rename is not possible
	run(t, &owner{}, dir, nil, "install", "-m", "600", "cluster.tar", half)
	if err := os.Rename(half, archive); err != nil {
		t.Fatalf("keep the cluster's archive: %v", err)
	}
}

// run runs a tool to its end under the owner, in a directory, with this input.
func run(t testing.TB, o *owner, dir string, in *os.File, name string, args ...string) {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	if in != nil {
		cmd.Stdin = in
	}
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "LC_ALL=C", "TZ=UTC"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: o.credential()}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", filepath.Base(name), err, out)
	}
}
