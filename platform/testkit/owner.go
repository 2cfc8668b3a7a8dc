package testkit

import (
	"os"
	"os/user"
	"strconv"
	"syscall"
	"testing"
)

// owner is the user that a server runs under; the zero owner is the one of the test.
type owner struct{ uid, gid int }

// unprivileged gives another user when the test runs as root, because PostgreSQL refuses to run as root.
func unprivileged(t testing.TB) *owner {
	t.Helper()
	if os.Geteuid() != 0 {
		return &owner{}
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uerr := strconv.Atoi(u.Uid)
		gid, gerr := strconv.Atoi(u.Gid)
		if uerr == nil && gerr == nil && uid != 0 {
			return &owner{uid: uid, gid: gid}
		}
	}
	t.Fatal("PostgreSQL does not run as root, and there is neither a user postgres nor nobody")
	return nil
}

func (o *owner) credential() *syscall.Credential {
	if o.uid == 0 {
		return nil
	}
	return &syscall.Credential{Uid: uint32(o.uid), Gid: uint32(o.gid)}
}

// give makes the owner the owner of a file or directory.
func (o *owner) give(t testing.TB, path string) {
	t.Helper()
	if o.uid == 0 {
		return
	}
	if err := os.Chown(path, o.uid, o.gid); err != nil {
		t.Fatalf("give %s to the server's user: %v", path, err)
	}
}

// write writes a file that only the owner can read.
func (o *owner) write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatalf("write a server's file: %v", err)
	}
	o.give(t, path)
}
