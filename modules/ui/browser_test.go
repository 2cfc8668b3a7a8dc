package ui

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// tab is a tab of a real browser, with what the browser complained of and asked for.
type tab struct {
	*console
	ctx context.Context

	mu         sync.Mutex
	complaints []string
	requests   []string
}

// newTab opens a tab of its own browser. Without one installed the test is skipped, unless the tests must not do without.
func (c *console) newTab() *tab {
	c.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("MUTT_TEST_REQUIRE") == "1" {
			c.Fatal("chromium is not installed: run .ci/install")
		}
		c.Skip("chromium is not installed")
	}
	b := &tab{console: c}
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]), chromedp.ExecPath(path), chromedp.NoSandbox,
		chromedp.Flag("force-prefers-reduced-motion", true), chromedp.Flag("hide-scrollbars", true))
	allocated, end := chromedp.NewExecAllocator(c.Context(), options...)
	ctx, done := chromedp.NewContext(allocated, chromedp.WithListener(b.listen))
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	c.Cleanup(func() { cancel(); done(); end() })
	b.ctx = ctx
	return b
}

func (b *tab) listen(ev any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := ev.(type) {
	case *log.EventEntryAdded:
		b.complaints = append(b.complaints, fmt.Sprintf("%s: %s", e.Entry.Source, e.Entry.Text))
	case *runtime.EventExceptionThrown:
		b.complaints = append(b.complaints, e.ExceptionDetails.Text)
	case *network.EventRequestWillBeSent:
		b.requests = append(b.requests, e.Request.URL)
	}
}

func (b *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	b.Helper()
	if err := chromedp.Do(b.ctx, actions...); err != nil {
		b.Fatal(err)
	}
}

// get returns what a script returns.
func get[T any](b *tab, script string) T {
	b.Helper()
	out, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
	if err != nil {
		b.Fatalf("%.80s: %v", script, err)
	}
	return out
}

// look sets the theme that the browser prefers and the width of the window.
func (b *tab) look(theme string, width int64) {
	b.Helper()
	height := int64(900)
	if width < 721 {
		height = 844
	}
	b.do(chromedp.EmulateViewport(width, height), chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: theme}}})
		return err
	}))
}

// logIn logs in through the page, as a person does.
func (b *tab) logIn(role string) {
	b.Helper()
	b.do(chromedp.Navigate(b.url+"/login"), chromedp.SendKeys("#key", "  "+b.keys[role]+" \r"), chromedp.WaitVisible("#verdict"))
}

// sound fails the test when the browser complained, or asked another host.
func (b *tab) sound(where string) {
	b.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range b.complaints {
		b.Errorf("%s: the browser says: %s", where, c)
	}
	for _, r := range b.requests {
		if !strings.HasPrefix(r, b.url+"/") && !strings.HasPrefix(r, "data:") {
			b.Errorf("%s: a request went to %s", where, r)
		}
	}
	b.complaints = nil
}

// view is a page that the checks and the screenshots go through.
type view struct{ name, path string }

func views() []view {
	return []view{
		{"overview", "/"},
		{"events", "/events"},
		{"events-filtered", "/events?" + url.Values{"q": {"host:edge-fra-1"}, "range": {"1h"}, "e": {idAt(sceneTime().Add(-135*time.Second).Add(264*time.Millisecond), 115).String()}}.Encode()},
		{"events-empty", "/events?q=host%3Aedge-fra-3+fate%3Asilenced"},
		{"events-refused", "/events?q=host%3A"},
		{"components", "/components"},
	}
}

// each calls f for every page, theme and width: the login first, then the pages of a reader.
func (b *tab) each(f func(name string)) {
	b.Helper()
	widths := []int64{1440, 390}
	through := func(v view) {
		for _, theme := range []string{"dark", "light"} {
			for _, width := range widths {
				b.look(theme, width)
				b.do(chromedp.Navigate(b.url + v.path))
				f(fmt.Sprintf("%s-%d-%s", v.name, width, theme))
			}
		}
	}
	through(view{"login", "/login"})
	through(view{"login-ended", "/login?ended=1"})
	b.logIn("operator")
	for _, v := range views() {
		through(v)
	}
}

// TestPagesAreAccessible runs axe-core on every page in both themes and two widths; the browser complains of nothing, asks no other
// host, and no page scrolls sideways.
func TestPagesAreAccessible(t *testing.T) {
	t.Parallel()
	b := newConsole(t, Health{Warnings: []string{"redis: appendfsync is everysec: a power cut can cost its last second", "alerts: 3 devices use the old key"}}).newTab()
	axe, err := os.ReadFile(filepath.Join("testdata", "axe.js"))
	if err != nil {
		t.Fatal(err)
	}
	looked := 0
	b.each(func(name string) {
		looked++
		refused := strings.HasPrefix(name, "events-refused")
		if !refused { // the browser logs the status of a page that is refused
			b.sound(name)
		}
		if wide := get[int](b, `document.documentElement.scrollWidth - innerWidth`); wide > 0 {
			t.Errorf("%s scrolls sideways by %d px", name, wide)
		}
		if lost := get[[]string](b, `[...document.querySelectorAll("a[href]")].map(a => a.getAttribute("href")).filter(h => h.startsWith("#") && h.length > 1 && !document.getElementById(h.slice(1)))`); len(lost) > 0 {
			t.Errorf("%s links to %q, which is not there", name, lost)
		}
		get[bool](b, string(axe)+";true")
		var violations []struct {
			ID, Help string
			Nodes    []struct{ HTML, FailureSummary string }
		}
		report := get[string](b, `axe.run(document, {resultTypes: ["violations"]}).then(r => JSON.stringify(r.violations.map(v => ({id: v.id, help: v.help, nodes: v.nodes.map(n => ({html: n.html, failureSummary: n.failureSummary}))}))))`)
		if err := json.Unmarshal([]byte(report), &violations); err != nil {
			t.Fatal(err)
		}
		for _, v := range violations {
			t.Errorf("%s: %s: %s: %d times, first %.200s %.300s", name, v.ID, v.Help, len(v.Nodes), v.Nodes[0].HTML, v.Nodes[0].FailureSummary)
		}
		b.mu.Lock()
		b.complaints = nil
		b.mu.Unlock()
	})
	if looked < 30 {
		t.Errorf("only %d pages were looked at", looked)
	}
}

// TestScreenshots writes every page into the directory MUTT_SCREENSHOTS, for people: 'make screenshots'.
func TestScreenshots(t *testing.T) {
	t.Parallel()
	dir := os.Getenv("MUTT_SCREENSHOTS")
	if dir == "" {
		t.Skip("for people: make screenshots")
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	b := newConsole(t, Health{Warnings: []string{"redis: appendfsync is everysec: a power cut can cost its last second", "alerts: 3 devices use the old key"}}).newTab()
	b.each(func(name string) {
		shot, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
		if strings.HasPrefix(name, "components") {
			shot, err = chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name+".png"), shot, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	})
}
