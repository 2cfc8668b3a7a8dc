package api

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/store"
)

// pageSizes notes the most bytes that a page of events had.
type pageSizes struct {
	Store
	most int
}

func (s *pageSizes) AuditLogs(ctx context.Context, f store.AuditFilter) (store.Page[store.AuditLog], error) {
	page, err := s.Store.AuditLogs(ctx, f)
	held := 0
	for i := range page.Items {
		held += len(page.Items[i].RawMessage)
	}
	s.most = max(s.most, held)
	return page, err
}

// TestSamplesAreBoundedInBytes: of large events only so many are kept as fit, the others are counted, and a walk holds few at once.
func TestSamplesAreBoundedInBytes(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(*testing.T) *bundle{"sqlite": func(t *testing.T) *bundle { return newBundle(t) }, "postgres": newPostgresBundle} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := open(t)
			const events = 400 // 25 MiB
			large := func(n int, text string) store.AuditRow {
				r := auditRow(1, fmt.Sprintf("sw%d", n), event.FateUnhandled, event.HandlingNone, 0)
				*r.Event = testEvent(n-2000, r.Event.Hostname, "link down "+text)
				r.Event.ID[15] = 0
				return r
			}
			for at := 0; at < events; at += 50 {
				rows := make([]store.AuditRow, 50)
				for i := range rows {
					rows[i] = large(at+i, strings.Repeat("x", 64<<10))
				}
				b.judge(rows...)
			}
			pages := &pageSizes{Store: b.api.Store}
			b.api.Store = pages
			var got apiclient.RuleMatches
			match := func() {
				t.Helper()
				got = apiclient.RuleMatches{}
				b.try("/rules/matches", `{"rule":{"match_string":"link","prod_handling":"Ignore","dev_handling":"Ignore","team_assignment":"T"}}`, &got)
			}
			match()
			if got.Looked != events || got.Samples < 200 || got.Samples > 16<<20/(64<<10) || got.LeftOut != events-got.Samples || got.Events != got.Samples {
				t.Errorf("looked %d, samples %d, left out %d, events %d", got.Looked, got.Samples, got.LeftOut, got.Events)
			}
			var reviewed apiclient.RulePreview
			b.try("/rules/preview", `{"window_hours":1,"rules":[]}`, &reviewed)
			if reviewed.Events != events || !reviewed.Review.Whole {
				t.Errorf("reviewed %d events, all of them: %v", reviewed.Events, reviewed.Review.Whole)
			}
			if limit := previewBytes + 128<<10; pages.most > limit || pages.most == 0 {
				t.Errorf("a walk held %d bytes of events at once, want at most %d", pages.most, limit)
			}

			// The full samples take what is short and what makes one shorter, and count what does not fit.
			was, kept := got, b.api.samples.Load().bytes
			short := large(events-1, "again")
			short.Event.ID, short.Event.ReceivedAt = testID(-1), noon.UnixMicro()-1000
			b.judge(short)
			match()
			if s := b.api.samples.Load(); got.Looked != events+1 || got.Samples != was.Samples+1 || s.bytes <= kept || s.bytes > samplesBytes {
				t.Errorf("after a short one: looked %d, samples %d, %d bytes after %d", got.Looked, got.Samples, s.bytes, kept)
			}
		})
	}
}
