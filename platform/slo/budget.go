package slo

// Events are what an objective counts.
type Events struct{ Good, Bad float64 }

// Total is how many there are.
func (e Events) Total() float64 { return e.Good + e.Bad }

// errorRate is the share of bad events, 0 when there are none.
func (e Events) errorRate() float64 {
	if e.Total() == 0 {
		return 0
	}
	return e.Bad / e.Total()
}

// Budget is how an objective stands.
type Budget struct {
	Share float64 // of good events in the window
	// Remaining is the part of the window's error budget that is left: 1 when nothing failed, 0 when as much failed
	// as may, negative when more did.
	Remaining float64
	// BurnRate is how fast the budget is being used up at present: at 1 it lasts for exactly the window.
	BurnRate float64
}

// NewBudget computes the budget of an objective whose least share of good events is share, below 1. The window must
// have events; recent is its latest part, which may have none.
func NewBudget(share float64, window, recent Events) Budget {
	allowed := 1 - share
	return Budget{
		Share:     window.Good / window.Total(),
		Remaining: 1 - window.errorRate()/allowed,
		BurnRate:  recent.errorRate() / allowed,
	}
}

// Status is an objective's state in one word.
type Status string

// The statuses, from good to bad; NoData says that it cannot be told.
const (
	OK        Status = "ok"
	Breaching Status = "breaching" // the window's budget is used up, but it is not being burnt fast
	Warning   Status = "warning"   // the budget is being burnt fast
	Critical  Status = "critical"  // it is being burnt very fast
	NoData    Status = "no_data"
)

// Status compares the budget with the burn rates at which somebody wants to know.
func (b Budget) Status(warning, critical float64) Status {
	switch {
	case b.BurnRate >= critical:
		return Critical
	case b.BurnRate >= warning:
		return Warning
	case b.Remaining < 0:
		return Breaching
	default:
		return OK
	}
}
