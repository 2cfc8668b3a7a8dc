package config

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/muttproject/mutt/platform/fault"
)

// keys are one of each type.
type keys struct {
	limit  Value[int64]
	delay  Value[float64]
	on     Value[bool]
	level  Value[string]
	team   Value[string]
	window Duration
	base   Duration
}

func declareAll() (*Registry, keys) {
	r := NewRegistry()
	d := r.ReadBy("tester")
	k := keys{
		limit: d.Whole(Whole{Name: "rate_limit", Default: 50, Min: 1, Max: 1e6, Unit: "requests", About: "a limit"}),
		delay: d.Number(Number{Name: "base_delay", Default: 1, Min: 0.01, Max: 3600, Unit: "s", About: "a delay"}),
		on:    d.Switch(Switch{Name: "enabled", Default: true, About: "a switch"}),
		level: d.Text(Text{Name: "level", Default: "info", Options: []string{"debug", "info"}, About: "a word"}),
		team:  d.Text(Text{Name: "team", Default: "NETO", Longest: 8, About: "a text"}),
	}
	k.window = DurationOf(d.Whole(Whole{Name: "window_ms", Default: 250, Min: 1, Max: 60_000, Unit: "ms", About: "a window"}))
	k.base = DurationOf(k.delay)
	return r, k
}

func TestParse(t *testing.T) {
	t.Parallel()
	r, _ := declareAll()
	cases := []struct {
		key, raw string
		want     any // nil for an error
	}{
		{"rate_limit", "200", int64(200)},
		{"rate_limit", "0", nil},
		{"rate_limit", "1000001", nil},
		{"rate_limit", "1.5", nil},
		{"rate_limit", `"200"`, nil},
		{"rate_limit", `null`, nil},
		{"rate_limit", `{`, nil},
		{"base_delay", "0.5", 0.5},
		{"base_delay", "1e400", nil},
		{"enabled", "false", false},
		{"enabled", `"false"`, nil},
		{"level", `"DEBUG"`, "debug"},
		{"level", `"loud"`, nil},
		{"team", `"NOC"`, "NOC"},
		{"team", `"too long a name"`, nil},
		{"team", `""`, nil},
		{"team", `"  "`, nil},
		{"team", `"a\u0000b"`, nil},
	}
	for _, c := range cases {
		k, err := r.Lookup(c.key)
		if err != nil {
			t.Fatal(err)
		}
		got, err := k.Parse(json.RawMessage(c.raw))
		if c.want == nil {
			if e, ok := fault.As(err); !ok || e.Field != "value" {
				t.Errorf("%s=%s: want an error that names the field, got %v, %v", c.key, c.raw, got, err)
			}
		} else if err != nil || got != c.want {
			t.Errorf("%s=%s: got %v, %v", c.key, c.raw, got, err)
		}
	}
}

func TestPrecedence(t *testing.T) {
	t.Parallel()
	env := map[string]string{"RATE_LIMIT": "77"}
	r, k := declareAll()
	d, err := NewDynamic(r, func(name string) string { return env[name] })
	if err != nil {
		t.Fatal(err)
	}
	if k.limit.Get() != 77 || k.team.Get() != "NETO" || !k.on.Get() || k.level.Get() != "info" {
		t.Fatal("the variable, else the default")
	}
	if k.window.Get() != 250*time.Millisecond || k.base.Get() != time.Second {
		t.Fatalf("durations by their units: %v, %v", k.window.Get(), k.base.Get())
	}
	if p := d.Apply(5, map[string]string{"rate_limit": "88", "gone_key": "1", "base_delay": "-1"}); len(p) != 2 {
		t.Fatalf("two stored values cannot be used, got %v", p)
	}
	if k.limit.Get() != 88 || k.delay.Get() != 1 || d.Current().Revision != 5 {
		t.Fatal("the stored value wins; a bad one is not used")
	}
	d.Apply(6, map[string]string{"rate_limit": "88", "base_delay": "2.5"})
	if k.limit.Get() != 88 || k.base.Get() != 2500*time.Millisecond {
		t.Fatal("an unchanged text keeps its value, a new one comes into force")
	}
	d.Apply(7, nil)
	if k.limit.Get() != 77 {
		t.Fatal("an unset key goes back to its variable")
	}
	d.Apply(8, map[string]string{"rate_limit": "88"})
	if k.limit.Get() != 88 {
		t.Fatal("the same text comes into force again after it was unset")
	}
	env["RATE_LIMIT"] = "many"
	r, _ = declareAll()
	if _, err := NewDynamic(r, func(name string) string { return env[name] }); !fault.Is(err, fault.ConfigInvalid) || !strings.Contains(err.Error(), "RATE_LIMIT") {
		t.Fatalf("got %v", err)
	}
}

func TestReadingIsCheap(t *testing.T) {
	r, k := declareAll()
	if _, err := NewDynamic(r, func(string) string { return "" }); err != nil {
		t.Fatal(err)
	}
	var sum time.Duration
	if n := testing.AllocsPerRun(100, func() { sum += time.Duration(k.limit.Get()) + k.window.Get() }); n != 0 {
		t.Errorf("reading a value allocates %v times", n)
	}
}

func TestUnknownKeyNamesTheNearest(t *testing.T) {
	t.Parallel()
	r, _ := declareAll()
	_, err := r.Lookup("rate_limt")
	if e, ok := fault.As(err); !ok || e.Code != fault.NotFound || !strings.Contains(e.Remedy, "rate_limit") {
		t.Fatalf("got %v", err)
	}
	if Nearest("zzz", []string{"rate_limit"}) != "" {
		t.Fatal("nothing is near")
	}
}

func TestDeclaringTwicePanics(t *testing.T) {
	t.Parallel()
	r, _ := declareAll()
	defer func() {
		if recover() == nil {
			t.Error("a second declaration of a name must not pass")
		}
	}()
	r.ReadBy("other").Switch(Switch{Name: "enabled", About: "the same name"})
}
