package objectives

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/muttproject/mutt/platform/connect/tlsconf"
)

// maxAnswer bounds what is read of an answer of Prometheus, in bytes; ours have a few samples.
const maxAnswer = 1 << 20

// querier asks a Prometheus. Its errors are sentences for people.
type querier struct {
	root      string // as people know it
	endpoint  string
	userAgent string
	within    time.Duration
	http      http.Client
}

func newQuerier(p Prometheus) *querier {
	return &querier{root: p.URL.Redacted(), endpoint: p.URL.JoinPath("api/v1/query").String(), userAgent: p.UserAgent, within: p.Within, http: http.Client{
		Timeout: p.Within,
		Transport: tlsconf.NewTransport(&http.Transport{Proxy: http.ProxyFromEnvironment, DialContext: (&net.Dialer{Timeout: p.Within}).DialContext,
			MaxIdleConnsPerHost: queriesAtOnce}, p.TLS),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// sample is one element of an instant vector.
type sample struct {
	labels map[string]string
	value  float64
}

// queryAnswer is the answer to an instant query (https://prometheus.io/docs/prometheus/latest/querying/api/).
type queryAnswer struct {
	Status string `json:"status"`
	Error  string `json:"error"`
	Data   struct {
		ResultType string `json:"resultType"`
		Result     []struct {
			Metric map[string]string  `json:"metric"`
			Value  [2]json.RawMessage `json:"value"` // time, value as a text
		} `json:"result"`
	} `json:"data"`
}

// query evaluates an expression now.
func (q *querier) query(ctx context.Context, expression string) ([]sample, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, q.endpoint, strings.NewReader(url.Values{"query": {expression}}.Encode()))
	if err != nil {
		return nil, fmt.Errorf("Prometheus cannot be asked: %w", err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("User-Agent", q.userAgent)
	resp, err := q.http.Do(req)
	if err != nil {
		return nil, q.away(err)
	}
	defer func() { _ = resp.Body.Close() }() // it was read to its end or is given up
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return nil, q.away(err)
	}
	var a queryAnswer
	if err := json.Unmarshal(body, &a); err != nil || len(body) > maxAnswer || a.Status == "" {
		return nil, fmt.Errorf("what answers at %s with %s is no Prometheus", q.root, resp.Status)
	}
	if a.Status != "success" || resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("Prometheus at %s refuses the query with %s: %.200s", q.root, resp.Status, a.Error)
	}
	return q.samples(&a, expression)
}

func (q *querier) samples(a *queryAnswer, expression string) ([]sample, error) {
	if a.Data.ResultType != "vector" {
		return nil, fmt.Errorf("Prometheus at %s answers a %.20q, not a vector", q.root, a.Data.ResultType)
	}
	out := make([]sample, 0, len(a.Data.Result))
	for _, r := range a.Data.Result {
		var text string
		err := json.Unmarshal(r.Value[1], &text)
		value, bad := strconv.ParseFloat(text, 64)
		if err = errors.Join(err, bad); err != nil || math.IsNaN(value) || math.IsInf(value, 0) {
			return nil, fmt.Errorf("Prometheus at %s answers %.20s for %s", q.root, r.Value[1], expression)
		}
		out = append(out, sample{r.Metric, max(value, 0)})
	}
	return out, nil
}

// away says that no answer came.
func (q *querier) away(err error) error {
	var timeout net.Error
	if errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout() {
		return fmt.Errorf("Prometheus at %s does not answer within %v", q.root, q.within)
	}
	var inner *url.Error
	if errors.As(err, &inner) {
		err = inner.Err // without the URL, which was said
	}
	return fmt.Errorf("Prometheus at %s cannot be reached: %w", q.root, err)
}
