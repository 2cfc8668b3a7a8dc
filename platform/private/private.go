// Package private writes the files of a process so that only its user reads them, and judges files that hold secrets by who else could
// have read or written them.
//
// Principles:
//  1. A file is created with mode 0600 whatever the umask is, and is replaced whole: a reader finds the old content or the new one, also
//     after a power cut, and never a new secret under an old, wider mode.
//  2. A file or directory that somebody other than root and the user of the process may change is refused, with the command that mends it:
//     anyone who changes it chooses the secrets that the process trusts.
//  3. One that others may only read is accepted with a warning. Kubernetes and Docker mount secrets that everybody in the container reads.
package private

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Modes of what a process creates.
const (
	fileMode      fs.FileMode = 0o600
	directoryMode fs.FileMode = 0o700
)

// Write replaces a file whole, or creates it. What a link leads to is replaced, not the link. A device or a pipe, such as /dev/stdout, is
// written to as it is.
func Write(path string, data []byte) error {
	if info, err := os.Stat(path); err == nil {
		if !info.Mode().IsRegular() {
			return writeTo(path, data)
		}
		if path, err = filepath.EvalSymlinks(path); err != nil {
			return err
		}
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*.new") // mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Close()); err == nil {
		err = Publish(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

func writeTo(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}

// Publish makes a finished file durable and then gives it the name that readers know, in the place of what had that name.
func Publish(finished, path string) error {
	f, err := os.OpenFile(finished, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Chmod(fileMode), f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(finished, path); err != nil {
		return err
	}
	return syncDirectory(filepath.Dir(path))
}

// Ensure creates an empty file, durable in its directory, or closes an existing one to others. It is for files that are changed in
// place, such as a database or a lock. The content is not opened: closing it would drop SQLite's locks on it.
func Ensure(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, fileMode)
	if errors.Is(err, fs.ErrExist) {
		return closeToOthers(path)
	}
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return syncDirectory(filepath.Dir(path))
}

func closeToOthers(path string) error {
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm()&^fileMode == 0 {
		return err
	}
	return os.Chmod(path, fileMode)
}

// TemporaryDirectory creates a directory of its own for a process; the caller removes it.
func TemporaryDirectory(name string) (path string, err error) { return os.MkdirTemp("", name+"-*") }

// EnsureDirectory creates a directory that only the user of the process enters, and its parents. An existing one keeps its mode: judge
// it with CheckDirectory.
func EnsureDirectory(path string) error { return os.MkdirAll(path, directoryMode) }

// syncDirectory makes the names of a directory durable.
func syncDirectory(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("sync the directory %s: %w", path, err)
	}
	return nil
}
