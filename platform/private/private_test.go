package private_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/private"
)

const stranger = 54321 // a user that no process of the tests runs as

func put(t *testing.T, path string, mode fs.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil { // whatever the umask is
		t.Fatal(err)
	}
}

// TestWrite: whatever was there, the file has the new content and mode 0600, and nothing else is left in the directory.
func TestWrite(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(path string) string{
		"new":                    func(path string) string { return path },
		"empty, others may read": func(path string) string { put(t, path, 0o644); return path },
		"a link": func(path string) string {
			put(t, path+".target", 0o666)
			if err := os.Symlink(path+".target", path); err != nil {
				t.Fatal(err)
			}
			return path + ".target"
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "admin.key")
			target := prepare(path)
			before, _ := os.Stat(target)
			if err := private.Write(path, []byte("secret")); err != nil {
				t.Fatal(err)
			}
			text, err := os.ReadFile(path)
			after, err2 := os.Stat(target)
			if err := errors.Join(err, err2); err != nil || string(text) != "secret" || after.Mode().Perm() != 0o600 {
				t.Errorf("%q %v %v", text, after, err)
			}
			if before != nil && os.SameFile(before, after) {
				t.Error("the old file got the new content: who has it open reads the secret")
			}
			entries, _ := os.ReadDir(dir)
			for _, e := range entries {
				if !strings.HasPrefix(e.Name(), "admin.key") {
					t.Errorf("%s is left behind", e.Name())
				}
			}
		})
	}
	if err := private.Write(os.DevNull, []byte("x")); err != nil {
		t.Errorf("a device: %v", err)
	}
	if info, err := os.Stat(os.DevNull); err != nil || info.Mode().IsRegular() {
		t.Fatalf("the device was replaced: %v %v", info, err)
	}
	dir := t.TempDir()
	if err := private.Write(filepath.Join(dir, "none", "file"), nil); err == nil {
		t.Error("a missing directory is no error")
	}
	if err := private.Write(dir, nil); err == nil {
		t.Error("a directory is no error")
	}
}

func TestEnsure(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	fresh, wide, narrow := filepath.Join(dir, "fresh"), filepath.Join(dir, "wide"), filepath.Join(dir, "narrow")
	put(t, wide, 0o666)
	put(t, narrow, 0o400)
	for path, want := range map[string]fs.FileMode{fresh: 0o600, wide: 0o600, narrow: 0o400} {
		if err := private.Ensure(path); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v %v", path, info.Mode(), err)
		}
	}
}

// verdict sums up what a check says.
func verdict(warning string, err error) string {
	f, _ := fault.As(err)
	switch {
	case f != nil && f.Code == fault.FileUnsafe:
		return "refused: " + f.Remedy
	case err != nil:
		return err.Error()
	case warning != "":
		return "warns"
	}
	return "fine"
}

// TestModes goes through every mode: what others may write is refused, what they may read warns.
func TestModes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, sub := filepath.Join(dir, "key"), filepath.Join(dir, "data")
	put(t, file, 0o600)
	if err := os.Mkdir(sub, 0o700); err != nil {
		t.Fatal(err)
	}
	uid, gid := os.Geteuid(), os.Getegid()
	if uid == 0 {
		gid = stranger // else the private group of a user has a meaning of its own
		for _, path := range []string{file, sub} {
			if err := os.Chown(path, uid, gid); err != nil {
				t.Fatal(err)
			}
		}
	} else if uid == gid {
		t.Skip("the files of this user belong to a group of its own; run as root")
	}
	for mode := range fs.FileMode(0o1000) {
		if mode&0o400 == 0 {
			continue // not even its owner reads it
		}
		want := "fine"
		switch {
		case mode&0o022 != 0:
			want = "refused"
		case mode&0o044 != 0:
			want = "warns"
		}
		if err := errors.Join(os.Chmod(file, mode), os.Chmod(sub, mode|0o100)); err != nil {
			t.Fatal(err)
		}
		_, _, warning, err := private.Read(file, 10)
		if got := verdict(warning, err); !strings.HasPrefix(got, want) || want == "refused" && !strings.Contains(got, "chmod 600 "+file) {
			t.Errorf("file %04o: %s, want %s", mode, got, want)
		}
		if got := verdict(private.CheckDirectory(sub)); !strings.HasPrefix(got, want) || want == "refused" && !strings.Contains(got, "chmod 700 "+sub) {
			t.Errorf("directory %04o: %s, want %s", mode, got, want)
		}
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		if got := verdict("", private.CheckWriters(file, info)); (want == "refused") != strings.HasPrefix(got, "refused: run: chmod go-w "+file) {
			t.Errorf("what anybody may read, %04o: %s", mode, got)
		}
	}
	// A volume of Kubernetes: everybody may add to the directory, nobody may replace what is there.
	for mode, want := range map[fs.FileMode]string{0o777 | fs.ModeSticky: "fine", 0o777: "refused", 0o755: "fine"} {
		if err := os.Chmod(sub, mode); err != nil {
			t.Fatal(err)
		}
		if got := verdict("", private.CheckMount(sub)); !strings.HasPrefix(got, want) {
			t.Errorf("mount %v: %s", mode, got)
		}
	}
}

// TestOwners needs root, which alone can make the files of others.
func TestOwners(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can give files to other users")
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "key")
	put(t, file, 0o600)
	if err := errors.Join(os.Chown(file, stranger, 0), os.Chown(dir, stranger, 0)); err != nil {
		t.Fatal(err)
	}
	_, _, _, err := private.Read(file, 10)
	_, dirErr := private.CheckDirectory(dir)
	for what, err := range map[string]error{"file": err, "directory": dirErr, "mount": private.CheckMount(dir)} {
		if got := verdict("", err); !strings.Contains(got, "refused: run MUTT as that user, or run: chown 0 ") {
			t.Errorf("%s: %s", what, got)
		}
	}
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if warning, err := private.CheckMode(file, info); warning != "" || err != nil {
		t.Errorf("a command judges by the mode alone: %s %v", warning, err)
	}
	if err := errors.Join(os.Chmod(file, 0o660), os.Chown(file, stranger, stranger)); err != nil {
		t.Fatal(err)
	}
	if info, err = os.Stat(file); err != nil {
		t.Fatal(err)
	}
	if warning, err := private.CheckMode(file, info); warning != "" || err != nil {
		t.Errorf("the group of the same number as the owner is the owner: %s %v", warning, err)
	}
	if err := os.Chown(file, 0, stranger); err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := private.Read(file, 10); !fault.Is(err, fault.FileUnsafe) {
		t.Errorf("a group of others may write: %v", err)
	}
}

func TestReadBounds(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "key")
	put(t, path, 0o600)
	if text, info, warning, err := private.Read(path, 3); string(text) != "old" || info == nil || warning != "" || err != nil {
		t.Errorf("%q %v %q %v", text, info, warning, err)
	}
	if _, _, _, err := private.Read(path, 2); err == nil {
		t.Error("more than the limit is read")
	}
	if _, _, _, err := private.Read(path+".none", 2); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
	if _, _, _, err := private.Read(filepath.Dir(path), 2); err == nil {
		t.Error("a directory is read")
	}
}

func TestQuote(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{"/run/a-b_c.1": "/run/a-b_c.1", "": "''", "a b": "'a b'", "it's": `'it'\''s'`, "$(x)": "'$(x)'", "\x1b[2J": "'\x1b[2J'"} {
		if got := private.Quote(path); got != want {
			t.Errorf("%q: %s", path, got)
		}
	}
}
