package app

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/muttproject/mutt/platform/fault"
)

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFileEnvironmentFlags(t *testing.T) {
	t.Parallel()
	file := write(t, "mutt.yaml", "roles: [ingestor]\nshutdown_timeout: 10s\nqueue:\n  partitions: 8\nlisteners:\n  ingest: 127.0.0.1:1000\nredis:\n  host: r\n")
	from := Sources{File: file, Environ: []string{"MUTT_SHUTDOWN_TIMEOUT=20s", "MUTT_QUEUE_PARTITIONS=9", "SERVER_PORT_INGESTOR=2000", "MUTT_CONFIG=/nowhere"},
		Set: []string{"queue.partitions=10"}, Flags: map[string]string{"roles": "forwarder,ingestor"}}
	c, warnings, err := Load(from)
	if err != nil || len(warnings) > 0 {
		t.Fatal(warnings, err)
	}
	if c.ShutdownTimeout != 20*time.Second || c.Queue.Partitions != 10 || c.Ingest.Addr != "127.0.0.1:2000" || c.Roles.String() != "ingestor,forwarder" ||
		!cmp.Equal(c.Redis.Addrs(), []string{"r:6379"}) || c.Check(c.Roles) != nil {
		t.Fatalf("got %+v", c)
	}
	var sources []string
	for _, v := range c.Values() {
		if v.Source != "default" {
			sources = append(sources, v.Path+" "+strings.ReplaceAll(v.Source, file, "F"))
		}
	}
	want := []string{"roles flag --roles", "shutdown_timeout environment MUTT_SHUTDOWN_TIMEOUT", "listeners.ingest environment SERVER_PORT_INGESTOR", "queue.partitions flag --set", "redis.host F:8",
		"redis.tls_enabled default: an address is not this machine"}
	if d := cmp.Diff(want, sources); d != "" {
		t.Error(d)
	}
}

func TestWhereTheFileIs(t *testing.T) {
	t.Parallel()
	first, second, missing := write(t, "a.yaml", "process: first"), write(t, "b.yaml", "process: second"), filepath.Join(t.TempDir(), "none.yaml")
	for _, tc := range []struct {
		from Sources
		want string // "" for an error
	}{
		{Sources{File: first, Environ: []string{"MUTT_CONFIG=" + second}}, "first"},
		{Sources{Search: []string{first}, Environ: []string{"MUTT_CONFIG=" + second}}, "second"},
		{Sources{Search: []string{missing, second, first}}, "second"},
		{Sources{Search: []string{missing}, Environ: []string{"POD_NAME=none", "MUTT_CONFIG="}}, "none"},
		{Sources{File: missing}, ""},
		{Sources{Environ: []string{"MUTT_CONFIG=" + missing}}, ""},
		{Sources{Search: []string{t.TempDir()}}, ""},
	} {
		c, _, err := Load(tc.from)
		if c.Process != tc.want || (err == nil) != (tc.want != "") || err != nil && !fault.Is(err, fault.ConfigInvalid) {
			t.Errorf("%+v: %q %v", tc.from, c.Process, err)
		}
	}
}

// TestTable: the table of settings holds together.
func TestTable(t *testing.T) {
	t.Parallel()
	seen, sections, last := map[string]bool{}, []string{}, ""
	once := func(name string) {
		if seen[name] {
			t.Errorf("%s is there twice", name)
		}
		seen[name] = true
	}
	for _, s := range settings(new(Config)) {
		once(s.Path)
		if s.Flag != "" {
			once("--" + s.Flag)
		}
		for _, v := range s.Variables {
			once(v.Name)
		}
		if section, _, nested := strings.Cut(s.Path, "."); nested && section != last {
			sections, last = append(sections, section), section
		}
		if s.About == "" || (s.Default == "") == (s.Example == "") || strings.Count(s.Path, ".") > 2 || s.Value.Secret() != strings.Contains(s.Path, "password") && !strings.Contains(s.Path, "api_key_") {
			t.Errorf("%s: wants a meaning, two sections at most, and either a default or an example", s.Path)
		}
		for _, r := range s.Readers {
			if !slices.Contains(Roles(), Role(r)) {
				t.Errorf("%s is read by %q", s.Path, r)
			}
		}
	}
	if slices.Sort(sections); len(slices.Compact(slices.Clone(sections))) != len(sections) {
		t.Errorf("the settings of a section stand together: %v", sections)
	}
	if _, _, err := LoadConfig(nil); err != nil {
		t.Errorf("a default is not taken: %v", err)
	}
}

// TestPrintGivesTheSame: the YAML that 'mutt config print' writes, as a file, gives the same configuration.
func TestPrintGivesTheSame(t *testing.T) {
	t.Parallel()
	passwords, dir := write(t, "password", "hush"), t.TempDir()
	choices := map[string][]string{} // by path
	for _, s := range Settings() {
		values := append([]string{s.Default, s.Example, "7", "a b", "off", "x:1", "2m", "2MiB", "https://h/?a=#b"}, s.Value.Words()...)
		if s.Value.Secret() {
			values = []string{passwords}
		}
		choices[s.Path] = slices.DeleteFunc(values, func(v string) bool { return s.Value.Set(v) != nil || v == "" })
	}
	rapid.Check(t, func(rt *rapid.T) {
		var set []string
		for _, s := range Settings() {
			if rapid.Bool().Draw(rt, s.Path) {
				set = append(set, s.Path+"="+rapid.SampledFrom(choices[s.Path]).Draw(rt, "value"))
			}
		}
		c, _, err := Load(Sources{Set: set})
		if err != nil {
			rt.Fatal(err)
		}
		var out bytes.Buffer
		if err := c.WriteYAML(&out); err != nil {
			rt.Fatal(err)
		}
		file := filepath.Join(dir, "printed.yaml")
		if err := os.WriteFile(file, out.Bytes(), 0o600); err != nil {
			rt.Fatal(err)
		}
		again, _, err := Load(Sources{File: file})
		if err != nil {
			rt.Fatalf("%v\n%s", err, &out)
		}
		live, restart := c.Changes(&again)
		if len(live)+len(restart) > 0 || strings.Contains(out.String(), "hush") || fmt.Sprint(c.Redis.Addrs(), c.Redis.Mode()) != fmt.Sprint(again.Redis.Addrs(), again.Redis.Mode()) {
			rt.Fatalf("%v %v differ\n%s", live, restart, &out)
		}
	})
}

func TestSampleFile(t *testing.T) {
	t.Parallel()
	sample := SampleConfiguration()
	if problems := LintFile("mutt.yaml", []byte(sample)); len(problems) > 0 {
		t.Fatal(problems)
	}
	for _, s := range Settings() {
		key := s.Path[strings.LastIndexByte(s.Path, '.')+1:]
		if !strings.Contains(sample, "# "+key+": ") {
			t.Errorf("%s is missing", s.Path)
		}
		sample = strings.Replace(sample, "# "+key+": ", key+": ", 1)
	}
	if problems := LintFile("mutt.yaml", []byte(sample)); len(problems) > 0 {
		t.Errorf("with every setting switched on: %v", problems)
	}
}

func TestChanges(t *testing.T) {
	t.Parallel()
	before, after := load(t, "REDIS_PASS=a", "DB_HOST=d"), load(t, "REDIS_PASS=b", "DB_HOST=e", "MOOG_API_KEY=k", "MUTT_INGEST_MAX_BODY_BYTES=10485760")
	live, restart := before.Changes(&after)
	if d := cmp.Diff([][]string{{"forward.api_key_file", "redis.password_file"}, {"postgres.host"}}, [][]string{live, restart}); d != "" {
		t.Error(d)
	}
}

func TestReloadTakesSecretsAlone(t *testing.T) {
	t.Parallel()
	a := New(Quiet(Options{Config: load(t, "MOOG_API_KEY=old", "POD_NAME=a")}))
	live, restart, err := a.Reload(t.Context(), load(t, "MOOG_API_KEY=new", "POD_NAME=b"))
	if err != nil || !cmp.Equal(live, []string{"forward.api_key_file"}) || !cmp.Equal(restart, []string{"process"}) || a.parts.settings().Forward.APIKey.Reveal() != "new" {
		t.Errorf("%v %v %v", live, restart, err)
	}
	if live, restart, _ = a.Reload(t.Context(), load(t, "MOOG_API_KEY=new", "POD_NAME=b")); len(live) > 0 || len(restart) != 1 {
		t.Errorf("no secret has changed since the last reload, and the name still waits: %v %v", live, restart)
	}
}
