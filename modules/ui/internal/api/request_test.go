package api

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/store"
)

func TestIfMatch(t *testing.T) {
	t.Parallel()
	for header, want := range map[string][]int64{`12`: {12}, `"12"`: {12}, `W/"12"`: {12}, `"12-00ff"`: {12}, `"1", "2"`: {1, 2}, `*`: nil, `"0"`: {0}} {
		p, err := parseIfMatch([]string{header})
		if err != nil || !p.set || len(p.revisions) != len(want) {
			t.Errorf("%s: got %+v %v", header, p, err)
			continue
		}
		for i, n := range want {
			if p.revisions[i] != n || p.check("x", n) != nil || p.check("x", 99) == nil {
				t.Errorf("%s: got %+v", header, p)
			}
		}
	}
	for _, bad := range []string{"x", `"-1"`, `1.5`, `"1", x`} {
		if p, err := parseIfMatch([]string{bad}); err == nil {
			t.Errorf("%s: got %+v", bad, p)
		}
	}
	if p, err := parseIfMatch(nil); err != nil || p.set || p.check("x", 1) != nil {
		t.Error("no header asks for nothing")
	}
}

// away is a store that cannot be reached.
type away struct{ Store }

func (away) fail() error { return fault.New(fault.StoreUnavailable, "the store is away") }

func (s away) Position(context.Context) (store.Position, error) { return store.Position{}, s.fail() }

func (s away) Revisions(context.Context) (int64, int64, error) { return 0, 0, s.fail() }

func (s away) Changes(context.Context, store.ChangeFilter) (store.Page[store.Change], error) {
	return store.Page[store.Change]{}, s.fail()
}

func (s away) Change(context.Context, store.Actor, string, func(*store.Tx) error) (int64, error) {
	return 0, s.fail()
}

func TestStoreAway(t *testing.T) {
	t.Parallel()
	b := newBundle(t, func(d *Deps) { d.Store = away{d.Store} })
	for _, r := range []request{{method: "GET", path: "/rules"}, {method: "GET", path: "/config/history"}, {method: "POST", path: "/rules", body: sampleRule},
		{method: "PUT", path: "/config/log_level", body: `{"value":"debug"}`}, {method: "DELETE", path: "/teams/x"}} {
		b.refuse(503, "", "store is away", r)
		if b.do(r).Header().Get("Retry-After") == "" {
			t.Errorf("%s %s: no Retry-After", r.method, r.path)
		}
	}
	if b.applied.Load() != 0 {
		t.Error("what was not stored is not applied")
	}
}

func TestGivenUpCallIsNoFaultOfOurs(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, path := range []string{"/api/v2/rules", "/api/v2/audit-logs", "/api/v2/ledger"} {
		req := httptest.NewRequestWithContext(ctx, "GET", path, nil)
		req.Header.Set("X-API-KEY", "admin")
		rec := httptest.NewRecorder()
		b.handler.ServeHTTP(rec, req)
		if rec.Code == 500 {
			t.Errorf("%s: got %d %s", path, rec.Code, rec.Body)
		}
	}
}

// FuzzBodies holds that every decoder of bodies blames the caller, in clean text, or accepts.
func FuzzBodies(f *testing.F) {
	for _, seed := range []string{"", "{}", "[]", "null", `{"ids":["a"],"all":true,"count":1}`, `{"rules":[` + sampleRule + `],"version":1}`,
		`{"rules":[null,1,"x",{}]}`, `{"value":1e999}`, `{"a":1,"a":2}`, `{"ids":[{"x":[1]}]}`, "{\"\\u0000\":1}", "\xff", `{"rules":[{"\b":{}}]}`, `{"rules":{"a":[`, `{"all":"yes"}`, strings.Repeat("[", 11_000)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		var replay apiclient.ReplayRequest
		err := decodeStrict([]byte(body), &replay)
		if err == nil {
			_, err = checkReplay(&replay)
		}
		blamesTheCaller(t, err)
		var team apiclient.TeamInput
		blamesTheCaller(t, decodeStrict([]byte(body), &team))
		rules, _, err := rulesFromJSON([]byte(body))
		blamesTheCaller(t, err)
		for i := range rules {
			if err == nil && (rules[i].Name == "" || rules[i].Validate() != nil) {
				t.Fatalf("accepted %+v", rules[i])
			}
		}
		_, err = parseIfMatch([]string{body})
		blamesTheCaller(t, err)
	})
}

func blamesTheCaller(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		return
	}
	f, ok := fault.As(err)
	if !ok || fault.Describe(f.Code).Status >= 500 {
		t.Fatalf("not the caller's fault: %v", err)
	}
	if !utf8.ValidString(f.Message) || !plain(f.Field) || len(f.Message) > 10_000 {
		t.Fatalf("not fit to be shown: %q %q", f.Field, f.Message)
	}
}
