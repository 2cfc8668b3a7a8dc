package secrets

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap/zapcore"

	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/secret"
)

// TestUnfit: whatever the provider, a secret is cleaned, and refused for its use by its name and place.
func TestUnfit(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		key        Key
		text, want string
		unfit      string
	}{
		{MoogKey, "hush\r\n", "hush", ""},
		{MoogKey, "\ufeffhush\n", "hush", ""},
		{DBPass, "\ufeffhu\nsh\t\n", "hu\nsh\t", ""},
		{MoogURL, "https://h/x?token=hush\n", "https://h/x?token=hush", ""},
		{MoogKey, "hu\nsh", "", "contains a line break"},
		{IngestKey, "hush\x01", "", "contains a control character"},
		{AdminKeyNext, " hush", "", "begins or ends with a blank"},
		{DBPassNext, "hush\x00", "", "contains a NUL character"},
		{RedisPass, "hush\xff", "", "is not UTF-8 text"},
		{DBUser, "hush\t", "", "contains a control character"},
		{MoogURL, "https://h/\x1bhush", "", "contains a control character"},
		{"DB_PASS", "hush\x00", "", "DB_PASS from version 7 of x contains a NUL"},
	} {
		v := Values{tc.key: {Secret: secret.New(tc.text), Version: Version{"x", 7}, Origin: "version 7 of x"}, "billing_port": {NoText: true}}
		set, err := NewSet(v)
		if tc.unfit == "" {
			if err != nil || set.Secret(tc.key).Reveal() != tc.want {
				t.Errorf("%s %q: %q %v", tc.key, tc.text, set.Secret(tc.key).Reveal(), err)
			}
			continue
		}
		if !fault.Is(err, fault.SecretUnfit) || !strings.Contains(err.Error(), tc.unfit) || !strings.Contains(err.Error(), string(tc.key)+" from version 7 of x") ||
			strings.Contains(err.Error(), "hush") {
			t.Errorf("%s %q: %v", tc.key, tc.text, err)
		}
	}
	if _, err := NewSet(Values{MoogKey: {NoText: true, Origin: "there"}}); !fault.Is(err, fault.SecretUnfit) || !strings.Contains(err.Error(), "MOOG_API_KEY from there must be a text in quotes") {
		t.Errorf("a number: %v", err)
	}
}

func TestAnUnfitSecretStopsTheStart(t *testing.T) {
	t.Parallel()
	p := &fake{name: "p", have: map[Key]string{DBPass: "a", MoogKey: "hu\nsh"}}
	later := &fake{name: "later", err: fault.New(fault.SecretsUnavailable, "it is sealed")}
	w, _ := watcher(t, p, later)
	if err := w.Reload(t.Context()); fault.CodeOf(err) != fault.SecretUnfit || w.Current() != nil {
		t.Fatalf("what has to be corrected is not waited for: %v", err)
	}
	p.have[MoogKey], later.err = "hush", nil
	if err := w.Reload(t.Context()); err != nil || w.Current().Secret(MoogKey).Reveal() != "hush" {
		t.Fatal(err)
	}
}

// TestAnUnfitSecretChangesNothing: in a running process the value in force stays, and what came with it is taken.
func TestAnUnfitSecretChangesNothing(t *testing.T) {
	t.Parallel()
	p := &fake{name: "p", n: 1, have: map[Key]string{DBPass: "a", MoogKey: "hush-1"}}
	below := &fake{name: "below", have: map[Key]string{RedisPass: "r", MoogKey: "never"}}
	w, logs := watcher(t, p, below)
	if err := w.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.n, p.have = 2, map[Key]string{DBPass: "b", MoogKey: "hu\nsh-2", RedisPass: "\x00"}
	for range 2 { // it is logged once
		if err := w.Reload(t.Context()); !fault.Is(err, fault.SecretUnfit) {
			t.Fatal(err)
		}
	}
	if d := cmp.Diff(map[Key]string{DBPass: "b", MoogKey: "hush-1", RedisPass: "r"}, texts(w.Current())); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(map[string]string{"DB_PASS_CURRENT": "version 2 of p", "MOOG_API_KEY": "version 1 of p", "REDIS_PASS_CURRENT": "version 0 of below"}, w.Current().Origins()); d != "" {
		t.Error(d)
	}
	want := []string{"the value in force stays: REDIS_PASS_CURRENT from version 2 of p contains a NUL character, which a password cannot have",
		"the value in force stays: MOOG_API_KEY from version 2 of p contains a line break: write it on one line"}
	if warnings, err := w.Ready(t.Context()); err != nil || !cmp.Equal(warnings, want) {
		t.Errorf("%q %v", warnings, err)
	}
	if logged := logs.FilterMessage("a secret is refused: the value in force stays"); logged.Len() != 2 || logged.FilterLevelExact(zapcore.WarnLevel).Len() != 2 {
		t.Errorf("%+v", logs.All())
	}
	p.n, p.have = 3, map[Key]string{DBPass: "b", MoogKey: "hush-3"}
	if err := w.Reload(t.Context()); err != nil || w.Current().Secret(MoogKey).Reveal() != "hush-3" {
		t.Error(err)
	}
	if warnings, _ := w.Ready(t.Context()); len(warnings) > 0 || logs.FilterMessage("no secret is refused any more").Len() != 1 {
		t.Errorf("%q %+v", warnings, logs.All())
	}
}

// TestRefuse: what the process refuses stops the start; in a running process the keys keep their values, and only those.
func TestRefuse(t *testing.T) {
	t.Parallel()
	p := &fake{name: "p", have: map[Key]string{IngestKey: "one", AdminKey: "one"}}
	w, _ := watcher(t, p)
	w.o.Refuse = func(s *Set) map[Key]error { // two keys must differ
		if !s.Secret(IngestKey).Equal(s.Secret(AdminKey)) {
			return nil
		}
		why := fault.New(fault.SecretUnfit, "they are the same")
		return map[Key]error{IngestKey: why, AdminKey: why}
	}
	if err := w.Reload(t.Context()); !fault.Is(err, fault.SecretUnfit) || w.Current() != nil {
		t.Fatal(err)
	}
	for i, step := range []struct {
		have, want map[Key]string
		refused    int
	}{
		{map[Key]string{IngestKey: "a", AdminKey: "b"}, map[Key]string{IngestKey: "a", AdminKey: "b"}, 0},
		{map[Key]string{IngestKey: "b", AdminKey: "a"}, map[Key]string{IngestKey: "b", AdminKey: "a"}, 0},                             // exchanged
		{map[Key]string{IngestKey: "b", AdminKey: "b", MoogKey: "m"}, map[Key]string{IngestKey: "b", AdminKey: "a", MoogKey: "m"}, 1}, // the one that was changed
		{map[Key]string{IngestKey: "c", AdminKey: "c"}, map[Key]string{IngestKey: "b", AdminKey: "a"}, 2},
		{map[Key]string{IngestKey: "d"}, map[Key]string{IngestKey: "d"}, 0},
		{map[Key]string{IngestKey: "d", AdminKey: "d"}, map[Key]string{IngestKey: "d"}, 1}, // there was none before
	} {
		p.have = step.have
		err := w.Reload(t.Context())
		if d := cmp.Diff(step.want, texts(w.Current())); d != "" || (err != nil) != (step.refused > 0) {
			t.Errorf("step %d: %v %s", i, err, d)
		}
		if warnings, _ := w.Ready(t.Context()); len(warnings) != step.refused {
			t.Errorf("step %d: %q", i, warnings)
		}
	}
}
