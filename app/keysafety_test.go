package app_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/muttproject/mutt/app"
	"github.com/muttproject/mutt/app/apptest"
	"github.com/muttproject/mutt/platform/fault"
)

// TestUnsafeKeysStopTheStart has every pairing of an ingest with an admin key, keys that are too short, and those of the data directory.
func TestUnsafeKeysStopTheStart(t *testing.T) {
	t.Parallel()
	const long, other = "a-key-of-20-letters-", "another-of-20-letters"
	keyFile := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(keyFile, []byte("\ufeff"+long+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		env     []string
		adminAt string // text of admin.key in the data directory
		words   string // "" when it starts
	}{
		{[]string{"INGEST_API_KEY=" + long, "WEBUI_API_KEY=" + other}, "", ""},
		{[]string{"INGEST_API_KEY=" + long, "INGEST_API_KEY_NEXT=" + long, "WEBUI_API_KEY=" + other}, "", ""},
		{[]string{"INGEST_API_KEY=12345"}, "", "INGEST_API_KEY from environment INGEST_API_KEY is too short: it must have at least 20 characters, and has 5"},
		{[]string{"WEBUI_API_KEY=nineteen-characters"}, "", "WEBUI_API_KEY from environment WEBUI_API_KEY is too short"},
		{[]string{"INGEST_API_KEY_NEXT=12345"}, "", "INGEST_API_KEY_NEXT"},
		{[]string{"WEBUI_API_KEY_NEXT=12345"}, "", "WEBUI_API_KEY_NEXT"},
		{[]string{"INGEST_API_KEY=" + long + "\n", "WEBUI_API_KEY=" + long}, "", "must not be the same text"},
		{[]string{"INGEST_API_KEY=" + other, "INGEST_API_KEY_NEXT=" + long, "WEBUI_API_KEY=" + long}, "", "INGEST_API_KEY_NEXT from environment INGEST_API_KEY_NEXT and WEBUI_API_KEY from"},
		{[]string{"INGEST_API_KEY=" + long, "WEBUI_API_KEY=" + other, "WEBUI_API_KEY_NEXT=" + long}, "", "must not be the same text"},
		{[]string{"INGEST_API_KEY_NEXT=" + long, "WEBUI_API_KEY_NEXT=" + long}, "", "must not be the same text"},
		{[]string{"INGEST_API_KEY=" + long}, long, "admin.key must not be the same text"},
		{nil, "12345", "WEBUI_API_KEY from file "},
		{[]string{"WEBUI_API_KEY=a-key-with-a-\x01-control"}, "", "WEBUI_API_KEY from environment WEBUI_API_KEY contains a control character"},
		{[]string{"INGEST_API_KEY=12345", "WEBUI_API_KEY=12345", "MUTT_INSECURE_KEYS=true"}, "", ""},
	} {
		dir := t.TempDir()
		if tc.adminAt != "" {
			if err := os.WriteFile(filepath.Join(dir, app.AdminKeyFile), []byte(tc.adminAt+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		a := newApp(t, dir, tc.env...)
		err := a.Start(t.Context())
		if err == nil {
			stop(t, a)
		}
		f, _ := fault.As(err)
		switch {
		case tc.words == "" && err != nil:
			t.Errorf("%v: %v", tc.env, err)
		case tc.words == "":
		case f == nil || f.Code != fault.SecretUnfit || !strings.Contains(f.Message, tc.words):
			t.Errorf("%v: %v", tc.env, err)
		case !strings.Contains(f.Message, "control") && !strings.Contains(f.Remedy, "mutt keys generate"):
			t.Errorf("%v: remedy %q", tc.env, f.Remedy)
		case strings.Contains(err.Error(), "12345") || strings.Contains(err.Error(), long):
			t.Errorf("the key is shown: %v", err)
		}
	}
}

// TestUnsafeKeysOfARunningProcess: it keeps the keys that it has, and says so until they are corrected.
func TestUnsafeKeysOfARunningProcess(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, "new"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(dir, "new"), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	const first, second = "first-ingest-key-012345", "second-ingest-key-012345"
	write("INGEST_API_KEY", first)
	m := apptest.Start(t, apptest.Options{NoDestination: true,
		Env: map[string]string{"INGEST_API_KEY": "", "MUTT_SECRETS_DIR": dir, "MUTT_SECRETS_POLL_INTERVAL": "100ms"}})
	send := func(key string) int {
		return m.Post("/api/v2/ingest", apptest.Event("a", "b"), "X-API-KEY", key).Status
	}
	health := func() string { return string(m.Do(http.MethodGet, m.OpsURL+"/health", nil).Body) }
	for _, tc := range []struct{ text, words string }{
		{"12345", "INGEST_API_KEY from file " + dir + "/INGEST_API_KEY modified "},
		{apptest.AdminKey, "must not be the same text"},
		{"a-key-with-a-\x01-control-character", "contains a control character"},
	} {
		write("INGEST_API_KEY", tc.text)
		apptest.Eventually(t, tc.words, func() (bool, any) { h := health(); return strings.Contains(h, tc.words), h })
		if got := send(first); got != http.StatusOK {
			t.Errorf("%q: the key in force gets %d", tc.text, got)
		}
	}
	write("INGEST_API_KEY", second+"\r\n")
	apptest.Eventually(t, "the good key is accepted", func() (bool, any) { got := send(second); return got == http.StatusOK, got })
	apptest.Eventually(t, "the old key is refused", func() (bool, any) { got := send(first); return got == http.StatusUnauthorized, got })
	if got := health(); strings.Contains(got, "INGEST_API_KEY") {
		t.Errorf("it still warns: %s", got)
	}
}

func TestInsecureKeysWarn(t *testing.T) {
	t.Parallel()
	m := apptest.Start(t, apptest.Options{NoDestination: true, Env: map[string]string{"INGEST_API_KEY": "short", "MUTT_INSECURE_KEYS": "true"}})
	if got := string(m.Do(http.MethodGet, m.OpsURL+"/health", nil).Body); !strings.Contains(got, "MUTT_INSECURE_KEYS=true allows") {
		t.Error(got)
	}
}
