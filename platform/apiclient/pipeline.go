package apiclient

import "time"

// Pipeline answers /pipeline: where events are now, and how fast they move. Rates are per second, over the last minute.
type Pipeline struct {
	At           time.Time                `json:"at" doc:"when"`
	Sources      []SourceRate             `json:"sources" doc:"one for each way by which events come"`
	Queues       map[string]PipelineQueue `json:"queues" doc:"by name"`
	Judge        JudgeRate                `json:"judge"`
	Destinations []Destination            `json:"destinations"`
	// Missing is empty unless only a part could be read.
	Missing string `json:"missing,omitempty" doc:"why sources and judge are empty and trends and sent_rate 0: the books cannot be read; the queues and the breaker are as they are"`
}

// SourceRate is how many events come in one way.
type SourceRate struct {
	Source string  `json:"source" doc:"the way" enum:"source"`
	Rate   float64 `json:"rate" doc:"events per second" min:"0"`
}

// PipelineQueue is a queue as a part of the pipeline.
type PipelineQueue struct {
	Ready         int64    `json:"ready" doc:"events that wait" min:"0"`
	Claimed       int64    `json:"claimed" doc:"events that are being worked on" min:"0"`
	Delayed       int64    `json:"delayed" doc:"events that wait for a retry" min:"0"`
	OldestSeconds float64  `json:"oldest_seconds" doc:"age of the oldest; 0 when empty" min:"0"`
	Trend         float64  `json:"trend" doc:"by how many events per second it grew in the last minute, by the books; below 0 it shrank"`
	Capacity      int64    `json:"capacity" doc:"events at which max_ingest_queue_size or alerter_queue_shed_threshold acts" min:"0"`
	WarnsAt       int64    `json:"warns_at,omitempty" doc:"alerts at which alerter_queue_warn_threshold warns; absent for the queue ingest" min:"0"`
	Dead          int64    `json:"dead" doc:"dead letters" min:"0"`
	DrainSeconds  *float64 `json:"drain_seconds" doc:"of the queue alert: how long it takes to drain at the rate limit of the destination while alerts keep coming as now; null when nothing waits or it does not drain"`
	FullSeconds   *float64 `json:"full_seconds" doc:"how long until capacity is reached at the present trend; null when it does not grow"`
}

// JudgeRate is how fast events are judged.
type JudgeRate struct {
	Rate   float64            `json:"rate" doc:"events per second" min:"0"`
	ByFate map[string]float64 `json:"by_fate" doc:"events per second, by fate"`
	Minute map[string]int64   `json:"minute" doc:"events of the last minute, by fate"`
	Rules  int                `json:"rules" doc:"active ones" min:"0"`
}

// Destination is where alerts go.
type Destination struct {
	Name          string       `json:"name" doc:"of the destination"`
	RateLimit     float64      `json:"rate_limit" doc:"requests per second at most, over all forwarders (moog_rate_limit)" min:"0"`
	SentRate      float64      `json:"sent_rate" doc:"alerts per second that it took" min:"0"`
	Breaker       BreakerState `json:"breaker"`
	LastStatus    *int         `json:"last_status" doc:"HTTP status of the last answer that a running forwarder got; 0 when there was no answer; null when nothing was sent"`
	SameStatus    *int         `json:"same_status" doc:"HTTP status of every request that failed since the last delivery; null when none failed, they differ or one had no answer"`
	LastSent      *time.Time   `json:"last_sent" doc:"when that was; null when nothing was sent"`
	LastDelivered *time.Time   `json:"last_delivered" doc:"when a running forwarder delivered last; null when none did"`
}

// BreakerState is the state of the circuit breaker of a destination.
type BreakerState struct {
	State     string     `json:"state" doc:"closed: alerts are sent; half_open: a probe is on its way; open: alerts wait for the next probe" enum:"closed|half_open|open"`
	Since     *time.Time `json:"since" doc:"when it opened; null when it is closed"`
	Failures  int64      `json:"failures" doc:"in a row" min:"0"`
	NextProbe *time.Time `json:"next_probe" doc:"null unless it is open"`
}

// Series answers /series: counts of the books over time.
type Series struct {
	From        time.Time          `json:"from" doc:"begin of the first step"`
	StepSeconds int64              `json:"step_seconds" doc:"length of a step; the last one is not over yet" min:"60"`
	Series      map[string][]int64 `json:"series" doc:"by name: received, each fate, meta, delivered, parked, discarded, refused and rejected are counted in each step; ingest_waiting and alerts_waiting are at its end, by the books"`
}

// What /top counts by.
const (
	TopHosts = "host"
	TopRules = "rule"
)

// Top answers /top.
type Top struct {
	Items   []TopItem `json:"items" doc:"the busiest first"`
	Bounded bool      `json:"bounded" doc:"true: there are more, or counts may be too high, because each process keeps count of 256 names in each minute and publishes 32"`
}

// TopItem is a host or a rule with its events.
type TopItem struct {
	Name   string `json:"name" doc:"the identity of the host, in lower case, or the name of the rule"`
	Events int64  `json:"events" doc:"judged in the last 15 minutes" min:"0"`
}

// HostsSeen answers /events/hosts.
type HostsSeen struct {
	Hosts []string `json:"hosts" doc:"as their events spell them, by name"`
}

// Histogram answers /events/histogram.
type Histogram struct {
	From        time.Time          `json:"from" doc:"begin of the first step"`
	StepSeconds int64              `json:"step_seconds" doc:"length of a step" min:"1"`
	Fates       map[string][]int64 `json:"fates" doc:"judged events in each step, by fate; fates without events are absent"`
	Events      int64              `json:"events" doc:"all of them" min:"0"`
	Partial     bool               `json:"partial" doc:"true: only the newest events were looked at, back to looked_from"`
	LookedFrom  time.Time          `json:"looked_from" doc:"how far back events were looked at"`
}
