// Package slo declares the service level objectives and does their arithmetic.
//
// Principles:
//  1. An objective is declared once, in Objectives: the UI module declares its dynamic keys and its row at /slo from it.
//  2. Every objective is a share of good events, so that one arithmetic serves all. For a latency the good ones are
//     those that were in time.
//  3. The terms are those of The Site Reliability Workbook (Google, 2018): error budget, chapter 2; burn rate, chapter 5.
//  4. Counting costs the hot path one increment; nothing here does I/O.
package slo

// Objective is one service level objective, with the defaults of its dynamic keys.
type Objective struct {
	Name        string // of the answer and in the keys: slo_<name>_target, …
	Description string
	// Target is the least share of good events, from 0 to 1; of a latency the time in seconds within which Quantile
	// of the events must be done.
	Target   float64
	Quantile float64 // 0 but for latencies
}

// Latency reports whether the objective's target is in seconds.
func (o Objective) Latency() bool { return o.Quantile > 0 }

// Share gives the least share of good events, for a target of this objective.
func (o Objective) Share(target float64) float64 {
	if o.Latency() {
		return o.Quantile
	}
	return target
}

// Names of the objectives.
const (
	IngestAvailability = "ingest_availability"
	JudgingSuccess     = "judging_success"
	DeliverySuccess    = "delivery_success"
	JudgingLatency     = "judging_latency"
	DeliveryLatency    = "delivery_latency"
)

// Objectives lists the objectives in the order in which they are shown.
func Objectives() []Objective {
	return []Objective{
		{IngestAvailability, "events that were taken in, of those that MUTT was there to take", 0.999, 0},
		{JudgingSuccess, "events that were judged, of those and the ones that could not be", 0.999, 0},
		{DeliverySuccess, "alerts that the destination took, of those and the ones that became dead letters", 0.99, 0},
		{JudgingLatency, "time from receipt to judgement that 99 % of the events keep", 5, 0.99},
		{DeliveryLatency, "time from receipt to delivery that 99 % of the alerts keep", 30, 0.99},
	}
}
