package ui

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/muttproject/mutt/platform/rule"
	"github.com/muttproject/mutt/platform/store"
)

// editing is a reader who edits rules by forms, as htmx sends them.
type editing struct {
	*console
	client *http.Client
	token  string
}

func (c *console) editing(role string) *editing {
	c.Helper()
	client := c.session(role)
	found := regexp.MustCompile(`"csrf_token":"([^"]+)"`).FindStringSubmatch(c.get(client, "/api/v2/session").body)
	if found == nil {
		c.Fatal("the session has no token")
	}
	return &editing{c, client, found[1]}
}

func (e *editing) post(path string, form url.Values) answer {
	e.Helper()
	return e.console.post(e.client, path, form, "X-CSRF-Token", e.token, "HX-Request", "true", "Origin", e.url)
}

// review asks for the review of a form, and returns it with the form that it has in it.
func (e *editing) review(form url.Values) (a answer, kept url.Values) {
	e.Helper()
	a, kept = e.post("/rules/review", form), url.Values{}
	for _, m := range regexp.MustCompile(`<input type="hidden" name="([^"]+)" value="([^"]*)"`).FindAllStringSubmatch(a.body, -1) {
		kept.Add(html.UnescapeString(m[1]), html.UnescapeString(m[2]))
	}
	return a, kept
}

func newRuleForm(name, match string) url.Values {
	return url.Values{"editor": {"1"}, "id": {"0"}, "name": {name}, "match_type": {"contains"}, "match_string": {match}, "prod_handling": {"Ticket_only"}, "dev_handling": {"Ignore"},
		"team_assignment": {"NETO"}, "priority": {"2"}, "is_active": {"false", "true"}}
}

// TestViewerTriesRules: a viewer has all of the editor but saving.
func TestViewerTriesRules(t *testing.T) {
	t.Parallel()
	c := newConsole(t, Health{})
	e := c.editing("viewer")
	for _, path := range []string{"/rules/new", "/rules/new?from=" + sceneEvent(118), "/rules/1"} {
		page := c.get(e.client, path)
		if page.status != http.StatusOK || !strings.Contains(page.body, "Saving needs the role operator") || strings.Contains(page.body, "Review and save") {
			t.Errorf("%s answers %d", path, page.status)
		}
	}
	form := newRuleForm("links", "%LINEPROTO-")
	if got := e.post("/rules/matches", form); got.status != http.StatusOK || !strings.Contains(got.body, "at least, by the signature") {
		t.Errorf("matches: %d %.300s", got.status, got.body)
	}
	review, kept := e.review(form)
	if review.status != http.StatusOK || !strings.Contains(review.body, "Saving needs the role operator") || strings.Contains(review.body, `name="reason"`) || strings.Contains(review.body, "Save rule") {
		t.Errorf("review: %d %.300s", review.status, review.body)
	}
	kept.Set("reason", "all the same")
	if got := e.post("/rules/save", kept); got.status != http.StatusForbidden {
		t.Errorf("a viewer saves: %d", got.status)
	}
	if rules, err := c.store.Rules(t.Context()); err != nil || len(rules) != 8 {
		t.Errorf("%d rules, %v", len(rules), err)
	}
}

// TestSavingOverBrokenExamples: only an admin is offered it, and a forged field helps nobody else; the change audit has the reason.
func TestSavingOverBrokenExamples(t *testing.T) {
	t.Parallel()
	c := newConsole(t, Health{})
	c.changeRule(1, func(r *rule.Rule) {
		r.Examples = &rule.Examples{Expect: map[string]string{"neighbor down": "maintenance edge-ams"}, Matches: []string{"neighbor"}}
	})
	form := newRuleForm("takes all", "no such text")
	form["example"], form["not_example"] = []string{"something else"}, []string{"another"}
	for _, role := range []string{"operator", "admin"} {
		e := c.editing(role)
		review, kept := e.review(form)
		if offered := strings.Contains(review.body, `name="force"`); offered != (role == "admin") || !strings.Contains(review.body, "would not hold") {
			t.Errorf("%s is offered to save all the same: %v in %.200s", role, offered, review.body)
		}
		kept.Set("reason", "broken as it is")
		if got := e.post("/rules/save", kept); got.status != http.StatusUnprocessableEntity || !strings.Contains(got.body, "something else") {
			t.Errorf("%s saves over broken examples: %d %s", role, got.status, got.body)
		}
		kept.Set("force", "1")
		got := e.post("/rules/save", kept)
		if role == "operator" {
			if got.header.Get("HX-Redirect") != "" || !strings.Contains(got.body, "role admin") {
				t.Errorf("an operator saves all the same: %d %s", got.status, got.body)
			}
			continue
		}
		if got.status != http.StatusOK || !strings.HasPrefix(got.header.Get("HX-Redirect"), "/rules/9?change=") {
			t.Errorf("an admin does not save all the same: %d %s", got.status, got.body)
		}
	}
	c.lastReason("saved without checking examples: broken as it is (reviewed: 120 events of 24 h, judged again in 0 ms)")
}

// lastReason wants the reason of the newest change.
func (c *console) lastReason(want string) {
	c.Helper()
	changes, err := c.store.Changes(c.Context(), store.ChangeFilter{Limit: 1})
	if err != nil || changes.Items[0].Reason != want {
		c.Errorf("the change audit says %+v, %v, want %q", changes.Items, err, want)
	}
}

// TestReviewIsNotForged: the change audit says how much was reviewed as the process found it, for what was reviewed.
func TestReviewIsNotForged(t *testing.T) {
	t.Parallel()
	c := newConsole(t, Health{})
	e := c.editing("operator")
	form := newRuleForm("links", "%LINEPROTO-")
	form["example"], form["not_example"] = []string{"%LINEPROTO-5"}, []string{"%LINK-3"}
	for i, p := range []struct {
		forge  func(url.Values)
		reason string
	}{
		{func(url.Values) {}, "as it is (reviewed: 120 events of 24 h, judged again in 0 ms)"},
		{func(f url.Values) { f.Set("seen", "all events of ten years") }, "as it is"},
		{func(f url.Values) { f.Del("seal") }, "as it is"},
		{func(f url.Values) { f.Set("priority", "7") }, "as it is"},
		{func(f url.Values) { f.Set("not_example", "other") }, "as it is"},
	} {
		form.Set("name", "links "+string(rune('a'+i)))
		_, kept := e.review(form)
		kept.Set("reason", "as it is")
		p.forge(kept)
		if got := e.post("/rules/save", kept); got.header.Get("HX-Redirect") == "" {
			t.Fatalf("%d: %d %s", i, got.status, got.body)
		}
		c.lastReason(p.reason)
	}
}

// TestEditorShowsAttacksAsText: in every field of the form, in its errors, and in what devices wrote.
func TestEditorShowsAttacksAsText(t *testing.T) {
	t.Parallel()
	c := newConsole(t, Health{})
	e := c.editing("admin")
	safe := func(what string, a answer, shown bool) {
		t.Helper()
		read := regexp.MustCompile(`<textarea[^>]*>[^<]*</textarea>|"[^"]*"`).ReplaceAllString(a.body, "") // fields hold what is stored
		if strings.Contains(a.body, "<img src=x") || strings.Contains(a.body, "<script>document") || strings.Contains(a.body, `onerror="`) || strings.ContainsAny(read, "\x1b\u202e") {
			t.Errorf("%s: the attack is there as it is: %d", what, a.status)
		}
		if a.status >= 500 || shown && !strings.Contains(a.body, "&lt;img src=x") {
			t.Errorf("%s: answers %d, shows the attack: %v\n%.300s", what, a.status, strings.Contains(a.body, "&lt;img"), a.body)
		}
	}
	safe("a draft of an event", c.get(e.client, "/rules/new?from="+sceneEvent(117)), true)
	safe("an id that is none", c.get(e.client, "/rules/"+url.PathEscape(attack)), false)
	safe("an event that is none", c.get(e.client, "/rules/new?from="+url.QueryEscape(attack)), false)
	safe("a stored rule", c.get(e.client, "/rules/8"), true)
	safe("samples", e.post("/rules/matches", newRuleForm("all", "onerror")), true)
	for name := range newRuleForm("x", "y") {
		form := newRuleForm("x", "y")
		form.Set(name, attack)
		for _, path := range []string{"/rules/matches", "/rules/review", "/rules/save"} {
			form.Set("reason", attack)
			safe(name+" at "+path, e.post(path, form), false)
		}
	}
	for _, name := range []string{"description", "host_pattern", "source", "trap_oid", "severity_override", "max_severity", "min_severity", "syslog_severity", "valid_from", "valid_until", "signature",
		"example", "not_example", "expect_message", "base", "rule", "revision", "op", "seen", "seal", "force", "reason"} {
		form := newRuleForm("x", "onerror")
		form.Set(name, attack)
		if name == "expect_message" {
			form.Set("expect_rule", attack)
		}
		for _, path := range []string{"/rules/matches", "/rules/review"} {
			safe(name+" at "+path, e.post(path, form), false)
		}
	}
	form := newRuleForm(markup, "onerror")
	form.Set("signature", markup+"{{hostname}}")
	form.Set("not_example", markup)
	review, _ := e.review(form)
	safe("a review", review, true)
	safe("signatures", e.post("/rules/matches", form), true)
	form = url.Values{"id": {"8"}, "revision": {"99"}, "name": {attack}, "editor": {"1"}}
	safe("a conflict", e.post("/rules/review", form), true)
}
