package coord

import (
	"time"

	"github.com/muttproject/mutt/platform/fault"
)

// What every implementation checks in the same way before it does anything.

func (p *TakeParams) check() error {
	switch {
	case p.Key == "":
		return fault.Field(fault.InvalidField, "key", "a rate limit needs a key")
	case p.Rate < 1 || p.Period <= 0:
		return fault.Field(fault.InvalidField, "rate", "a rate is at least 1 per a positive period")
	case p.Burst < 1 || p.N < 1 || p.Ahead < 0:
		return fault.Field(fault.InvalidField, "n", "burst and number of tokens are at least 1, ahead is not negative")
	}
	return nil
}

// interval is the time that one token takes, rounded up: the limit errs to the slow side.
func (p *TakeParams) interval() time.Duration {
	return (p.Period + time.Duration(p.Rate) - 1) / time.Duration(p.Rate)
}

// cost is the time that the tokens take.
func (p *TakeParams) cost() time.Duration { return time.Duration(p.N) * p.interval() }

// slack is how much may be outstanding after a take without a wait.
func (p *TakeParams) slack() time.Duration {
	if p.Spread {
		return time.Duration(p.Burst) * p.interval()
	}
	return time.Duration(max(p.Burst, p.N)) * p.interval()
}

func (p *PutParams) check() error {
	if p.Key == "" || p.TTL < 0 {
		return fault.Field(fault.InvalidField, "key", "a value needs a key and no negative TTL")
	}
	return nil
}

func (p *PutParams) conflict(present int64) error {
	return fault.New(fault.Conflict, "%s has version %d, not %d", p.Key, present, p.Version)
}

func (p *LeaseParams) check() error {
	if p.Key == "" || p.Owner == "" || p.TTL < time.Millisecond || p.Token < 0 {
		return fault.Field(fault.InvalidField, "key", "a lease needs a key, an owner, a TTL of at least 1 ms and no negative token")
	}
	return nil
}

func (p *AnnounceParams) check() error {
	if p.Group == "" || p.Member == "" || p.Data != nil && p.TTL < time.Millisecond {
		return fault.Field(fault.InvalidField, "group", "a member needs a group, a name and a TTL of at least 1 ms")
	}
	return nil
}
