package app

import (
	"cmp"
	"context"
	"slices"

	"github.com/muttproject/mutt/modules/alert"
	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/coord"
)

// publishedBusiest is how many hosts and rules a process publishes with its heartbeat.
const publishedBusiest = 32

// busiest returns what this process publishes of the events that it judged; nil when it judges none.
func (p *parts) busiest() *coord.Busiest {
	m := p.judging.Load()
	if m == nil {
		return nil
	}
	hosts, rules, bounded := m.Busiest(publishedBusiest)
	return &coord.Busiest{Hosts: byName(hosts), Rules: byName(rules), Bounded: bounded}
}

func byName(counts []alert.Count) map[string]int64 {
	out := make(map[string]int64, len(counts))
	for _, c := range counts {
		out[c.Name] = c.N
	}
	return out
}

// top adds up what all processes published: this one as of now, the others as of their last heartbeat.
func (p *parts) top(ctx context.Context, by string) (apiclient.Top, error) {
	live, err := p.registered.List(ctx)
	if err != nil {
		return apiclient.Top{}, err
	}
	lists := []*coord.Busiest{p.busiest()}
	for _, l := range live {
		if l.ID != p.run {
			lists = append(lists, l.Busiest)
		}
	}
	sums, out := map[string]int64{}, apiclient.Top{Items: []apiclient.TopItem{}}
	for _, b := range lists {
		if b == nil {
			continue
		}
		counts := b.Hosts
		if by == apiclient.TopRules {
			counts = b.Rules
		}
		for name, n := range counts {
			sums[name] += n
		}
		out.Bounded = out.Bounded || b.Bounded
	}
	for name, n := range sums {
		out.Items = append(out.Items, apiclient.TopItem{Name: name, Events: n})
	}
	slices.SortFunc(out.Items, func(a, b apiclient.TopItem) int {
		return cmp.Or(cmp.Compare(b.Events, a.Events), cmp.Compare(a.Name, b.Name))
	})
	if len(out.Items) > publishedBusiest {
		out.Items, out.Bounded = out.Items[:publishedBusiest], true
	}
	return out, nil
}
