package acceptance

import (
	"fmt"
	"testing"
	"time"

	"github.com/muttproject/mutt/app/apptest"
	"github.com/muttproject/mutt/platform/apiclient"
)

// TestWhatTheConsoleCounts sends events and looks at what is counted of them: busiest hosts and rules, hits, series, pipeline, histogram.
func TestWhatTheConsoleCounts(t *testing.T) {
	t.Parallel()
	for name, servers := range map[string]func(*testing.T) *apptest.Servers{
		"embedded": func(*testing.T) *apptest.Servers { return nil }, "distributed": func(t *testing.T) *apptest.Servers { return apptest.NewServers(t, "always") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := apptest.Start(t, apptest.Options{Servers: servers(t)})
			id := m.AddRule(map[string]any{"name": "link down", "match_string": "link down", "prod_handling": "Page_and_ticket", "dev_handling": "Log_only", "team_assignment": "NETO"})
			for i := range 9 {
				m.Send(fmt.Appendf(nil, `{"timestamp":%q,"hostname":"SW%d","message":%q}`, time.Now().Format(time.RFC3339), i%3/2, []string{"link down", "all well"}[i%2]))
			}
			apptest.Eventually(t, "everything is counted", func() (bool, any) {
				var top, rules apiclient.Top
				var stats apiclient.RuleStats
				var series apiclient.Series
				var pipe apiclient.Pipeline
				var bars apiclient.Histogram
				m.Get(&top, map[string][]string{"by": {"host"}}, "top")
				m.Get(&rules, map[string][]string{"by": {"rule"}}, "top")
				m.Get(&stats, nil, "rules", "stats")
				m.Get(&series, nil, "series")
				m.Get(&pipe, nil, "pipeline")
				m.Get(&bars, nil, "events", "histogram")
				sum := func(list []int64) (n int64) {
					for _, v := range list {
						n += v
					}
					return n
				}
				d := pipe.Destinations[0]
				return len(top.Items) == 2 && top.Items[0] == apiclient.TopItem{Name: "sw0", Events: 6} && top.Items[1].Events == 3 && !top.Bounded &&
					len(rules.Items) == 1 && rules.Items[0] == apiclient.TopItem{Name: "link down", Events: 5} &&
					stats.Rules[0].RuleID == id && stats.Rules[0].Hits == 5 && stats.Rules[0].LastMatch != nil && stats.Unhandled == 4 &&
					sum(series.Series["received"]) == 9 && sum(series.Series["forwarded"]) == 5 && sum(series.Series["delivered"]) == 5 &&
					bars.Events == 9 && sum(bars.Fates["unhandled"]) == 4 &&
					d.Breaker.State == "closed" && d.LastStatus != nil && *d.LastStatus/100 == 2 && d.LastDelivered != nil, []any{top, rules, stats, bars, pipe}
			})
		})
	}
}
