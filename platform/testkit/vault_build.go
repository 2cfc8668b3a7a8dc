package testkit

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// vaultBinary gives the program of platform/testkit/vaultserver, a module of its own because no package has a Vault that
// may be had. It is built once for each state of its source, which takes minutes, and kept in the user's cache directory; test
// processes that come meanwhile wait.
func vaultBinary(t testing.TB) string {
	t.Helper()
	source := filepath.Join(moduleRoot(t), "platform", "testkit", "vaultserver")
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	path := filepath.Join(cacheDir(t, cache), "vaultserver-"+sourceHash(t, source))
	lock, err := os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatalf("lock the Vault server's program: %v", err)
	}
	defer func() { _ = lock.Close() }()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		t.Fatalf("lock the Vault server's program: %v", err)
	}
	if exists(path) {
		return path
	}
	if out, err := buildVault(source, path); err != nil {
		say := t.Skipf
		if os.Getenv("MUTT_TEST_REQUIRE") == "1" {
			say = t.Fatalf
		}
		say("build the Vault server in %s: %v\n%s", source, err, out)
	}
	return path
}

func buildVault(source, path string) (string, error) {
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", path+".new", ".")
	cmd.Dir, cmd.Env = source, append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		return string(out), err
	}
	return "", os.Rename(path+".new", path)
}

// moduleRoot finds the repository from the directory that the tests of a package run in.
func moduleRoot(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	for err == nil && dir != filepath.Dir(dir) {
		text, readErr := os.ReadFile(filepath.Join(dir, "go.mod"))
		if readErr == nil && bytes.HasPrefix(text, []byte("module github.com/muttproject/mutt\n")) {
			return dir
		}
		dir = filepath.Dir(dir)
	}
	t.Fatalf("the repository was not found: %v", err)
	return ""
}

// sourceHash names what the program is made of.
func sourceHash(t testing.TB, dir string) string {
	t.Helper()
	sum := sha256.New()
	sum.Write([]byte(runtime.Version()))
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") && !strings.HasPrefix(d.Name(), "go.") {
			return err
		}
		text, err := os.ReadFile(path)
		sum.Write([]byte(path[len(dir):]))
		sum.Write(text)
		return err
	})
	if err != nil {
		t.Fatal(errors.Join(errors.New("read the Vault server's source"), err))
	}
	return hex.EncodeToString(sum.Sum(nil)[:8])
}
