package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/muttproject/mutt/app/apptest"
	"github.com/muttproject/mutt/platform/apiclient"
)

// written is what a command has written so far.
type written struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (w *written) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.Write(p)
}

func (w *written) lines() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Split(strings.TrimSuffix(w.b.String(), "\n"), "\n")
}

// watch runs the command until the test says stop, which gives its exit status.
func watch(t *testing.T, server string, args ...string) (out, notes *written, stop func() int) {
	t.Helper()
	out, notes = &written{}, &written{}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan int, 1)
	go func() {
		ended <- Run(ctx, append([]string{"config", "watch", "--interval", "100ms", "--server", server}, args...),
			streams{in: strings.NewReader(""), out: out, err: notes, environ: []string{"MUTT_API_KEY=" + apptest.AdminKey}})
	}()
	return out, notes, func() int { cancel(); return <-ended }
}

// Each change from the first look on is shown once, in order, whole.
func TestWatchShowsEachChangeOnce(t *testing.T) {
	t.Parallel()
	m := apptest.Start(t, apptest.Options{NoDestination: true})
	m.SetConfig("unhandled_threshold", 1) // not shown: it was before
	out, _, stop := watch(t, m.AdminURL, "unhandled_threshold", "-o", "json")
	value := 1
	apptest.Eventually(t, "the first change is shown", func() (bool, any) {
		value++
		m.SetConfig("unhandled_threshold", value)
		m.SetConfig("unhandled_expiry_seconds", 100+value) // another key
		return out.lines()[0] != "", nil
	})
	for range 70 { // more than a page
		value++
		m.SetConfig("unhandled_threshold", value)
	}
	apptest.Eventually(t, "the last change is shown", func() (bool, any) {
		lines := out.lines()
		return strings.Contains(lines[len(lines)-1], fmt.Sprintf(`"new_value":%d,`, value)), lines
	})
	if status := stop(); status != 0 {
		t.Errorf("Ctrl-C ends with %d", status)
	}
	var last apiclient.Change
	for i, line := range out.lines() {
		var c apiclient.Change
		if err := json.Unmarshal([]byte(line), &c); err != nil {
			t.Fatalf("line %d: %v: %s", i, err, line)
		}
		if i > 0 && (c.ID <= last.ID || string(c.OldValue) != string(last.NewValue)) || c.RecordID != "unhandled_threshold" {
			t.Fatalf("line %d does not follow the one before: %s", i, line)
		}
		last = c
	}
}

func TestWatchWaitsForAServerThatIsAway(t *testing.T) {
	t.Parallel()
	m := apptest.Start(t, apptest.Options{NoDestination: true})
	target, err := url.Parse(m.AdminURL)
	if err != nil {
		t.Fatal(err)
	}
	var away atomic.Bool
	proxy := httputil.NewSingleHostReverseProxy(target)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if away.Load() {
			http.Error(w, "the server is away", http.StatusBadGateway)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	out, notes, stop := watch(t, front.URL)
	n := 100
	set := func() bool {
		n++
		m.SetConfig("unhandled_threshold", n)
		return true
	}
	apptest.Eventually(t, "a change is shown", func() (bool, any) { return set() && out.lines()[0] != "", notes.lines() })
	away.Store(true)
	apptest.Eventually(t, "it says that it waits", func() (bool, any) { return strings.Contains(notes.lines()[0], "waiting: "), notes.lines() })
	set()
	away.Store(false)
	apptest.Eventually(t, "what came meanwhile is shown", func() (bool, any) {
		lines := out.lines()
		return strings.Contains(lines[len(lines)-1], fmt.Sprintf("→ %d ", n)), lines
	})
	if status := stop(); status != 0 || len(notes.lines()) != 2 {
		t.Errorf("ended with %d, having said %q", status, notes.lines())
	}
}
