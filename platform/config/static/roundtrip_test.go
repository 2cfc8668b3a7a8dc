package static

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/muttproject/mutt/platform/secret"
	"github.com/muttproject/mutt/platform/yamltext/yamltexttest"
)

// reread writes settings as YAML, reads that, and fails when something differs.
func reread(t interface {
	Helper()
	Fatalf(string, ...any)
}, f fields, sources map[string]Source) {
	t.Helper()
	var out bytes.Buffer
	if err := WriteYAML(&out, table(&f), sources); err != nil {
		t.Fatalf("%v", err)
	}
	again, _, problems := read(out.String(), nil, nil)
	if d := cmp.Diff(f, again, cmp.AllowUnexported(fields{}, secret.Secret{})); d != "" || len(problems) > 0 {
		t.Fatalf("%v %s\n%s", problems, d, &out)
	}
}

// TestPrintedReadsBack: whatever was given, printing it and reading the print gives the same settings.
func TestPrintedReadsBack(t *testing.T) {
	t.Parallel()
	text := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"null", "~", "off", "no", "1.10", "# x", "a: b", "- a", "'", "\"", "{", "[a]", "*x", "&x", "!t", "%", "@", "0x1F", "é ", "<<", "1e3"}))
	word := rapid.OneOf(rapid.StringMatching(`[a-z0-9.#:'"&*!-]{1,8}`), text)
	rapid.Check(t, func(rt *rapid.T) {
		var f fields
		tab := table(&f)
		var given []Given
		for _, s := range tab {
			if !rapid.Bool().Draw(rt, s.Path) {
				continue
			}
			v := text.Draw(rt, "text")
			switch {
			case s.Value.Secret():
				v = "p"
			case s.Value.Words() != nil:
				v = rapid.SampledFrom(s.Value.Words()).Draw(rt, "word")
			case s.Value.list():
				v = strings.Join(rapid.SliceOfN(word, 1, 4).Draw(rt, "words"), ",")
			case s.Path != "name":
				v = rapid.StringMatching(`[0-9]{1,5}(\.5)?(s|m|ms|KiB|MiB|)|[a-z]{1,5}(:[0-9]{1,5})?`).Draw(rt, "number")
			}
			given = append(given, Given{Path: s.Path, Text: v, Source: Source{Kind: Flag, Name: SetFlag}})
		}
		sources, _ := Resolve(tab, given, secretFiles) // a text that is refused leaves the default
		reread(rt, f, sources)
	})
}

// TestOtherReadersReadTheSame holds that PyYAML reads a printed file and the sample as we do.
func TestOtherReadersReadTheSame(t *testing.T) {
	t.Parallel()
	texts := yamltexttest.Nasty()
	table := make([]Setting, 0, len(texts)+1)
	want, sources := map[string]any{}, map[string]Source{}
	var words []string
	var list []any
	for i, s := range texts {
		if key := fmt.Sprintf("key%d", i); s != "" {
			table = append(table, Setting{Path: key, Value: Text(&s), Default: s})
			want[key], sources[key] = s, Source{Kind: File, Name: "a file", Line: i}
			words, list = append(words, s), append(list, s)
		}
	}
	table = append(table, Setting{Path: "list", Value: List(&words), Default: "x"})
	want["list"] = list
	var printed, sample bytes.Buffer
	if err := errors.Join(WriteYAML(&printed, table, sources), WriteSample(&sample, table)); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, yamltexttest.Load(t, printed.Bytes())); d != "" {
		t.Errorf("printed: %s\n%s", d, &printed)
	}
	on := regexp.MustCompile(`(?m)^# (key[0-9]+|list): `).ReplaceAllString(sample.String(), "$1: ")
	if d := cmp.Diff(want, yamltexttest.Load(t, []byte(on))); d != "" {
		t.Errorf("sample: %s\n%s", d, on)
	}
}

// FuzzReadFile: any bytes are read or refused with a place, and what is read prints and reads back the same.
func FuzzReadFile(f *testing.F) {
	for _, seed := range []string{"", "name: x", "net:\n  addr: ':1'\n  password_file: p\n", "a: &x [*x]", "job: {count: 3, words: [a, b]}", "? [x]\n: y", "name: !!binary aGk=",
		"<<: {name: x}", "name: |\n  a\n  b\n", "%YAML 1.1\n---\nname: x\n...\n---\n", "\xff\xfe", "job:\n  on: 1\n  size: 1.5MiB\n", strings.Repeat("[", 2000)} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, sources, problems := read(string(data), nil, nil)
		for _, p := range problems {
			if p.File != "f.yaml" || p.Line < 1 || p.Column < 1 || p.Message == "" {
				t.Fatalf("a problem without a place: %+v", p)
			}
		}
		if len(problems) == 0 {
			reread(t, got, sources)
		}
	})
}

// TestSample: the sample is valid as it is, and valid when every setting in it is switched on.
func TestSample(t *testing.T) {
	t.Parallel()
	var f, defaults fields
	tab := table(&f)
	Resolve(tab, nil, nil)
	Resolve(table(&defaults), nil, nil)
	var out bytes.Buffer
	if err := WriteSample(&out, tab); err != nil {
		t.Fatal(err)
	}
	got, _, problems := read(out.String(), nil, nil)
	if d := cmp.Diff(defaults, got, cmp.AllowUnexported(fields{}, secret.Secret{})); d != "" || len(problems) > 0 {
		t.Fatalf("%v %s", problems, d)
	}
	on := out.String()
	for _, s := range tab {
		key := s.Path[strings.LastIndexByte(s.Path, '.')+1:]
		on = strings.Replace(on, "# "+key+": ", key+": ", 1)
	}
	if got, sources, problems := read(on, nil, nil); len(problems) > 0 || got.name != "a" || got.pass.Reveal() != "hush" || sources["job.words"].Kind != File {
		t.Fatalf("%v %+v\n%s", problems, got, on)
	}
}
