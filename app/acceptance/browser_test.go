package acceptance

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// browser is a tab of a real browser, with what its pages failed of.
type browser struct {
	t   *testing.T
	ctx context.Context

	mu         sync.Mutex
	exceptions []string
}

func newBrowser(t *testing.T) *browser {
	t.Helper()
	b := &browser{t: t}
	options := append(chromedp.DefaultExecAllocatorOptions[:len(chromedp.DefaultExecAllocatorOptions):len(chromedp.DefaultExecAllocatorOptions)],
		chromedp.ExecPath(tool(t, "chromium")), chromedp.NoSandbox, chromedp.Flag("force-prefers-reduced-motion", true), chromedp.WindowSize(1440, 900))
	allocated, end := chromedp.NewExecAllocator(t.Context(), options...)
	ctx, done := chromedp.NewContext(allocated, chromedp.WithListener(func(ev any) {
		if e, ok := ev.(*runtime.EventExceptionThrown); ok {
			b.mu.Lock()
			b.exceptions = append(b.exceptions, fmt.Sprintf("%s at %s", e.ExceptionDetails.Text, e.ExceptionDetails.URL))
			b.mu.Unlock()
		}
	}))
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	t.Cleanup(func() { cancel(); done(); end() })
	b.ctx = ctx
	if err := chromedp.Do(ctx, chromedp.Navigate("about:blank")); err != nil { // the browser lives as long as the context of its first action
		t.Fatal(err)
	}
	return b
}

func (b *browser) do(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	for i, action := range actions { // one at a time, each with a bound that names it
		ctx, cancel := context.WithTimeout(b.ctx, 20*time.Second)
		err := chromedp.Do(ctx, action)
		cancel()
		if err != nil {
			b.t.Fatalf("action %d at %s: %v", i, value[string](b, `location.href + " " + document.body.innerText.slice(0, 1500)`), err)
		}
	}
}

// value returns what a script returns.
func value[T any](b *browser, script string) T {
	b.t.Helper()
	out, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](script))
	if err != nil {
		b.t.Fatalf("%.80s: %v", script, err)
	}
	return out
}

// until waits until a script says so; while a page is being left it does not.
func (b *browser) until(what, script string) {
	b.t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); {
		if is, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool](script)); err == nil && is {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	b.t.Fatalf("%s: not so at %s", what, value[string](b, `location.href + " " + document.body.innerText.slice(0, 2500)`))
}

// fill replaces the text of a field, as a person does.
func (b *browser) fill(id, text string) {
	b.t.Helper()
	value[bool](b, `document.getElementById("`+id+`").select(), true`)
	b.do(chromedp.SendKeys("#"+id, text))
}

// sound fails the test when a script of a page failed.
func (b *browser) sound() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range b.exceptions {
		b.t.Errorf("a script failed: %s", e)
	}
}
