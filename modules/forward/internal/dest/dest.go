// Package dest is the contract of destinations, and the HTTP one that all destinations so far are.
//
// Principles:
//  1. A destination sends and classifies; retries, order and rates are the pipeline's.
//  2. What a Result says about an answer is for people and bounded; it never holds the credential.
//  3. A new webhook destination is one Encoder in a package of its own, checked by desttest.
package dest

import (
	"context"

	"github.com/muttproject/mutt/platform/event"
)

// Destination takes alerts.
type Destination interface {
	// Send delivers all alerts in one request, or none is taken for delivered.
	Send(ctx context.Context, alerts []*event.Alert) Result
}

// Encoder renders the body of a request.
type Encoder interface {
	// AppendBody appends the body of a request with these alerts.
	AppendBody(dst []byte, alerts []*event.Alert) []byte
}

// Class says what the pipeline does next.
type Class uint8

// The classes.
const (
	Aborted   Class = iota // given up by this process: as if it had not been sent
	Delivered              // taken
	Retry                  // failed in a way that may pass: the alert's doing, or an outage, as what else was delivered shows
	Deferred               // failed in a way that may pass and cannot be the alert's doing: never an attempt
	Rejected               // refused for what the alert is
)

var classNames = [...]string{"aborted", "delivered", "retry", "deferred", "rejected"}

// String returns the name.
func (c Class) String() string { return classNames[c] }
