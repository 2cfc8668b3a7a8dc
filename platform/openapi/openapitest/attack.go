package openapitest

import (
	"fmt"
	"testing"
)

// maxFaults is how many contradictions a run reports.
const maxFaults = 10

// Attack sends made requests to every operation of a document in turn.
type Attack struct {
	Document *Document
	Maker    *Maker
	Seed     uint64
	Rounds   int // requests to each operation
	// Send makes the call. ok is false when the request cannot be sent at all.
	Send func(Request) (x Exchange, ok bool)
	// Skip leaves an operation out.
	Skip func(*Operation) bool
}

// Run fails the test for each answer that contradicts the document, and for each that is the server's fault. 503 is
// none when the document names it: made requests also change limits.
func (a *Attack) Run(t testing.TB) {
	t.Helper()
	faults, sent, statuses := 0, 0, map[int]int{}
	for round := range a.Rounds {
		for _, o := range a.Document.Operations {
			if a.Skip != nil && a.Skip(o) {
				continue
			}
			r := a.Maker.Make(o)
			x, ok := a.Send(r)
			if !ok {
				continue
			}
			sent++
			statuses[x.Status]++
			list := a.Document.Check(x)
			if x.Status >= 500 && x.Status != 503 {
				list = append(list, fmt.Errorf("%s %.200s: %d %.300s", r.Method, r.Target, x.Status, x.Answer))
			}
			for _, err := range list {
				t.Errorf("seed %d, round %d, %s (%s): %v\nheader %.500q\nbody %.300q", a.Seed, round, o.ID, r.Twist, err, fmt.Sprint(r.Header), r.Body)
				if faults++; faults >= maxFaults {
					t.Fatal("too many; the rest is not tried")
				}
			}
			if x.Status < 300 {
				a.Maker.Learn(o, x.Answer)
			}
		}
	}
	t.Logf("seed %d: %d requests, answers by status %v", a.Seed, sent, statuses)
}
