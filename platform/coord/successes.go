package coord

import (
	"context"
	"time"

	"github.com/muttproject/mutt/platform/fault"
)

// Destination is the name under which the forwarders keep the breaker and the successes of the destination.
const Destination = "moog"

// SuccessLife is how long a success counts as recent.
const SuccessLife = time.Minute

// Successes is the record, shared by all processes, that something outside worked a short time ago.
//
// It is one value that expires SuccessLife after the last success, so that nobody compares clocks. The value itself names
// the last success that followed failures: who sees another name than before knows that one happened meanwhile.
type Successes struct {
	coord Coord
	name  string
}

// NewSuccesses returns the record with a name. It does no I/O.
func NewSuccesses(c Coord, name string) *Successes { return &Successes{c, name} }

// Success is what the record says.
type Success struct {
	Recent   bool   // there was a success within SuccessLife
	Recovery string // names the last success that followed failures; empty for none
}

// Note records a success. A recovery that is not empty says that it followed failures, and is unique among all of them.
func (s *Successes) Note(ctx context.Context, recovery string) error {
	for {
		last, err := s.coord.Get(ctx, s.key())
		if err != nil {
			return err
		}
		data := last.Data
		if recovery != "" {
			data = []byte(recovery)
		}
		if data == nil {
			data = []byte{} // nil would delete
		}
		_, err = s.coord.Put(ctx, PutParams{Key: s.key(), Data: data, Version: last.Version, TTL: SuccessLife})
		if !fault.Is(err, fault.Conflict) {
			return err
		}
		if recovery == "" {
			return nil // another process noted one at this moment
		}
	}
}

// Last returns what the record says now.
func (s *Successes) Last(ctx context.Context) (Success, error) {
	v, err := s.coord.Get(ctx, s.key())
	if err != nil {
		return Success{}, err
	}
	return Success{Recent: v.Version != 0, Recovery: string(v.Data)}, nil
}

func (s *Successes) key() string { return "successes/" + s.name }
