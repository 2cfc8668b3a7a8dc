package static

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/secret"
)

// fields are what the table of the tests fills.
type fields struct {
	name, mode, addr string
	count, port      int
	size             int64
	on               bool
	wait             time.Duration
	words, nodes     []string
	pass             secret.Secret
}

func table(f *fields) []Setting {
	return []Setting{
		{Path: "name", Example: "a", Variables: []Variable{{Name: "T_NAME"}}, About: "Name", Value: Text(&f.name)},
		{Path: "wait", Default: "10s", About: "Wait", Flag: "wait", Value: Span(&f.wait)},
		{Path: "net.addr", Default: ":80", Variables: []Variable{{Name: "T_ADDR"}, {Name: "T_ADDR_PORT", Value: ListenerPort(&f.addr)}}, About: "Address", Value: Listener(&f.addr, 80)},
		{Path: "net.port", Default: "1", Variables: []Variable{{Name: "T_PORT", Link: true}}, About: "Port", Value: Port(&f.port)},
		{Path: "net.nodes", Example: "b,c:2", Variables: []Variable{{Name: "T_NODES"}}, About: "Nodes", Value: Addresses(&f.nodes, 7)},
		{Path: "net.password_file", Example: "p", Variables: []Variable{{Name: "T_PASS"}, {Name: "T_PASS_CURRENT"}}, About: "Password", Value: Password(&f.pass)},
		{Path: "job.mode", Default: "fast", About: "Mode", Value: OneOf(&f.mode, "fast", "slow")},
		{Path: "job.count", Default: "4", Variables: []Variable{{Name: "T_COUNT"}}, About: "Count", Value: Whole(&f.count, 1, 64)},
		{Path: "job.size", Default: "1KiB", About: "Size", Value: Size(&f.size, 1, 1<<40)},
		{Path: "job.on", Default: "true", About: "On", Value: Bool(&f.on)},
		{Path: "job.words", Default: "x,y", About: "Words", Value: List(&f.words)},
	}
}

// secretFiles stands for the file system.
func secretFiles(name string) ([]byte, error) {
	switch name {
	case "p":
		return []byte("hush\n"), nil
	case "empty":
		return []byte("\n"), nil
	default:
		return nil, fs.ErrNotExist
	}
}

// read resolves a file, an environment and --set.
func read(file string, environ, set []string) (f fields, sources map[string]Source, problems []Problem) {
	tab := table(&f)
	given, problems := ReadFile("f.yaml", []byte(file), tab)
	given = append(given, FromEnviron(tab, environ)...)
	flags, wrong := FromSet(set)
	problems = append(problems, wrong...)
	sources, wrong = Resolve(tab, append(given, flags...), secretFiles)
	return f, sources, append(problems, wrong...)
}

func TestLayers(t *testing.T) {
	t.Parallel()
	f, sources, problems := read("# a file\nname: from file\nwait: 2.5\nnet:\n  addr: 127.0.0.1\n  nodes: [a, 'b:9']\n  password_file: p\njob:\n  count: 7\n  size: 1.5 MiB\n  on: False\n",
		[]string{"T_ADDR_PORT=8081", "T_COUNT=9", "T_PORT=tcp://10.0.0.1:6379", "T_NODES=tcp://10.0.0.1:1", "T_NAME="}, []string{"job.count=11", "job.mode=SLOW", "job.words=a, b"})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	want := fields{name: "from file", mode: "slow", addr: "127.0.0.1:8081", count: 11, port: 6379, size: 3 << 19, wait: 2500 * time.Millisecond,
		words: []string{"a", "b"}, nodes: []string{"a:7", "b:9"}, pass: secret.New("hush")}
	if d := cmp.Diff(want, f, cmp.AllowUnexported(fields{}, secret.Secret{})); d != "" {
		t.Error(d)
	}
	for path, source := range map[string]string{"name": "f.yaml:2", "net.addr": "environment T_ADDR_PORT", "net.port": "environment T_PORT",
		"net.nodes": "f.yaml:6", "net.password_file": "f.yaml:7", "job.count": "flag --set", "job.on": "f.yaml:11"} {
		if got := sources[path].String(); got != source {
			t.Errorf("%s comes from %s, not from %s", path, source, got)
		}
	}
	if f, _, _ := read("net: {password_file: p}", []string{"T_PASS=old", "T_PASS_CURRENT=new"}, nil); f.pass.Reveal() != "new" {
		t.Error("the last variable that is set rules")
	}
	for _, empty := range []string{"", "# nothing", "---\n", "net:\njob:\n", "a: &x 1\n"[:0]} {
		if f, _, problems := read(empty, nil, nil); len(problems) > 0 || f.count != 4 {
			t.Errorf("%q: %v", empty, problems)
		}
	}
}

func TestProblemsInAFile(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ file, want string }{
		{"nmae: x", "f.yaml:1:1: nmae is not a setting; did you mean name?"},
		{"job:\n  cuont: 3", "f.yaml:2:3: job.cuont is not a setting; did you mean job.count?"},
		{"count: 3", "f.yaml:1:1: count is not a setting; did you mean job.count?"},
		{"zzzzzzzzzzzz: 3", "f.yaml:1:1: zzzzzzzzzzzz is not a setting"},
		{"net:\n  password: hunter2", "f.yaml:2:3: net.password is not a setting; did you mean net.password_file?"},
		{"name: x\n\nname: y", "f.yaml:3:1: name is given twice, first in line 1"},
		{"net: {addr: a}\nnet: {port: 2}", "f.yaml:2:1: net is given twice, first in line 1"},
		{"job:\n  count: 65", `f.yaml:2:3: job.count takes a whole number from 1 to 64, not "65"`},
		{"job:\n  count: [1, 2]", "f.yaml:2:10: job.count takes a whole number from 1 to 64"},
		{"job:\n  words: [a, [b]]", "f.yaml:2:14: job.words takes a list of single values"},
		{"job:\n  words: ['a,b']", "f.yaml:2:11: job.words takes a list of single values"},
		{"job:\n  words: []", "f.yaml:2:3: job.words has no value: give one, or remove it for the default"},
		{"name:", "f.yaml:1:1: name has no value: give one, or remove it for the default"},
		{"name: {a: 1}", "f.yaml:1:7: name takes a text"},
		{"name: \"a\\u0007b\"", "f.yaml:1:1: name has a character that cannot be printed"},
		{"- name", "f.yaml:1:1: wants keys with values, such as \"shutdown_timeout: 30s\""},
		{"job: fast", "f.yaml:1:6: job wants keys with values, such as \"shutdown_timeout: 30s\""},
		{"[a]: 1", "f.yaml:1:1: a key is one word"},
		{"name: x\n---\nname: y", "f.yaml:2:1: the file has a second document: put all settings into the first"},
		{"name: x\n\tjob: y", "f.yaml:2:1: is not YAML: found a tab character that violates indentation"},
		{"net: {password_file: none}", "f.yaml:1:7: net.password_file names a file that cannot be read: file does not exist"},
		{"net: {password_file: empty}", "f.yaml:1:7: net.password_file names the file empty, which is empty"},
		{"net: {nodes: 'a:b'}", `f.yaml:1:7: net.nodes takes a list of host or host:port, not "a:b"`},
	} {
		_, _, problems := read(tc.file, nil, nil)
		if len(problems) != 1 || problems[0].String() != tc.want {
			t.Errorf("%q: got %v\nwant %s", tc.file, problems, tc.want)
		}
	}
}

func TestProblemsElsewhere(t *testing.T) {
	t.Parallel()
	f, sources, problems := read("", []string{"T_COUNT=none", "T_ADDR=off", "T_ADDR_PORT=1", "T_PORT=tcp://10.0.0.1:x"}, []string{"job.cuont=3", "wait=0", "wait=25h", "name=a", "name=b", "nothing", "net.password_file=none"})
	texts := make([]string, len(problems))
	for i, p := range problems {
		texts[i] = p.String()
	}
	want := []string{"--set nothing wants path=value", "T_ADDR_PORT is a port alone, and the listener is off: give host:port, or :port for all interfaces", `T_PORT takes a port from 1 to 65535, not "tcp://10.0.0.1:x"`,
		`T_COUNT takes a whole number from 1 to 64, not "none"`, "--set job.cuont is not a setting; did you mean job.count?",
		`--set wait takes a duration such as 30s or 1m30s, or seconds, up to 24h, not "0"`, "--set wait is given twice, first by --set", "--set name is given twice, first by --set",
		"--set net.password_file names a file that cannot be read: file does not exist"}
	if d := cmp.Diff(want, texts); d != "" {
		t.Error(d)
	}
	if f.count != 4 || sources["job.count"].Kind != Default {
		t.Error("a bad value changes nothing")
	}
	if err := Err(problems); !fault.Is(err, fault.ConfigInvalid) || Err(nil) != nil {
		t.Errorf("got %v", err)
	}
}

// TestListenerForms holds what the address of a listener may be, whose default has a host or not.
func TestListenerForms(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][2]string{ // of a default of :8080, and of 127.0.0.1:8080
		"9090": {":9090", "127.0.0.1:9090"}, "0": {":0", "127.0.0.1:0"}, ":9090": {":9090", ":9090"}, "10.0.0.1": {"10.0.0.1:8080", "10.0.0.1:8080"},
		"10.0.0.1:9090": {"10.0.0.1:9090", "10.0.0.1:9090"}, "localhost": {"localhost:8080", "localhost:8080"}, "::1": {"[::1]:8080", "[::1]:8080"},
		"[::1]:9090": {"[::1]:9090", "[::1]:9090"}, "*": {}, "off": {"off", "off"}, "OFF": {"off", "off"},
		"65536": {}, "99999": {}, "80 80": {}, "http://x:80": {}, "x:": {}, ":": {}, "": {}, "8080:8080": {}, "10.0.0:80": {}, "256.1.1.1": {}, "a,b": {},
		"80:80:80": {}, "[80:80]:80": {}, "-1": {}, "-1:80": {}, "fe80::1%eth0": {"[fe80::1%eth0]:8080", "[fe80::1%eth0]:8080"},
	} {
		for i, absent := range [...]string{":8080", "127.0.0.1:8080"} {
			field := absent
			err := Listener(&field, 8080).Set(text)
			if want[i] == "" && (err == nil || field != absent) || want[i] != "" && (err != nil || field != want[i]) {
				t.Errorf("%q for %s: %s %v, want %q", text, absent, field, err, want[i])
			}
		}
	}
}

func TestSecretsAreNotShown(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		file    string
		environ []string
		want    string
	}{
		{"", nil, ""},
		{"net: {password_file: p}", nil, "p"},
		{"net: {password_file: p}", []string{"T_PASS=hush"}, secret.Redacted},
	} {
		f, sources, problems := read(tc.file, tc.environ, nil)
		tab := table(&f)
		var out bytes.Buffer
		if err := WriteYAML(&out, tab, sources); err != nil || len(problems) > 0 {
			t.Fatal(err, problems)
		}
		s := tab[5]
		if got := s.Shown(sources[s.Path]); got != tc.want || strings.Contains(out.String(), "hush") || strings.Contains(fmt.Sprint(s.Value.Get()), "hush") {
			t.Errorf("%q %v: shown as %v in %s", tc.file, tc.environ, got, &out)
		}
		if _, _, problems := read(out.String(), nil, nil); len(problems) > 0 {
			t.Errorf("what is printed cannot be read: %v", problems)
		}
	}
}

func TestUnknownVariables(t *testing.T) {
	t.Parallel()
	got := UnknownVariables(table(new(fields)), []string{"T_NAEM=x", "T_NAME=x", "T_OTHER=", "T_SERVICE_HOST=h", "T_PORT_1_TCP=t", "T_Q=tcp://1", "T_TEST_A=1", "X=1"}, "T_", "T_TEST_")
	if d := cmp.Diff([]string{"the environment variable T_NAEM is not known and is ignored; did you mean T_NAME?"}, got); d != "" {
		t.Error(d)
	}
}

func TestSize(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{"0": 0, "1": 1, "10485760": 10 << 20, "10MiB": 10 << 20, "10 mib": 10 << 20, "1.5KiB": 1536, "2kB": 2000, "1GB": 1e9, "3B": 3, "1GiB": 1 << 30,
		"": -1, "MiB": -1, "-1": -1, "0.3": -1, "1e300": -1, "NaN": -1, "Inf": -1, "1 TiB": -1, "1MiBs": -1} {
		if got, ok := parseSize(text); ok != (want >= 0) || ok && got != want {
			t.Errorf("%q: %d %v", text, got, ok)
		}
	}
	for n, want := range map[int64]string{0: "0", 1: "1", 1000: "1000", 1024: "1KiB", 10 << 20: "10MiB", 3 << 30: "3GiB", 1<<20 + 1: "1048577"} {
		if got := sizeText(n); got != want {
			t.Errorf("%d: %s", n, got)
		}
	}
}

func TestSameComparesSecretsToo(t *testing.T) {
	t.Parallel()
	a, b := secret.New("a"), secret.New("b")
	if Password(&a).Same(Password(&b)) || !Password(&a).Same(Password(&a)) {
		t.Error("secrets are compared by what they hide")
	}
}

func TestWriteErrorsAreReported(t *testing.T) {
	t.Parallel()
	var f fields
	tab := table(&f)
	sources, _ := Resolve(tab, nil, nil)
	if WriteYAML(fails{}, tab, sources) == nil || WriteSample(fails{}, tab) == nil {
		t.Error("an error of the writer is lost")
	}
}

// fails is a writer on a full disk.
type fails struct{}

func (fails) Write([]byte) (int, error) { return 0, errors.New("full") }

func TestDefaultsAndValidate(t *testing.T) {
	t.Parallel()
	var f fields
	if err := Validate(table(&f)); err == nil {
		t.Error("nothing is set")
	} else if got := err.Error(); !strings.Contains(got, "wait takes") || !strings.Contains(got, "job.mode takes") || !strings.Contains(got, "job.count takes") ||
		!strings.Contains(got, "job.words takes") || strings.Contains(got, "name") || strings.Contains(got, "password") {
		t.Errorf("what has a default needs a value, and nothing else does: %v", err)
	}
	Defaults(table(&f))
	if err := Validate(table(&f)); err != nil || f.wait != 10*time.Second || f.count != 4 || f.mode != "fast" {
		t.Errorf("%+v %v", f, err)
	}
	f.count = 65
	if err := Validate(table(&f), "A excludes B"); !fault.Is(err, fault.ConfigInvalid) || !strings.Contains(err.Error(), "A excludes B") || !strings.Contains(err.Error(), "job.count takes") {
		t.Errorf("%v", err)
	}
	defer func() {
		if recover() == nil {
			t.Error("a default that its setting does not take")
		}
	}()
	Defaults([]Setting{{Path: "n", Default: "x", Value: Whole(&f.count, 1, 2)}})
}

func TestURL(t *testing.T) {
	t.Parallel()
	var field string
	v := URL(&field, "the key belongs elsewhere")
	for text, wrong := range map[string]string{"http://h": "", "https://h:1/a?b=c": "", "moog": "http or https", "ftp://h/": "http or https", "http://": "http or https",
		"http://h:hidden/": "http or https", "http://user:hidden@h/": "the key belongs elsewhere"} {
		err := v.Set(text)
		if (err == nil) != (wrong == "") || err != nil && (!strings.Contains(err.Error(), wrong) || strings.Contains(err.Error(), "hidden")) || err == nil && field != text {
			t.Errorf("%s: %v, %q", text, err, field)
		}
	}
}

// TestSecretsKeepTheirBlanks: what a secret may begin and end with is for its reader to say, the same for the environment and for files.
func TestSecretsKeepTheirBlanks(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{" pass word ": " pass word ", "pass\r\n": "pass\r\n", "tcp://x ": "", "  ": "", "": ""} {
		var f fields
		tab := table(&f)
		_, problems := Resolve(tab, FromEnviron(tab, []string{"T_PASS=" + text, "T_NAME= a name "}), secretFiles)
		if len(problems) > 0 || f.pass.Reveal() != want || f.name != "a name" {
			t.Errorf("%q: %q, %q, %v", text, f.pass.Reveal(), f.name, problems)
		}
	}
}

// TestTagsAreRefused holds that a value with a tag of other programs is not read without what the tag asks for.
func TestTagsAreRefused(t *testing.T) {
	t.Parallel()
	for file, says := range map[string]string{
		"name: !vault x": `the tag "!vault"`, "name: !!binary aGVsbG8=": `the tag "!!binary"`, "job: {words: [a, !x b]}": `the tag "!x"`,
		"name: !!str 7": "", "job: {count: !!int 7, words: [a, !!str b]}": "",
	} {
		_, _, problems := read(file, nil, nil)
		if says == "" && len(problems) > 0 || says != "" && (len(problems) != 1 || !strings.Contains(problems[0].Message, says)) {
			t.Errorf("%s: %v", file, problems)
		}
	}
}
