package secrets

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/muttproject/mutt/platform/fault"
)

func write(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil { // whatever the umask is
		t.Fatal(err)
	}
}

func read(t *testing.T, p Provider) map[Key]string {
	t.Helper()
	v, err := p.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	set, err := NewSet(v)
	if err != nil {
		t.Fatal(err)
	}
	return texts(set)
}

// TestDirectory mounts secrets as Kubernetes does: the files are links into ..data, which is a link that is turned.
func TestDirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	link := func(target, name string) {
		t.Helper()
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	turn := func(to string, files map[string]string) {
		t.Helper()
		if err := os.Mkdir(filepath.Join(dir, to), 0o700); err != nil {
			t.Fatal(err)
		}
		for name, text := range files {
			write(t, filepath.Join(dir, to, name), text, 0o644)
		}
		link(to, "..data_tmp")
		if err := os.Rename(filepath.Join(dir, "..data_tmp"), filepath.Join(dir, "..data")); err != nil {
			t.Fatal(err)
		}
	}
	turn("..1", map[string]string{"DB_PASS_CURRENT": "one\n", "OTHER": "x"})
	link(filepath.Join("..data", "DB_PASS_CURRENT"), "DB_PASS_CURRENT")
	p := Directory{dir}
	if d := cmp.Diff(map[Key]string{DBPass: "one"}, read(t, p)); d != "" {
		t.Error(d)
	}
	turn("..2", map[string]string{"DB_PASS_CURRENT": "two\r\n", "DB_PASS_NEXT": " three ", "MOOG_API_KEY": "\n"})
	if err := os.RemoveAll(filepath.Join(dir, "..1")); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(map[Key]string{DBPass: "two", DBPassNext: " three "}, read(t, p)); d != "" {
		t.Error(d)
	}
	v, _ := p.Read(t.Context())
	if got := v[DBPass]; got.Version.Provider != "directory" || time.Since(time.UnixMilli(got.Version.Number)) > time.Minute || got.Origin != modified(filepath.Join(dir, "DB_PASS_CURRENT"), got.Version) {
		t.Errorf("%+v", got)
	}
	for _, bad := range []Directory{{filepath.Join(dir, "none")}, {filepath.Join(dir, "..2", "DB_PASS_CURRENT")}} {
		if _, err := bad.Read(t.Context()); !fault.Is(err, fault.SecretsUnavailable) {
			t.Errorf("%v: %v", bad, err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "..2", "REDIS_PASS"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Read(t.Context()); !fault.Is(err, fault.SecretsUnavailable) || !strings.Contains(err.Error(), "the file of REDIS_PASS cannot be read") {
		t.Errorf("%v", err)
	}
}

func TestFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "secrets.yaml")
	p := File{path}
	for _, tc := range []struct{ text, wrong string }{
		{"", ""},
		{"# nothing\n", ""},
		{"DB_PASS: a\nREDIS_PASS_CURRENT: '12'\nMOOG_API_KEY: \"0123\"\nINGEST_API_KEY:\n", ""},
		{"billing_port: 5432\nnothing: null\nhosts: [a, b]\nowner: {name: x}\nDB_HOST: db.example.net\nDB_PASS: a\n? [1]\n: x\n", ""},
		{"db_pass: hunter2", "line 1: this is not the name of a secret; did you mean DB_PASS?"},
		{"base: &b {DB_PASS: hunter2}\n<<: *b\n", "line 2: merge keys (<<) are not read"},
		{"DB_PASS: hunter2\n---\nDB_PASS: hunter3\n", "the file has a second document"},
		{"DB_PASS: !vault hunter2", ""},
		{"DB_PAS: hunter2", "line 1: this is not the name of a secret; did you mean DB_PASS?"},
		{"hunter2: DB_PASS", ""},
		{"DB_PASS: a\nDB_PASS: hunter2", "line 2: DB_PASS is given twice"},
		{"hunter2", "wants keys with texts"},
		{"DB_PASS: *hunter2", "the file is not YAML"},
		{"DB_PASS: \"hunter2", "the file is not YAML"},
		{"\tDB_PASS: hunter2", "the file is not YAML"},
	} {
		write(t, path, tc.text, 0o600)
		_, err := p.Read(t.Context())
		if (err == nil) != (tc.wrong == "") || err != nil && (!fault.Is(err, fault.ConfigInvalid) || !strings.Contains(err.Error(), tc.wrong)) {
			t.Errorf("%q: %v", tc.text, err)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: its content is shown: %v", tc.text, err)
		}
	}
	write(t, path, "DB_PASS: a\nREDIS_PASS_CURRENT: '12'\nMOOG_API_KEY: &k \"0123\"\nINGEST_API_KEY: null\nINGEST_API_KEY_NEXT: *k\nother: 5\n", 0o600)
	if d := cmp.Diff(map[Key]string{DBPass: "a", RedisPass: "12", MoogKey: "0123", IngestKeyNext: "0123"}, read(t, p)); d != "" {
		t.Error(d)
	}
	for _, mode := range []os.FileMode{0o640, 0o604, 0o620, 0o601} {
		write(t, path, "DB_PASS: a", mode)
		_, err := p.Read(t.Context())
		if f, ok := fault.As(err); !ok || f.Code != fault.ConfigInvalid || !strings.Contains(f.Remedy, "chmod 600") {
			t.Errorf("mode %#o: %v", mode, err)
		}
	}
	write(t, path, strings.Repeat("#", maxFile+1), 0o400)
	if _, err := p.Read(t.Context()); !fault.Is(err, fault.SecretsUnavailable) {
		t.Errorf("too large: %v", err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Read(t.Context()); !fault.Is(err, fault.SecretsUnavailable) {
		t.Errorf("none: %v", err)
	}
}

// FuzzParseYAML: any bytes are read or refused, and no error has a word of them that is no name of a secret.
func FuzzParseYAML(f *testing.F) {
	for _, seed := range []string{"DB_PASS: zebra\n", "zebra: x", "DB_PASS: [zebra]", "DB_PASS: &zebra x\nMOOG_API_KEY: *zebra", "? zebra\n: x", "a: |\n zebra", "!!zebra x", "%zebra", "- zebra"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		values, err := parseYAML(text)
		if err != nil && strings.Contains(err.Error(), "zebra") {
			t.Fatalf("%v", err)
		}
		for k := range values {
			if strings.Contains(string(k), "zebra") {
				t.Fatalf("an unknown key %q", k)
			}
		}
	})
}
