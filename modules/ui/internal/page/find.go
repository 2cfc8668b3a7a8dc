package page

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/muttproject/mutt/platform/apiclient"
)

// What is found at most in each group: on the page, and below the box.
const (
	foundOnPage = 20
	foundBelow  = 5
	maxFind     = 255 // bytes of what is looked for
)

// findView is what was found for some words.
type findView struct {
	query  string
	groups []found
}

// found is one kind of things.
type found struct {
	label  string
	hits   []hit
	failed *problem
}

// hit is one thing that was found, with the page that shows it.
type hit struct {
	label, detail, href string
	machine             bool // said by a machine
}

// find leads to an event by its id, and else lists what the words may mean. Every link leads to a page of the console.
func (p *Pages) find(c echo.Context) error {
	q := strings.TrimSpace(c.QueryParam("q"))
	below := c.Request().Header.Get("HX-Request") != ""
	if isEventID(q) && !below {
		secure(c.Response().Header())
		return c.Redirect(http.StatusSeeOther, "/events/"+strings.ToLower(q))
	}
	most := foundOnPage
	if below {
		most = foundBelow
	}
	v := findView{query: visible(cut(q, maxFind))}
	for _, g := range p.foundFor(c, cut(q, maxFind)) {
		g.hits = g.hits[:min(len(g.hits), most)]
		if len(g.hits) > 0 || g.failed != nil {
			v.groups = append(v.groups, g)
		}
	}
	if below {
		return p.show(c, http.StatusOK, foundBelowBox(v))
	}
	return p.show(c, http.StatusOK, findPage(p.frame(c, "find", "Find"), v))
}

// foundFor looks in turn for events, hosts, rules and pages. Its cost is bounded: by an index, by the hosts of a day, by the rules.
func (p *Pages) foundFor(c echo.Context, q string) (out []found) {
	if q != "" && visible(q) == q {
		out = append(out, p.eventsFor(c, q), p.hostsFor(c, q), p.rulesFor(c, q))
	}
	pages := found{label: "Pages"}
	for _, place := range append(places(), place{href: "/docs", label: "API reference"}) {
		if containsFold(place.label, q) {
			pages.hits = append(pages.hits, hit{label: place.label, href: place.href})
		}
	}
	if !strings.ContainsAny(q, "\r\n\t") && q != "" && visible(q) == q {
		pages.hits = append(pages.hits, hit{label: "Search events for " + q, href: listState{q: q}.href()})
	}
	return append(out, pages)
}

// eventsFor finds an event by its id, and events by their correlation id.
func (p *Pages) eventsFor(c echo.Context, q string) found {
	out := found{label: "Events"}
	if isEventID(q) {
		out.hits = append(out.hits, hit{label: q, detail: "the event with this ID", href: "/events/" + strings.ToLower(q), machine: true})
	}
	var got apiclient.AuditLogs
	if err := p.read(c, "/audit-logs", url.Values{"correlation_id": {q}, "limit": {strconv.Itoa(foundOnPage)}}, &got); err != nil {
		out.failed = problemOf(c, err)
	}
	now := p.Now()
	for i := range got.Logs {
		row := rowOf(&got.Logs[i], now)
		out.hits = append(out.hits, hit{label: row.host + " " + cut(row.message, 200), detail: row.time + ", by its correlation ID", href: "/events/" + row.id, machine: true})
	}
	return out
}

// hostsFor finds the hosts of a day whose names begin with q.
func (p *Pages) hostsFor(c echo.Context, q string) found {
	out := found{label: "Hosts"}
	var got apiclient.HostsSeen
	if err := p.read(c, "/events/hosts", url.Values{"prefix": {q}}, &got); err != nil {
		out.failed = problemOf(c, err)
	}
	for _, host := range got.Hosts {
		if visible(host) == host && !strings.ContainsAny(host, " \"") { // a query can hold it
			out.hits = append(out.hits, hit{label: host, detail: "its events", href: listState{q: "host:" + host}.href(), machine: true})
		}
	}
	return out
}

// rulesFor finds rules by a part of their names or by their ids.
func (p *Pages) rulesFor(c echo.Context, q string) found {
	out := found{label: "Rules"}
	var got struct {
		Rules []struct {
			ID       int64
			Name     string
			Priority int
		}
	}
	if err := p.read(c, "/rules", nil, &got); err != nil {
		out.failed = problemOf(c, err)
	}
	for _, r := range got.Rules {
		if id := strconv.FormatInt(r.ID, 10); (id == q || containsFold(r.Name, q)) && len(out.hits) < foundOnPage {
			out.hits = append(out.hits, hit{label: visible(r.Name), detail: "priority " + strconv.Itoa(r.Priority), href: "/rules/" + id})
		}
	}
	return out
}

func containsFold(text, part string) bool {
	return strings.Contains(strings.ToLower(text), strings.ToLower(part))
}
