package config

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/muttproject/mutt/platform/fault"
)

func TestKeysAreWellDeclared(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, k := range Keys() {
		if seen[k.Name] || k.Description == "" || len(k.Readers) == 0 {
			t.Errorf("%s: double, undescribed or read by nobody", k.Name)
		}
		seen[k.Name] = true
		raw, err := json.Marshal(k.Default)
		if err != nil {
			t.Fatal(err)
		}
		if v, err := k.Parse(raw); err != nil || v != k.Default {
			t.Errorf("%s: its default %v does not pass its own check: %v %v", k.Name, k.Default, v, err)
		}
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	r := NewRegistry()
	cases := []struct {
		key, raw string
		want     any // nil for an error
	}{
		{MoogRateLimit, "200", int64(200)},
		{MoogRateLimit, "0", nil},
		{MoogRateLimit, "1000001", nil},
		{MoogRateLimit, "1.5", nil},
		{MoogRateLimit, `"200"`, nil},
		{MoogRateLimit, `null`, nil},
		{MoogRateLimit, `{`, nil},
		{MoogRetryBaseDelay, "0.5", 0.5},
		{MoogRetryBaseDelay, "1e400", nil},
		{CircuitBreakerEnabled, "false", false},
		{CircuitBreakerEnabled, `"false"`, nil},
		{LogLevel, `"DEBUG"`, "debug"},
		{LogLevel, `"loud"`, nil},
		{UnhandledDefaultTeam, `"NOC"`, "NOC"},
		{UnhandledDefaultTeam, `""`, nil},
		{UnhandledDefaultTeam, `"a\u0000b"`, nil},
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
	env := map[string]string{"MOOG_RATE_LIMIT": "77"}
	d, err := NewDynamic(NewRegistry(), func(k string) string { return env[k] })
	if err != nil {
		t.Fatal(err)
	}
	if d.Int(MoogRateLimit) != 77 || d.Int(UnhandledThreshold) != 100 {
		t.Fatal("the variable, else the default")
	}
	if p := d.Apply(5, map[string]string{MoogRateLimit: "88", "gone_key": "1", IngestMaxRate: "-1"}); len(p) != 2 {
		t.Fatalf("two stored values cannot be used, got %v", p)
	}
	if d.Int(MoogRateLimit) != 88 || d.Int(IngestMaxRate) != 1000 || d.Current().Revision != 5 {
		t.Fatal("the stored value wins; a bad one is not used")
	}
	d.Apply(6, nil)
	if d.Int(MoogRateLimit) != 77 {
		t.Fatal("an unset key goes back to its variable")
	}
	env["MOOG_RATE_LIMIT"] = "many"
	if _, err := NewDynamic(NewRegistry(), func(k string) string { return env[k] }); !fault.Is(err, fault.ConfigInvalid) || !strings.Contains(err.Error(), "MOOG_RATE_LIMIT") {
		t.Fatalf("got %v", err)
	}
}

func TestUnknownKeyNamesTheNearest(t *testing.T) {
	t.Parallel()
	_, err := NewRegistry().Lookup("moog_rate_limt")
	if e, ok := fault.As(err); !ok || e.Code != fault.NotFound || !strings.Contains(e.Remedy, "moog_rate_limit") {
		t.Fatalf("got %v", err)
	}
	if Nearest("zzz", []string{"moog_rate_limit"}) != "" {
		t.Fatal("nothing is near")
	}
}
