package page

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/event"
)

type book struct {
	name string
	rows []bookRow
}

type bookRow struct {
	name, value, class string
	even               bool // the difference is 0: the double rule is drawn
}

type objective struct {
	title, value, want, burn, left, status, tone string
	meter                                        float64 // in percent
}

// change is one row of the change audit: what was done, to which record, and the values of a setting.
type change struct{ when, exact, by, what, name, to string }

// books turns the ledger's statement of its window into the two books. Whether they balance is for the whole ledger to say: what is being
// worked on may be on both sides or on neither for a moment.
func books(l *apiclient.Ledger) (out []book, even bool) {
	difference := func(n int64, balanced bool) bookRow {
		row := bookRow{name: "difference", value: count(n), class: "dim", even: n == 0 && balanced}
		if !balanced {
			row.class = "bad"
		}
		return row
	}
	if w := l.Window; w != nil {
		j, d := &w.Judging, &w.Delivery
		out = []book{
			{"Judging", []bookRow{{name: "brought forward", value: count(j.BroughtForward), class: "dim"}, {name: "received", value: count(j.Received)},
				{name: "to account for", value: count(j.BroughtForward + j.Received), class: "sum"}, {name: "judged", value: count(j.Judged)},
				{name: "of these forwarded", value: count(j.ByFate[event.FateForwarded.String()]), class: "sub"}, {name: "in flight", value: count(j.InFlight)},
				difference(j.Difference, l.Judging.Balanced)}},
			{"Delivery", []bookRow{{name: "brought forward", value: count(d.BroughtForward), class: "dim"}, {name: "forwarded, meta", value: count(d.Forwardable)},
				{name: "to account for", value: count(d.BroughtForward + d.Forwardable), class: "sum"}, {name: "delivered", value: count(d.Delivered)},
				{name: "waiting", value: count(d.InFlight)}, {name: "parked, discarded", value: count(d.Parked + d.Discarded)},
				difference(d.Difference, l.Delivery.Balanced)}},
		}
	}
	return out, l.Judging.Balanced && l.Delivery.Balanced
}

// objectiveOf renders one objective.
func objectiveOf(s *apiclient.SLO) objective {
	title := map[string]string{"ingest_availability": "Intake takes events", "judging_success": "Events are judged", "judging_latency": "Judged in time",
		"delivery_success": "Alerts are delivered", "delivery_latency": "Delivered in time"}[s.Name]
	if title == "" {
		title = s.Name
	}
	status := string(s.Status)
	o := objective{title: title, value: "–", tone: map[string]string{"ok": "ok", "no_data": "none", "warning": "warn", "breaching": "warn", "critical": "bad"}[status],
		status: map[string]string{"ok": "ok", "no_data": "no data", "warning": "burning", "breaching": "used up", "critical": "burning fast"}[status]}
	switch {
	case s.TargetSeconds != nil:
		o.want = fmt.Sprintf("≤ %s p%g", seconds(*s.TargetSeconds), s.Quantile*100)
	case s.Target != nil:
		o.want = "≥ " + percent(*s.Target)
	}
	if s.ActualValue != nil && s.TargetSeconds != nil {
		o.value = seconds(*s.ActualValue)
	} else if s.ActualValue != nil {
		o.value = percent(*s.ActualValue)
	}
	if s.BurnRate != nil {
		o.burn = fmt.Sprintf("%.1f", *s.BurnRate)
	}
	if s.Remaining != nil {
		o.meter = 100 * min(1, max(0, *s.Remaining))
		o.left = fmt.Sprintf("%.0f %% left", 100*max(0, *s.Remaining))
	}
	return o
}

// changeOf says what a change did, in words.
func changeOf(l *apiclient.Change, now time.Time) change {
	verb := map[string]string{"CREATE": "added", "UPDATE": "changed", "DELETE": "removed"}[l.Operation]
	nouns := map[string]string{"alert_rules": "rule", "dynamic_config": "", "development_hosts": "development host", "dev_hosts": "development host",
		"device_teams": "team of", "teams": "team of", "api_keys": "API key"}
	noun, known := nouns[l.TableName]
	if !known {
		noun = strings.ReplaceAll(l.TableName, "_", " ")
	}
	c := change{when: minuteOf(l.ChangedAt, now), exact: exact(l.ChangedAt), by: visible(l.ChangedBy), what: strings.TrimSpace(verb + " " + noun), name: l.RecordID}
	for _, value := range []json.RawMessage{l.NewValue, l.OldValue} {
		var named struct {
			Name string `json:"name"`
		}
		if json.Unmarshal(value, &named) == nil && named.Name != "" {
			c.name = named.Name
			break
		}
	}
	if before, after := scalar(l.OldValue), scalar(l.NewValue); l.TableName == "dynamic_config" && after != "" {
		c.what = ""
		if c.to = after; before != "" {
			c.to = before + " → " + after
		}
	}
	c.name, c.to = visible(c.name), visible(c.to)
	return c
}

// minuteOf renders a moment without seconds.
func minuteOf(t, now time.Time) string {
	text := moment(t, now)
	if len(text) == len("15:04:05") && text[2] == ':' {
		return text[:5]
	}
	return text
}

// scalar returns a number, a text or a truth value as it is shown; "" for anything else, also within the member value.
func scalar(raw json.RawMessage) string {
	var wrapped struct {
		Value json.RawMessage `json:"value"`
	}
	if json.Unmarshal(raw, &wrapped) == nil && wrapped.Value != nil {
		raw = wrapped.Value
	}
	var v any
	if json.Unmarshal(raw, &v) != nil {
		return ""
	}
	switch v := v.(type) {
	case string:
		return v
	case bool, float64:
		return strings.TrimSpace(string(raw))
	}
	return ""
}
