package acceptance

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/muttproject/mutt/app/apptest"
)

// containerUser is the user of the image.
const containerUser = 65532

// asContainerUser copies the binary to where any user finds it, and returns a command that runs it as that of the image.
func asContainerUser(t *testing.T, dir string, args ...string) *exec.Cmd {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can start a process of another user")
	}
	program := filepath.Join(dir, "mutt")
	data, err := os.ReadFile(binary(t))
	if err == nil {
		err = os.WriteFile(program, data, 0o700)
	}
	if err := errors.Join(err, os.Chmod(program, 0o755), os.Chmod(dir, 0o755), os.Chmod(filepath.Dir(dir), 0o755)); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, args...)
	cmd.Dir = dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: containerUser, Gid: containerUser}}
	return cmd
}

// mount creates a directory of secrets as Kubernetes mounts it: owned by root, sticky, readable by everybody, and behind links.
func mount(t *testing.T, dir string, mode fs.FileMode, files map[string]string) string {
	t.Helper()
	path, inner := filepath.Join(dir, "mount"), filepath.Join(dir, "mount", "..2026_11_30")
	err := errors.Join(os.Mkdir(path, 0o700), os.Mkdir(inner, 0o700), os.Symlink("..2026_11_30", filepath.Join(path, "..data")))
	for name, text := range files {
		file := filepath.Join(inner, name)
		err = errors.Join(err, os.WriteFile(file, []byte(text), 0o600), os.Chmod(file, mode), os.Symlink(filepath.Join("..data", name), filepath.Join(path, name)))
	}
	if err := errors.Join(err, os.Chmod(inner, 0o755), os.Chmod(path, 0o777|fs.ModeSticky)); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestMountedSecrets starts the binary as the user of the image on secrets that root has mounted: it runs, and warns once for each setting.
func TestMountedSecrets(t *testing.T) {
	t.Parallel()
	for _, mode := range []fs.FileMode{0o444, 0o644} {
		t.Run(mode.String(), func(t *testing.T) {
			t.Parallel()
			dir, d := t.TempDir(), apptest.NewDestination(t)
			secrets := mount(t, dir, mode, map[string]string{"INGEST_API_KEY": apptest.IngestKey + "\n", "WEBUI_API_KEY": apptest.AdminKey + "\n", "moog": apptest.MoogKey})
			s := newSite(t, dir, d.URL, "INGEST_API_KEY=", "WEBUI_API_KEY=", "MOOG_API_KEY=", "MUTT_SECRETS_DIR="+secrets, "MUTT_SECRETS_POLL_INTERVAL=100ms")
			cmd := asContainerUser(t, dir, "serve", "--set", "forward.api_key_file="+filepath.Join(secrets, "moog"))
			if err := errors.Join(os.Mkdir(s.dir, 0o700), os.Chown(s.dir, containerUser, containerUser)); err != nil {
				t.Fatal(err)
			}
			p := launch(t, s, cmd)
			p.ready()
			p.stop()
			if n := s.complaints(t)["warn: secrets can be read by others"]; n != 2 { // of the directory and of the settings
				t.Errorf("%d warnings: %v", n, s.complaints(t))
			}
		})
	}
}

// TestFilesOfOthersEndTheStart: what another user may change is refused, by the command that mends it. After that command MUTT starts.
func TestFilesOfOthersEndTheStart(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoil func(dir string) error
		want  string // of the log, in which DIR stands for the directory of the test
	}{
		"data directory": {func(dir string) error {
			return errors.Join(os.Mkdir(dir+"/data", 0o700), os.Chmod(dir+"/data", 0o777))
		}, "run: chmod 700 DIR/data"},
		"file of a secret": {func(dir string) error { return os.Chmod(dir+"/moog", 0o666) }, "run: chmod 600 DIR/moog"},
		"configuration": {func(dir string) error {
			return errors.Join(os.WriteFile(dir+"/mutt.yaml", []byte("process: theirs\n"), 0o600), os.Chmod(dir+"/mutt.yaml", 0o666))
		}, "run: chmod go-w mutt.yaml"},
		"generated key": {func(dir string) error {
			return errors.Join(os.Mkdir(dir+"/data", 0o700), os.WriteFile(dir+"/data/admin.key", []byte("the-admin-key-of-a-stranger"), 0o600), os.Chmod(dir+"/data/admin.key", 0o622))
		}, "run: chmod 600 DIR/data/admin.key"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, d := t.TempDir(), apptest.NewDestination(t)
			s := newSite(t, dir, d.URL, "MOOG_API_KEY=", "WEBUI_API_KEY=")
			if err := errors.Join(os.WriteFile(dir+"/moog", []byte(apptest.MoogKey), 0o600), c.spoil(dir)); err != nil {
				t.Fatal(err)
			}
			start := func() *process {
				cmd := exec.Command(binary(t), "serve", "--set", "forward.api_key_file="+dir+"/moog")
				cmd.Dir = dir
				return launch(t, s, cmd)
			}
			err := start().wait()
			want := strings.ReplaceAll(c.want, "DIR", dir)
			if log := s.tail(); err == nil || !strings.Contains(log, want) {
				t.Fatalf("%v: the log does not say %q:\n%s", err, want, log)
			}
			mend := exec.Command("sh", "-c", strings.TrimPrefix(want, "run: "))
			mend.Dir = dir
			if out, err := mend.CombinedOutput(); err != nil {
				t.Fatalf("%v %s", err, out)
			}
			p := start()
			p.ready()
			p.stop()
		})
	}
}
