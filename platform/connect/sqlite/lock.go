package sqlite

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/private"
)

// LockFile is the name of the lock in a data directory.
const LockFile = "mutt.lock"

// maxLockText bounds what is read of a lock file, in bytes.
const maxLockText = 256

// DirLock is the exclusive right to a data directory. It ends with Unlock or with the process, however that ends.
type DirLock struct {
	file    *os.File
	warning string
}

// Warning says that others may list the directory, "" when they may not.
func (l *DirLock) Warning() string { return l.warning }

// Lock takes the data directory, creating it (mode 0700) when it is missing. When another process has it, the error is DataDirLocked
// and names that process. A directory that others may write to is refused: they could replace the databases and the keys in it.
func Lock(dir string) (*DirLock, error) {
	if err := private.EnsureDirectory(dir); err != nil {
		return nil, fmt.Errorf("create the data directory: %w", err)
	}
	warning, err := private.CheckDirectory(dir)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, LockFile)
	if err := private.Ensure(path); err != nil {
		return nil, fmt.Errorf("create the lock of the data directory: %w", err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("open the lock of the data directory: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, errors.Join(refusal(f, dir, err), f.Close())
	}
	l := &DirLock{file: f, warning: warning}
	if err := l.sign(); err != nil {
		return nil, errors.Join(fmt.Errorf("sign the lock of the data directory: %w", err), l.Unlock())
	}
	return l, nil
}

// Unlock gives the directory back. The file stays: removing it would let two processes lock two files of one name.
func (l *DirLock) Unlock() error {
	if l == nil || l.file == nil {
		return nil
	}
	f := l.file
	l.file = nil
	return errors.Join(f.Truncate(0), f.Close())
}

// sign writes who holds the lock, for the one that is refused.
func (l *DirLock) sign() error {
	text := fmt.Sprintf("pid %d since %s\n", os.Getpid(), time.Now().UTC().Format(time.RFC3339))
	if err := l.file.Truncate(0); err != nil {
		return err
	}
	_, err := l.file.WriteAt([]byte(text), 0)
	return err
}

func refusal(f *os.File, dir string, cause error) error {
	if !errors.Is(cause, unix.EWOULDBLOCK) {
		return fmt.Errorf("lock the data directory: %w", cause)
	}
	holder := "another process"
	if text, err := io.ReadAll(io.LimitReader(f, maxLockText)); err == nil && len(text) > 0 {
		holder = strings.TrimSpace(string(text)) // the holder may be between locking and signing
	}
	return fault.Wrap(fault.DataDirLocked, cause, "the data directory %s is in use by MUTT (%s)", dir, holder)
}
