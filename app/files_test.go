package app

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/muttproject/mutt/platform/fault"
)

// TestAGeneratedKeyReplacesTheFile: an empty file that others may read does not get the key.
func TestAGeneratedKeyReplacesTheFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), AdminKeyFile)
	chmod := func(mode os.FileMode) {
		t.Helper()
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	chmod(0o644)
	before, err := os.Open(path) // what another user may have done
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = before.Close() }()
	var warnings []string
	warn := func(text string) { warnings = append(warnings, text) }
	key, made, err := keyFile(path, warn)
	if err != nil || !made || key.Empty() {
		t.Fatal(key, made, err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if old, err := before.Stat(); err != nil || old.Size() > 0 {
		t.Errorf("who had the old file open reads %d bytes of the key (%v)", old.Size(), err)
	}
	if again, made, err := keyFile(path, warn); err != nil || made || !again.Equal(key) || len(warnings) > 0 {
		t.Errorf("read again: %v %v %v", made, err, warnings)
	}
	chmod(0o644)
	if _, _, err := keyFile(path, warn); err != nil || len(warnings) != 1 || !strings.Contains(warnings[0], "chmod 600 "+path) {
		t.Errorf("others may read: %v %v", warnings, err)
	}
	chmod(0o602)
	if _, _, err := keyFile(path, warn); !fault.Is(err, fault.FileUnsafe) {
		t.Errorf("others may write: %v", err)
	}
}

// TestConfigurationFilesOfOthers: a file that was only found is refused when others may have written it; one that was named warns.
func TestConfigurationFilesOfOthers(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(path string) error{
		"others may write": func(path string) error { return os.Chmod(path, 0o602) },
		"another owner":    func(path string) error { return os.Chown(path, 54321, -1) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := write(t, "mutt.yaml", "process: theirs")
			if c, warnings, err := Load(Sources{Search: []string{path}}); err != nil || len(warnings) > 0 || c.Process != "theirs" {
				t.Fatalf("as it should be: %q %v %v", c.Process, warnings, err)
			}
			if err := os.Chmod(path, 0o644); err != nil {
				t.Fatal(err)
			}
			if _, warnings, err := Load(Sources{Search: []string{path}}); err != nil || len(warnings) > 0 {
				t.Errorf("others may read it: %v %v", warnings, err)
			}
			if err := spoil(path); err != nil {
				t.Skip(err) // only root can give a file away
			}
			c, _, err := Load(Sources{Search: []string{path}})
			f, _ := fault.As(err)
			if f == nil || f.Code != fault.FileUnsafe || c.Process != "" || !strings.Contains(f.Remedy, "run: ch") || !strings.Contains(f.Remedy, "--config "+path) {
				t.Errorf("found: %q %v", c.Process, err)
			}
			for _, named := range []Sources{{File: path}, {Environ: []string{"MUTT_CONFIG=" + path}}} {
				c, warnings, err := Load(named)
				if err != nil || c.Process != "theirs" || len(warnings) != 1 || !strings.Contains(warnings[0], path) {
					t.Errorf("named: %q %v %v", c.Process, warnings, err)
				}
			}
		})
	}
}

// TestSecretFilesOfOthers: the file of a secret that others may write to ends the start, by whichever setting it is named.
func TestSecretFilesOfOthers(t *testing.T) {
	t.Parallel()
	path := write(t, "key", "the-admin-key-for-tests")
	if err := os.Chmod(path, 0o666); err != nil {
		t.Fatal(err)
	}
	_, _, err := Load(Sources{Set: []string{"admin.api_key_file=" + path}})
	if err == nil || !strings.Contains(err.Error(), "others may write to the file "+path) || !strings.Contains(err.Error(), "chmod 600 "+path) {
		t.Error(err)
	}
}
