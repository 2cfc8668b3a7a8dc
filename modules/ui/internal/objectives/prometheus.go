package objectives

import (
	"context"
	"fmt"
	"math"
	"net/url"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/muttproject/mutt/platform/connect/tlsconf"
	"github.com/muttproject/mutt/platform/slo"
)

// Prometheus are the needs of a report from Prometheus.
type Prometheus struct {
	URL       *url.URL       // of its root, "http://127.0.0.1:9090"; a path before /api is kept
	TLS       tlsconf.Client // nil takes the system's authorities
	UserAgent string
	Dynamic   Dynamic
	// Within bounds a whole report: who asks waits for it. 0 means 3 s.
	Within time.Duration
}

// FromPrometheus makes a Report from what a Prometheus has scraped of all MUTT processes.
func FromPrometheus(p Prometheus) *Report {
	if p.Within <= 0 {
		p.Within = answerWithin
	}
	return &Report{p.Dynamic, &prometheus{newQuerier(p)}}
}

const answerWithin = 3 * time.Second

// queriesAtOnce is how many queries are under way; Prometheus answers 20 at once by default, for all who ask it.
const queriesAtOnce = 4

// prometheus is that source.
type prometheus struct{ *querier }

func (*prometheus) name() string { return "prometheus" }

// read asks for everything at once. What goes wrong with a question is its problem alone.
func (p *prometheus) read(ctx context.Context, questions []question) ([]reading, error) {
	ctx, cancel := context.WithTimeout(ctx, p.within)
	defer cancel()
	out := make([]reading, len(questions))
	var g errgroup.Group
	g.SetLimit(queriesAtOnce)
	for i, q := range questions {
		g.Go(func() error {
			r, err := p.answer(ctx, q)
			if out[i] = r; err != nil {
				out[i] = reading{problem: err.Error()}
			}
			return nil
		})
	}
	return out, g.Wait()
}

func (p *prometheus) answer(ctx context.Context, q question) (r reading, err error) {
	if q.measure.objective.Latency() {
		r.latencies, err = p.histogram(ctx, q.measure.latency.series[0], q.window)
		return r, err
	}
	good, known, err := p.sum(ctx, q.measure.good.series, q.window)
	if err != nil {
		return r, err
	}
	bad, alsoKnown, err := p.sum(ctx, q.measure.bad.series, q.window)
	if err == nil && !known && !alsoKnown {
		err = p.unknown(q.measure.good.series[0])
	}
	r.events = slo.Events{Good: good, Bad: bad}
	return r, err
}

func (p *prometheus) unknown(series string) error {
	return fmt.Errorf("Prometheus at %s has no samples of %s: does it scrape MUTT?", p.root, series)
}

// sum adds up how much counters grew. A counter without samples has not counted yet; known tells of the others.
func (p *prometheus) sum(ctx context.Context, series []string, window time.Duration) (total float64, known bool, err error) {
	for _, s := range series {
		samples, err := p.query(ctx, fmt.Sprintf("sum(increase(%s[%s]))", s, span(window)))
		if err != nil {
			return 0, false, err
		}
		for _, v := range samples {
			total, known = total+v.value, true
		}
	}
	return total, known, nil
}

// histogram gives how much the buckets of a histogram grew.
func (p *prometheus) histogram(ctx context.Context, name string, window time.Duration) (h slo.Histogram, err error) {
	samples, err := p.query(ctx, fmt.Sprintf("sum by (le) (increase(%s_bucket[%s]))", name, span(window)))
	if err != nil {
		return h, err
	}
	if len(samples) == 0 {
		return h, p.unknown(name)
	}
	upTo := make([]float64, slo.Buckets) // cumulative
	for _, s := range samples {
		bound, err := strconv.ParseFloat(s.labels["le"], 64) // "5", or "5.0" since Prometheus 3
		for b := range slo.Buckets {
			if err == nil && slo.Bound(b) == bound {
				upTo[b] = s.value
			}
		}
	}
	below := 0.0
	for b, n := range upTo {
		n = max(n, below) // a bucket that has no samples yet, or grew by a little less: increase extrapolates
		h[b], below = n-below, n
	}
	return h, nil
}

// span writes a window of whole hours as PromQL does.
func span(window time.Duration) string {
	return strconv.FormatFloat(math.Round(window.Hours()), 'f', 0, 64) + "h"
}
