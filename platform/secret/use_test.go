package secret

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestFit(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		text, want string
		unfit      string // the uses that refuse it: p(assword), h(eader), u(ser), d(sn)
	}{
		{"key", "key", ""},
		{"", "", ""},
		{"key\n", "key", ""},
		{"key\r\n\r\n", "key", ""},
		{"\ufeffkey\r\n", "key", ""},
		{"\ufeff\n", "", ""},
		{"two words", "two words", ""},
		{"schl\u00fcssel", "schl\u00fcssel", ""},
		{" key", " key", "h"},
		{"key \n", "key ", "h"},
		{"   ", "   ", "h"},
		{"key\u00a0", "key\u00a0", "hud"},
		{"no\u00a0break", "no\u00a0break", "hud"},
		{"nil\u200bwidth", "nil\u200bwidth", "hud"},
		{"\u200bkey", "\u200bkey", "hud"},
		{"mark\ufeffinside", "mark\ufeffinside", "hud"},
		{"turned\u202earound", "turned\u202earound", "hud"},
		{"tab\tinside", "tab\tinside", "hud"},
		{"two\nlines", "two\nlines", "hud"},
		{"\nkey", "\nkey", "hud"},
		{"two\u2028lines", "two\u2028lines", "hud"},
		{"esc\x1b", "esc\x1b", "hud"},
		{"c1\u0090", "c1\u0090", "hud"},
		{"del\x7f", "del\x7f", "hud"},
		{"nul\x00", "", "phud"},
		{"latin\xe9", "", "phud"},
		{"\xff\xfek\x00e\x00y\x00", "", "phud"}, // UTF-16, as PowerShell writes it
	} {
		for name, use := range map[string]Use{"p": Password, "h": HeaderValue, "u": UserName, "d": DSN} {
			got, err := use.Fit(tc.text)
			if refused := strings.Contains(tc.unfit, name); (err != nil) != refused || !refused && got != tc.want {
				t.Errorf("%q as %s: %q, %v", tc.text, name, got, err)
			}
			if err != nil && len(tc.text) > 3 && strings.Contains(err.Error(), tc.text[:4]) {
				t.Errorf("%q is shown: %v", tc.text, err)
			}
		}
	}
}

// FuzzFit: Go's client can send what is fit for a header, and the server gets the same text.
func FuzzFit(f *testing.F) {
	for _, seed := range []string{"key", "key\n", " key", "a\x00b", "\ufeffk", "k\u0085", "\u3000"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		fit, err := HeaderValue.Fit(text)
		if err != nil || fit == "" {
			return
		}
		if again, err := HeaderValue.Fit(fit); err != nil || again != fit {
			t.Fatalf("%q becomes %q, and that %q, %v", text, fit, again, err)
		}
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("X-API-KEY", fit)
		var wire strings.Builder
		if err := r.Header.Write(&wire); err != nil || wire.String() != "X-Api-Key: "+fit+"\r\n" {
			t.Fatalf("%q is sent as %q: %v", fit, wire.String(), err)
		}
	})
}
