package secrets

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/private"
	"github.com/muttproject/mutt/platform/secret"
)

// maxFile bounds a file of secrets, in bytes.
const maxFile = 64 << 10

// Directory reads a directory with one file for each key, named like the key, as Kubernetes mounts a Secret.
type Directory struct{ Path string }

// Name implements Provider.
func (Directory) Name() string { return "directory" }

// Read implements Provider. Kubernetes replaces all files at once by turning the link ..data to another directory; what is read
// is of one of them.
func (d Directory) Read(context.Context) (Values, error) {
	for try := 0; ; try++ {
		before := d.target()
		values, err := d.read(before)
		if d.target() == before || try == 3 {
			return values, err
		}
	}
}

// target gives the directory that the files are in.
func (d Directory) target() string {
	if real, err := filepath.EvalSymlinks(filepath.Join(d.Path, "..data")); err == nil {
		return real
	}
	return d.Path
}

func (d Directory) read(dir string) (Values, error) {
	if err := errors.Join(private.CheckMount(d.Path), private.CheckMount(dir)); fault.Is(err, fault.FileUnsafe) {
		return nil, err
	}
	if _, err := os.ReadDir(dir); err != nil {
		return nil, fault.Wrap(fault.SecretsUnavailable, err, "the directory of secrets cannot be read").WithRemedy("check secrets.dir and its mode")
	}
	out := Values{}
	for _, k := range namesOf(Keys()) {
		v, err := ReadFile(filepath.Join(dir, string(k)))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if fault.Is(err, fault.FileUnsafe) {
			return nil, err
		}
		if err != nil {
			return nil, fault.Wrap(fault.SecretsUnavailable, err, "the file of %s cannot be read", k).WithRemedy("check the mode of the files in secrets.dir")
		}
		v.Version.Provider, v.Origin = "directory", modified(filepath.Join(d.Path, string(k)), v.Version)
		out[k] = v
	}
	return out, nil
}

// namesOf gives every name that a provider may use for the keys.
func namesOf(keys []Key) (out []Key) {
	for _, k := range keys {
		out = append(out, k)
		if old := legacy(k); old != "" {
			out = append(out, old)
		}
	}
	return out
}

// ReadFile reads a secret that has a file of its own, as it stands there.
func ReadFile(path string) (Value, error) {
	text, info, exposed, err := private.Read(path, maxFile)
	if err != nil {
		return Value{}, err
	}
	version := Version{Provider: "file", Number: info.ModTime().UnixMilli()}
	return Value{Secret: secret.New(string(text)), Origin: modified(path, version), Version: version, Exposed: exposed}, nil
}

// modified names a version of a file for people.
func modified(path string, v Version) string {
	return "file " + path + " modified " + time.UnixMilli(v.Number).UTC().Format("2006-01-02T15:04:05Z")
}
