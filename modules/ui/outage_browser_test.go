package ui

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/rule"
	"github.com/muttproject/mutt/platform/store"
)

// fickleStore is a store that can go away.
type fickleStore struct {
	Store
	away atomic.Bool
}

func (s *fickleStore) fail() error {
	if s.away.Load() {
		return fault.New(fault.StoreUnavailable, "PostgreSQL is unavailable")
	}
	return nil
}

func (s *fickleStore) Session(ctx context.Context, token []byte) (*store.Session, error) {
	if err := s.fail(); err != nil {
		return nil, err
	}
	return s.Store.Session(ctx, token)
}

func (s *fickleStore) Change(ctx context.Context, actor store.Actor, reason string, fn func(*store.Tx) error) (int64, error) {
	if err := s.fail(); err != nil {
		return 0, err
	}
	return s.Store.Change(ctx, actor, reason, fn)
}

func (s *fickleStore) Books(ctx context.Context) (store.Books, error) {
	if err := s.fail(); err != nil {
		return store.Books{}, err
	}
	return s.Store.Books(ctx)
}

func (s *fickleStore) RuleByID(ctx context.Context, id int64) (rule.Rule, error) {
	if err := s.fail(); err != nil {
		return rule.Rule{}, err
	}
	return s.Store.RuleByID(ctx, id)
}

// outagesLoseNothing: while the store or the server is away, pages stay and say so, a save is refused where it was made, nothing that was
// typed is lost, and all of it goes on afterwards.
func outagesLoseNothing(t *testing.T) {
	t.Helper()
	var db *fickleStore
	c := newConsoleOf(t, Health{}, func(d *Deps) {
		db = &fickleStore{Store: d.Store}
		d.Store = db
	})
	c.scene = troubled()
	c.ago.Store(int64(14 * time.Minute))
	populate(t, c.store)
	c.keepBooks(c.scene)
	b := c.newTab()
	b.look("dark", 1440)
	b.logIn("operator")
	b.state("live")
	overview := b.another()
	overview.look("dark", 1440)
	overview.do(chromedp.Navigate(b.url + "/"))
	overview.state("live")
	quiet := func() { b.mu.Lock(); b.complaints = nil; b.mu.Unlock() } // the browser logs what is refused
	b.do(chromedp.Navigate(b.url + "/rules/3"))
	matchesShown(b)
	ctrlEnter := func() { b.do(chromedp.KeyEvent("\r", chromedp.KeyModifiers(2))) }
	outage := func(end bool) {
		gone := error(fault.New(fault.StoreUnavailable, "PostgreSQL is unavailable"))
		if !end {
			c.folded.Store(&gone)
			db.away.Store(true)
			return
		}
		db.away.Store(false)
		c.folded.Store(nil)
	}
	reviewed := func(reason string) {
		t.Helper()
		ctrlEnter()
		b.until("the review is open", `!!document.querySelector("#overlay dialog[open] .checks")`)
		get[bool](b, `document.querySelector("#why").focus(); true`)
		b.do(chromedp.KeyEvent(reason))
	}
	const kept = `document.querySelector("#description").value === "written by hand" && document.querySelector("#team_assignment").value === "NETO2" && window.same`
	get[bool](b, `document.querySelector("#more").open = true; window.same = true`)
	b.do(chromedp.SendKeys("#description", "written by hand"))
	get[bool](b, `{const f = document.querySelector("#team_assignment"); f.focus(); f.setSelectionRange(9, 9); true}`)
	b.do(chromedp.KeyEvent("2"))

	// The store.
	outage(false)
	overview.until("an open Overview says so, and goes on with the queues", `(t => t.includes("The store cannot be read") && t.includes("1,604"))(document.querySelector("#main").innerText) && document.querySelector("#live-words").textContent === "live"`)
	ctrlEnter()
	b.until("a review is refused", `document.querySelector("#overlay dialog[open]")?.innerText.includes("unavailable")`)
	b.do(chromedp.KeyEvent("\x1b"))
	b.until("the form is as it was", `!document.querySelector("#overlay dialog") && document.activeElement !== document.body && `+kept)
	outage(true)
	reviewed("because of this test")
	outage(false)
	ctrlEnter()
	const asked = `!!document.querySelector("#overlay dialog[open]") && document.querySelector("#why").value === "because of this test" && `
	b.until("a save is refused where it was made", asked+`document.querySelector("#why-err").innerText.includes("unavailable") && `+kept)
	outage(true)
	overview.until("Overview goes on", `!document.querySelector("#main").innerText.includes("The store cannot be read") && document.querySelector("#live-words").textContent === "live"`)

	// The server.
	addr := strings.TrimPrefix(b.url, "http://")
	if err := b.server.Stop(b.Context()); err != nil {
		t.Fatal(err)
	}
	ctrlEnter()
	b.until("a save without an answer is said in the dialog", asked+`document.querySelector("#refusal").innerText.includes("does not answer") && `+kept)
	b.do(chromedp.KeyEvent("\x1b"))
	b.until("the dialog closes", `!document.querySelector("#overlay dialog") && `+kept)
	ctrlEnter()
	b.until("a review without an answer is said beside the form", `document.querySelector("#toasts").innerText.includes("does not answer") && `+kept)
	overview.state("stale for ")
	overview.eventually(`document.querySelector("#main").classList.contains("stale") && document.querySelector("#main").innerText.includes("1,604")`)
	b.serve(addr)
	b.until("the editor goes on", `document.querySelector("#live-words").textContent === "live" && `+kept)
	reviewed("because of this test")
	b.until("what was said before has gone", `!document.querySelector("#toasts").innerText.includes("answer")`)
	ctrlEnter()
	b.until("it is saved", `!window.same && document.querySelector("#toasts")?.innerText.includes("saved")`)
	if r, err := c.store.RuleByID(t.Context(), 3); err != nil || r.TeamAssignment != "NETO2" || r.Description != "written by hand" {
		t.Errorf("stored %+v, %v", r, err)
	}
	overview.state("live")
	overview.eventually(`!document.querySelector("#main").classList.contains("stale")`)
	quiet()
}
