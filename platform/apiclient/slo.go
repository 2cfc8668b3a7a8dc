package apiclient

import "github.com/muttproject/mutt/platform/slo"

// SLOs answers /slo.
type SLOs struct {
	Source string `json:"source" doc:"where the numbers come from: MUTT's own counters, or Prometheus" enum:"counters|prometheus"`
	SLOs   []SLO  `json:"slos"`
}

// SLO is how one objective stands. What cannot be told without data is null.
type SLO struct {
	Name          string     `json:"slo_name" doc:"as in its dynamic keys" example:"delivery_success"`
	Description   string     `json:"description" doc:"what is counted"`
	Target        *float64   `json:"target,omitempty" doc:"least share of good events" min:"0" max:"1"`
	TargetSeconds *float64   `json:"target_seconds,omitempty" doc:"of a latency instead: the time that quantile of the events must keep" min:"0"`
	Quantile      float64    `json:"quantile,omitempty" doc:"of a latency" min:"0" max:"1"`
	ActualValue   *float64   `json:"actual_value" doc:"share of good events; of a latency the time in seconds that quantile of them kept"`
	WindowHours   int64      `json:"window_hours" doc:"what is looked at, up to now" min:"1"`
	Remaining     *float64   `json:"error_budget_remaining" doc:"1 untouched, 0 used up, negative overspent"`
	BurnRate      *float64   `json:"burn_rate" doc:"of the last hour; at 1 the budget lasts for exactly the window"`
	Events        float64    `json:"events" doc:"in the window" min:"0"`
	BadEvents     float64    `json:"bad_events" doc:"of these" min:"0"`
	Status        slo.Status `json:"status" doc:"from good to bad; no_data is neither" enum:"ok|breaching|warning|critical|no_data"`
	Message       string     `json:"message" doc:"the same in words"`
}
