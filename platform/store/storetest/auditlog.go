package storetest

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/store"
)

func auditLogCases() map[string]func(*testing.T, Harness) {
	return map[string]func(*testing.T, Harness){
		"filters":                              auditFilters,
		"search finds texts as they are":       auditSearch,
		"a host has many spellings":            spelledFilters,
		"a walk neither repeats nor skips":     walkUnderInserts,
		"pages by offset":                      offsetPages,
		"above 10,000 the total is estimated":  estimatedTotal,
		"a search looks at a window at a time": boundedSearch,
		"hosts that were seen":                 seenHosts,
	}
}

// failer is what *testing.T and *rapid.T have in common.
type failer interface {
	Helper()
	Fatal(args ...any)
	Context() context.Context
}

// walk follows the cursor to the end.
func walk(t failer, s *store.Store, f store.AuditFilter) (all []store.AuditLog) {
	t.Helper()
	for range 10_000 {
		page, err := s.AuditLogs(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, page.Items...)
		if page.Next == (event.ID{}) {
			return all
		}
		f.Before = page.Next
	}
	t.Fatal("the walk does not end")
	return nil
}

func numbers(logs []store.AuditLog) []int {
	out := []int{}
	for _, a := range logs {
		out = append(out, int(a.ReceivedAt.Sub(epoch()).Milliseconds()))
	}
	return out
}

func auditFilters(t *testing.T, h Harness) {
	s := open(t, h)
	rows := []store.AuditRow{}
	for i := range 12 {
		rows = append(rows, row(i, func(e *event.Event, d *event.Decision) {
			e.Source, e.Severity, d.Dev = event.SourceSyslog, int8(i-4), i%5 == 0 // the first three are of no severity
			if e.Severity < 0 {
				e.Source, e.Severity = event.SourceHTTP, event.Absent
			}
			if i%4 == 0 {
				*d = event.Decision{Fate: event.FateForwarded, Handling: event.PageOnly, RuleID: int64(1 + i%8), Team: fmt.Sprintf("T%d", i%8)}
			}
		}))
	}
	judge(t, s.Store, entry(rows...))
	one, ghost, dev, prod := int64(1), int64(3), true, false
	for name, tc := range map[string]struct {
		f    store.AuditFilter
		want []int
	}{
		"none":                {store.AuditFilter{}, []int{11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0}},
		"hostname":            {store.AuditFilter{Hostname: "host-1"}, []int{10, 7, 4, 1}},
		"hostname, any case":  {store.AuditFilter{Hostname: "HOST-1"}, []int{10, 7, 4, 1}},
		"hostname is whole":   {store.AuditFilter{Hostname: "host-"}, []int{}},
		"rule":                {store.AuditFilter{RuleID: &one}, []int{8, 0}},
		"no such rule":        {store.AuditFilter{RuleID: &ghost}, []int{}},
		"rule and hostname":   {store.AuditFilter{RuleID: &one, Hostname: "host-2"}, []int{8}},
		"team":                {store.AuditFilter{Team: "T4"}, []int{4}},
		"handling":            {store.AuditFilter{Handling: event.PageOnly}, []int{8, 4, 0}},
		"fate":                {store.AuditFilter{Fate: event.FateForwarded, Hostname: "host-0"}, []int{0}},
		"source":              {store.AuditFilter{Source: event.SourceHTTP}, []int{3, 2, 1, 0}},
		"source of none":      {store.AuditFilter{Source: event.SourceTrap}, []int{}},
		"err and worse":       {store.AuditFilter{Severity: &store.SeverityRange{Least: 3}}, []int{7, 6, 5, 4}},
		"a range":             {store.AuditFilter{Severity: &store.SeverityRange{Worst: 3, Least: 5}}, []int{9, 8, 7}},
		"any severity":        {store.AuditFilter{Severity: &store.SeverityRange{Least: 7}}, []int{11, 10, 9, 8, 7, 6, 5, 4}},
		"dev":                 {store.AuditFilter{Dev: &dev}, []int{10, 5}},
		"prod and host":       {store.AuditFilter{Dev: &prod, Hostname: "host-1"}, []int{7, 4, 1}},
		"id":                  {store.AuditFilter{ID: rows[5].Event.ID}, []int{5}},
		"id of another host":  {store.AuditFilter{ID: rows[5].Event.ID, Hostname: "host-1"}, []int{}},
		"id out of time":      {store.AuditFilter{ID: rows[5].Event.ID, Start: epoch().Add(6 * time.Millisecond)}, []int{}},
		"correlation":         {store.AuditFilter{CorrelationID: "c-5"}, []int{5}},
		"time, [ )":           {store.AuditFilter{Start: epoch().Add(3 * time.Millisecond), End: epoch().Add(6 * time.Millisecond)}, []int{5, 4, 3}},
		"end inside a ms":     {store.AuditFilter{Start: epoch(), End: epoch().Add(1001 * time.Microsecond)}, []int{1, 0}},
		"before":              {store.AuditFilter{Before: rows[3].Event.ID}, []int{2, 1, 0}},
		"before and host":     {store.AuditFilter{Before: rows[4].Event.ID, Hostname: "host-1"}, []int{1}},
		"text and host":       {store.AuditFilter{Query: "MESSAGE 1", Hostname: "host-1"}, []int{10, 1}},
		"time, host, rule":    {store.AuditFilter{Start: epoch().Add(time.Millisecond), RuleID: &one, Hostname: "host-2"}, []int{8}},
		"year before Unix":    {store.AuditFilter{End: time.Date(1960, 1, 1, 0, 0, 0, 0, time.UTC)}, []int{}},
		"injection is a text": {store.AuditFilter{Hostname: "' OR 1=1 --"}, []int{}},
	} {
		page := value[store.Page[store.AuditLog]](t)(s.AuditLogs(t.Context(), tc.f))
		if diff := cmp.Diff(tc.want, numbers(page.Items)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if tc.f.Before == (event.ID{}) && page.Total != int64(len(tc.want)) || page.TotalIsEstimate || page.Partial || page.Next != (event.ID{}) {
			t.Errorf("%s: total %d, estimate %v, partial %v, next %v", name, page.Total, page.TotalIsEstimate, page.Partial, page.Next)
		}
	}
}

// spelledFilters holds that a filter finds all spellings of a host and no other host, by the index and, when there are
// too many, in a bounded window.
func spelledFilters(t *testing.T, h Harness) {
	s := h.Open(t, store.Options{Now: newClock().Now, Logger: zap.NewNop(), ScanWindow: 10})
	hosts := []string{"core-1", "CORE-1", "", "core-10", "Core-1", "CORE", "köln", "KÖLN", "KöLN", "core-1x"}
	many := []string{"abcd", "ABCD", "aBCD", "abCD", "abcD", "Abcd", "ABcd", "ABCd", "AbCd", "aBcD"}
	var rows []store.AuditRow
	for i := range 40 {
		rows = append(rows, row(i, func(e *event.Event, d *event.Decision) {
			if e.Hostname = hosts[i%10]; i >= 30 {
				e.Hostname = many[i%10]
			}
			d.Team = fmt.Sprint("T", i%2)
		}))
	}
	judge(t, s.Store, entry(rows...))
	for name, tc := range map[string]struct {
		f    store.AuditFilter
		want []int
	}{
		"three spellings":     {store.AuditFilter{Hostname: "core-1"}, []int{24, 21, 20, 14, 11, 10, 4, 1, 0}},
		"a spelling of none":  {store.AuditFilter{Hostname: "cOrE-1"}, []int{24, 21, 20, 14, 11, 10, 4, 1, 0}},
		"page":                {store.AuditFilter{Hostname: "CORE-1", Limit: 2}, []int{24, 21, 20, 14, 11, 10, 4, 1, 0}},
		"time":                {store.AuditFilter{Hostname: "core-1", Start: epoch().Add(4 * time.Millisecond), End: epoch().Add(15 * time.Millisecond)}, []int{14, 11, 10, 4}},
		"team":                {store.AuditFilter{Hostname: "core-1", Team: "T1", Limit: 1}, []int{21, 11, 1}},
		"one spelling":        {store.AuditFilter{Hostname: "CORE-10"}, []int{23, 13, 3}},
		"no spelling":         {store.AuditFilter{Hostname: "core-"}, []int{}},
		"other letters":       {store.AuditFilter{Hostname: "KöLN"}, []int{28, 26, 18, 16, 8, 6}},
		"too many":            {store.AuditFilter{Hostname: "abcd", Limit: 4}, []int{39, 38, 37, 36, 35, 34, 33, 32, 31, 30}},
		"too many and a team": {store.AuditFilter{Hostname: "abcd", Team: "T0"}, []int{38, 36, 34, 32, 30}},
	} {
		if diff := cmp.Diff(tc.want, numbers(walk(t, s.Store, tc.f))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	page := value[store.Page[store.AuditLog]](t)(s.AuditLogs(t.Context(), store.AuditFilter{Hostname: "CORE-1", Limit: 2, Offset: 3}))
	if page.Total != 9 || page.TotalIsEstimate || numbers(page.Items)[0] != 14 || page.Items[0].Hostname != "Core-1" {
		t.Errorf("page by offset: %d rows in all, %v, %q", page.Total, numbers(page.Items), page.Items[0].Hostname)
	}
}

func auditSearch(t *testing.T, h Harness) {
	s := open(t, h)
	texts := []string{"100% loss", "a_b", "axb", `say "hi" \ back`, "tab\there", "Ünicode wörd", "bang! bang"}
	rows := []store.AuditRow{}
	for i, text := range texts {
		rows = append(rows, row(i, func(e *event.Event, _ *event.Decision) { e.Message = text }))
	}
	judge(t, s.Store, entry(rows...))
	for query, want := range map[string][]int{
		"100%": {0}, "% loss": {0}, "a_b": {1}, `say "HI" \`: {3}, "b\th": {4}, "wörd": {5}, "g! b": {6}, "!": {6}, "%%": {}, "no such": {},
	} {
		if diff := cmp.Diff(want, numbers(walk(t, s.Store, store.AuditFilter{Query: query}))); diff != "" {
			t.Errorf("%q (-want +got):\n%s", query, diff)
		}
	}
}

func walkUnderInserts(t *testing.T, h Harness) {
	s := open(t, h)
	n := 0
	add := func(count int) {
		rows := []store.AuditRow{}
		for range count {
			rows = append(rows, row(n, nil))
			n++
		}
		judge(t, s.Store, entry(rows...))
	}
	add(50)
	for _, host := range []string{"", "host-1"} {
		f, got, start := store.AuditFilter{Limit: 7, Hostname: host}, []int{}, n
		for {
			page := value[store.Page[store.AuditLog]](t)(s.AuditLogs(t.Context(), f))
			got = append(got, numbers(page.Items)...)
			if page.Next == (event.ID{}) {
				break
			}
			f.Before = page.Next
			add(3) // newer than the walk
		}
		want := []int{}
		for i := start - 1; i >= 0; i-- {
			if host == "" || i%3 == 1 {
				want = append(want, i)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("host %q (-want +got):\n%s", host, diff)
		}
	}
}

func offsetPages(t *testing.T, h Harness) {
	s := open(t, h)
	rows := []store.AuditRow{}
	for i := range 10 {
		rows = append(rows, row(i, nil))
	}
	judge(t, s.Store, entry(rows...))
	for offset, want := range map[int][]int{0: {9, 8, 7}, 3: {6, 5, 4}, 9: {0}, 10: {}, 1 << 40: {}, -5: {9, 8, 7}} {
		page := value[store.Page[store.AuditLog]](t)(s.AuditLogs(t.Context(), store.AuditFilter{Limit: 3, Offset: offset}))
		if diff := cmp.Diff(want, numbers(page.Items)); diff != "" || page.Total != 10 {
			t.Errorf("offset %d: total %d (-want +got):\n%s", offset, page.Total, diff)
		}
	}
}

// fill stores n rows, one for each millisecond; every tenth is of the host "rare" and has the team "T".
func fill(t testing.TB, s *store.Store, n int) {
	t.Helper()
	for at := 0; at < n; at += 2000 {
		rows := make([]store.AuditRow, min(2000, n-at))
		for i := range rows {
			rows[i] = row(at+i, func(e *event.Event, d *event.Decision) {
				if (at+i)%10 == 0 {
					e.Hostname, d.Team = "rare", "T"
				}
			})
		}
		judge(t, s, entry(rows...))
	}
}

func estimatedTotal(t *testing.T, h Harness) {
	s := open(t, h)
	fill(t, s.Store, 10_000)
	if page := value[store.Page[store.AuditLog]](t)(s.AuditLogs(t.Context(), store.AuditFilter{})); page.Total != 10_000 || page.TotalIsEstimate {
		t.Errorf("10,000 rows: total %d, estimate %v", page.Total, page.TotalIsEstimate)
	}
	fill(t, s.Store, 14_000) // the first 10,000 are there
	for name, f := range map[string]store.AuditFilter{"all": {}, "time": {Start: epoch().Add(time.Second)}} {
		page := value[store.Page[store.AuditLog]](t)(s.AuditLogs(t.Context(), f))
		if !page.TotalIsEstimate || page.Total < 12_500 || page.Total > 14_500 {
			t.Errorf("%s: total %d, estimate %v", name, page.Total, page.TotalIsEstimate)
		}
	}
	if page := value[store.Page[store.AuditLog]](t)(s.AuditLogs(t.Context(), store.AuditFilter{Hostname: "rare"})); page.Total != 1400 || page.TotalIsEstimate {
		t.Errorf("rare: total %d, estimate %v", page.Total, page.TotalIsEstimate)
	}
}

func boundedSearch(t *testing.T, h Harness) {
	s := h.Open(t, store.Options{ScanWindow: 500, Logger: zap.NewNop(), Now: time.Now})
	fill(t, s.Store, 600)
	f := store.AuditFilter{Query: "message 7", CorrelationID: "c-7"}
	page := value[store.Page[store.AuditLog]](t)(s.AuditLogs(t.Context(), f))
	if len(page.Items) != 0 || !page.Partial || page.Next == (event.ID{}) || !page.TotalIsEstimate {
		t.Fatalf("the first window: %d items, partial %v, next %v", len(page.Items), page.Partial, page.Next)
	}
	f.Before = page.Next
	page = value[store.Page[store.AuditLog]](t)(s.AuditLogs(t.Context(), f))
	if diff := cmp.Diff([]int{7}, numbers(page.Items)); diff != "" || page.Partial || page.Next != (event.ID{}) {
		t.Errorf("the second window: partial %v, next %v (-want +got):\n%s", page.Partial, page.Next, diff)
	}
	all := walk(t, s.Store, store.AuditFilter{Team: "T", Limit: 7})
	if len(all) != 60 {
		t.Errorf("a walk over windows gives %d rows, want 60", len(all))
	}
	for i := 1; i < len(all); i++ {
		if want := all[i-1].ReceivedAt.Add(-10 * time.Millisecond); !all[i].ReceivedAt.Equal(want) {
			t.Fatalf("row %d is of %v, want %v", i, all[i].ReceivedAt, want)
		}
	}
	if page := value[store.Page[store.AuditLog]](t)(s.AuditLogs(t.Context(), store.AuditFilter{Hostname: "rare", Query: "message 10"})); page.Partial || page.Total != 2 {
		t.Errorf("within an indexed filter: total %d, partial %v", page.Total, page.Partial)
	}
}

// seenHosts holds that names are completed in any case and by the whole prefix, one for each host, and only those that were seen lately.
func seenHosts(t *testing.T, h Harness) {
	s := open(t, h)
	var rows []store.AuditRow
	for i, name := range []string{"old-1", "edge-2", "EDGE-2", "Edge-1", "edge_1", "edgf", "", "köln", "edge-old", "a%b", "zz"} {
		at := i * 10
		if name == "old-1" || name == "edge-old" {
			at = -3_600_000
		}
		rows = append(rows, row(at+i, func(e *event.Event, _ *event.Decision) { e.Hostname = name }))
	}
	judge(t, s.Store, entry(rows...))
	for _, tc := range []struct {
		prefix string
		n      int
		want   []string
	}{
		{"edge", 9, []string{"EDGE-2", "edge_1"}}, {"EDGE", 9, []string{"EDGE-2", "edge_1"}}, {"Edge", 9, []string{"Edge-1", "EDGE-2", "edge_1"}},
		{"edge-", 9, []string{"EDGE-2"}}, {"old", 9, nil}, {"%", 9, nil}, {"a%", 9, []string{"a%b"}}, {"kö", 9, []string{"köln"}}, {"z", 9, []string{"zz"}}, {"zzz", 9, nil},
		{"", 2, []string{"EDGE-2", "Edge-1"}},
	} {
		got := value[[]string](t)(s.HostsSeen(t.Context(), tc.prefix, epoch().Add(-time.Minute), tc.n))
		slices.Sort(got)
		slices.Sort(tc.want)
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", tc.prefix, diff)
		}
	}
}
