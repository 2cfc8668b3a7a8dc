package private

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"github.com/muttproject/mutt/platform/fault"
)

// Bits of a mode: what the group and everybody may do.
const (
	groupWrites, everybodyWrites fs.FileMode = 0o020, 0o002
	groupReads, everybodyReads   fs.FileMode = 0o040, 0o004
)

// Read reads a file that holds a secret, up to limit bytes. The error is a fault.FileUnsafe where others could have written the file. The
// warning, "" for none, says that others may read it.
func Read(path string, limit int64) (text []byte, info fs.FileInfo, warning string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, "", err
	}
	defer func() { _ = f.Close() }()
	if info, err = f.Stat(); err != nil {
		return nil, nil, "", err
	}
	if !info.Mode().IsRegular() {
		return nil, nil, "", fmt.Errorf("%s is not a file", path)
	}
	if warning, err = Check(path, info); err != nil {
		return nil, nil, "", err
	}
	text, err = io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(text)) > limit {
		err = fmt.Errorf("%s is larger than %d bytes", path, limit)
	}
	return text, info, warning, err
}

// Check judges a file that holds a secret by its mode and owner.
func Check(path string, info fs.FileInfo) (warning string, err error) {
	if err := owned("file", path, info); err != nil {
		return "", err
	}
	return CheckMode(path, info)
}

// CheckMode judges a file that holds a secret by its mode alone. It is for commands, which root and the user of a server both run.
func CheckMode(path string, info fs.FileInfo) (warning string, err error) {
	rights := rightsOf(info)
	if rights&(groupWrites|everybodyWrites) != 0 {
		return "", writable("file", path, info).WithRemedy("run: chmod 600 %s", Quote(path))
	}
	if rights&(groupReads|everybodyReads) != 0 {
		return fmt.Sprintf("others may read the file %s (mode %04o); unless it is mounted like that for this process alone, run: chmod 600 %s",
			path, info.Mode().Perm(), Quote(path)), nil
	}
	return "", nil
}

// CheckWriters refuses a file that somebody other than root and the user of the process may change, and that anybody may read.
func CheckWriters(path string, info fs.FileInfo) error {
	if err := owned("file", path, info); err != nil {
		return err
	}
	if rightsOf(info)&(groupWrites|everybodyWrites) != 0 {
		return writable("file", path, info).WithRemedy("run: chmod go-w %s", Quote(path))
	}
	return nil
}

// Mine reports whether a file belongs to the user of the process, who can change its mode.
func Mine(info fs.FileInfo) bool {
	uid, _ := owner(info)
	return uid == os.Geteuid()
}

func writable(what, path string, info fs.FileInfo) *fault.Error {
	return fault.New(fault.FileUnsafe, "others may write to the %s %s (mode %04o)", what, path, info.Mode().Perm())
}

// CheckDirectory judges a directory that holds the data of a process. The warning, "" for none, says that others may list it.
func CheckDirectory(path string) (warning string, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if err := owned("directory", path, info); err != nil {
		return "", err
	}
	rights := rightsOf(info)
	if !Mine(info) {
		rights &^= groupReads | groupWrites // the process itself has its right from the group, as on a volume that Kubernetes mounts with fsGroup
	}
	if rights&(groupWrites|everybodyWrites) != 0 {
		return "", writable("directory", path, info).
			WithRemedy("run: chmod 700 %s; or set a directory inside of it, which MUTT creates for its own user", Quote(path))
	}
	if rights&(groupReads|everybodyReads) != 0 {
		return fmt.Sprintf("others may list the directory %s (mode %04o); run: chmod 700 %s", path, info.Mode().Perm(), Quote(path)), nil
	}
	return "", nil
}

// CheckMount judges a directory of secret files that something else fills. In a sticky directory, as Kubernetes mounts one, others may
// add files and cannot replace any; the owner of each file is checked when it is read.
func CheckMount(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if err := owned("directory", path, info); err != nil {
		return err
	}
	if rightsOf(info)&(groupWrites|everybodyWrites) != 0 && info.Mode()&fs.ModeSticky == 0 {
		return writable("directory", path, info).WithRemedy("run: chmod go-w %s", Quote(path))
	}
	return nil
}

// owned refuses what belongs to a user other than root and that of the process.
func owned(what, path string, info fs.FileInfo) error {
	if owner, _ := owner(info); owner != 0 && owner != os.Geteuid() {
		return fault.New(fault.FileUnsafe, "the %s %s belongs to another user (uid %d), who may change it", what, path, owner).
			WithRemedy("run MUTT as that user, or run: chown %d %s", os.Geteuid(), Quote(path))
	}
	return nil
}

// rightsOf returns the mode without the rights of a group that has only its owner in it: where each user has a group of the same number,
// the usual umask lets that group write.
func rightsOf(info fs.FileInfo) fs.FileMode {
	mode := info.Mode().Perm()
	if uid, gid := owner(info); uid == gid && uid != 0 {
		mode &^= groupReads | groupWrites
	}
	return mode
}

func owner(info fs.FileInfo) (uid, gid int) {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(st.Uid), int(st.Gid)
	}
	return os.Geteuid(), os.Getegid() // not of a file system that has owners
}

// Quote returns a path as a shell takes it.
func Quote(path string) string {
	if path != "" && strings.Trim(path, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+@:") == "" {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}
