package page

import (
	"bytes"
	"context"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/a-h/templ"
	"github.com/labstack/echo/v4"

	"github.com/muttproject/mutt/platform/apiclient"
)

// tailTopic is the topic of the judged events that fit the query of the page.
const tailTopic = "tail"

// Bounds of the tail.
const (
	tailRows  = 20       // that a page gets in a second
	tailBytes = 18 << 10 // of these, so that a part of a second's share is left for other topics
	tailRunes = 160      // of a message; the whole one is in the event
)

// liveRow is a rendered row of the list.
type liveRow struct{ id, host, html string }

// tail returns what follows the judged events that fit a query, once for all pages that have this query.
func (h *hub) tail(q string) (func(context.Context, *feed), error) {
	query, _, err := parseQuery(q)
	if err != nil {
		return nil, err
	}
	watch, err := h.pages.Watch(query)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, f *feed) {
		defer watch.Leave()
		var newest []liveRow
		var fitting int64
		var said string
		for first := true; watch.Next(ctx) && !h.idle(f); first = false {
			sample := watch.Sample()
			rows := h.pages.liveRows(q, sample.Events)
			fit, words := tailWords(&sample, len(rows))
			if first { // the reader tells what is judged from now on; what was judged before is listed
				newest = h.newestRows(ctx, q, query)
				rows = slices.DeleteFunc(rows, func(r liveRow) bool {
					return slices.ContainsFunc(newest, func(n liveRow) bool { return n.id == r.id })
				})
			}
			if !first && len(rows) == 0 && words == said {
				continue
			}
			said, fitting = words, fitting+fit
			newest = append(slices.Clone(rows), newest...)
			newest = newest[:min(len(newest), tailRows)]
			h.publish(f, tailText(words, fitting, rows, false), tailText(words, fitting, newest, true))
		}
	}, nil
}

// newestRows lists the newest events of the last hour that fit a query.
func (h *hub) newestRows(ctx context.Context, q string, query url.Values) []liveRow {
	ctx, cancel := context.WithTimeout(ctx, renderPatience)
	defer cancel()
	listed := url.Values{"limit": {strconv.Itoa(tailRows)}, "start_date": {h.pages.Now().UTC().Add(-time.Hour).Format(time.RFC3339)}}
	for name, values := range query {
		listed[name] = values
	}
	var found apiclient.AuditLogs
	if h.pages.read(h.caller(ctx), "/audit-logs", listed, &found) != nil {
		return nil // the list begins with what comes
	}
	return h.pages.liveRows(q, found.Logs)
}

// liveRows renders events as rows of the list, as many as fit a message: where there are too many, the host with the most has one less.
func (p *Pages) liveRows(q string, logs []apiclient.AuditLog) (rows []liveRow) {
	now, size, hosts := p.Now(), 0, map[string]int{}
	for i := range logs {
		row := rowOf(&logs[i], now)
		if runes := []rune(row.message); len(runes) > tailRunes {
			row.message = string(runes[:tailRunes]) + "…"
		}
		row.href = liveState(q, row.id).href()
		var b bytes.Buffer
		if eventLine(row).Render(context.Background(), &b) != nil { // cannot be: a buffer takes everything
			continue
		}
		size += b.Len()
		hosts[row.host]++
		rows = append(rows, liveRow{row.id, row.host, b.String()})
	}
	for size > tailBytes {
		most := 0
		for i := range rows {
			if hosts[rows[i].host] >= hosts[rows[most].host] {
				most = i
			}
		}
		size -= len(rows[most].html)
		hosts[rows[most].host]--
		rows = slices.Delete(rows, most, most+1)
	}
	return rows
}

// tailWords returns how many events fitted, and what the page says of a sample of which it shows so many.
func tailWords(s *apiclient.StreamSample, shown int) (fitting int64, words string) {
	fitting, about := int64(s.Fitting), ""
	if looked := int64(s.LookedAt); s.Judged > looked && looked > 0 { // the reader looks at a part when very many are judged
		if all := fitting * s.Judged / looked; all > fitting {
			fitting, about = all, "about "
		}
	}
	if fitting <= int64(shown) {
		return fitting, "Every event that fits is shown."
	}
	return fitting, count(int64(shown)) + " of " + about + count(fitting) + " per second are shown, spread over all hosts. Narrow the query to see every one."
}

func tailText(words string, fitting int64, rows []liveRow, whole bool) []byte {
	var b bytes.Buffer
	if tailNews(words, fitting, rows, whole).Render(context.Background(), &b) != nil { // cannot be: a buffer takes everything
		return nil
	}
	return b.Bytes()
}

// liveState is the state of the live list with an event beside it.
func liveState(q, peek string) listState { return listState{q: q, live: "1", peek: peek} }

// liveParam returns the value of live=: "1" or nothing.
func liveParam(text string) string {
	if text == "1" {
		return text
	}
	return ""
}

// liveMode turns the list into the live one where the address says so, and links each to the other. The live list has no pages.
func (p *Pages) liveMode(s listState, v *eventsView) {
	v.live = s.live != ""
	other := listState{q: s.q, rng: s.rng, live: "1"}
	if v.live {
		other.live = ""
	}
	v.switchTo = other.href()
	if v.live {
		v.newest, v.newer, v.older, v.looked, v.script = "", "", "", "", p.assets.Path("tail.js")
	}
}

// eventsFrame surrounds the list, which has the key of the pause for itself.
func (p *Pages) eventsFrame(c echo.Context) frame {
	f := p.frame(c, "events", "Events")
	f.Pauses = true
	return f
}

// tailAttributes let the page's script put new rows into the live list.
func tailAttributes(v *eventsView) templ.Attributes {
	if !v.live {
		return nil
	}
	return templ.Attributes{"id": "tail-rows", "data-topics": tailTopic, "data-tail": v.query, "data-reading": v.peek != nil}
}
