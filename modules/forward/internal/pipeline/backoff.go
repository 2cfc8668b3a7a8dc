package pipeline

import (
	"math"
	"math/rand/v2"
	"time"
)

// Settings are what an operator can change while the pipeline runs.
type Settings struct {
	MaxRetries int           // retries after the first attempt
	BaseDelay  time.Duration // of the first retry; it doubles with each failure
	MaxDelay   time.Duration
}

// fullJitter picks a delay for the nth failure in a row: anything from 0 to the exponential bound, so that alerts
// that failed together do not come back together.
func (s Settings) fullJitter(n int) time.Duration {
	bound := float64(s.BaseDelay) * math.Pow(2, float64(max(n-1, 0)))
	bound = min(bound, float64(s.MaxDelay))
	if bound < 1 {
		return 0
	}
	return rand.N(time.Duration(bound))
}
