package app

import (
	"context"
	"time"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/coord"
)

// rotationHold is how long a rotation stays held by a command that was killed, when Options say nothing else.
const rotationHold = 10 * time.Second

// holdRotation gives, renews or ends the hold on the rotation of a secret, which is the same for all processes.
func (p *parts) holdRotation(ctx context.Context, secret string, h apiclient.RotationHold) (apiclient.RotationHeld, error) {
	key := "rotation/" + secret
	l, err := p.coord.Lease(ctx, coord.LeaseParams{Key: key, Owner: h.Holder, TTL: p.opts.RotationHold})
	if err != nil {
		return apiclient.RotationHeld{}, err
	}
	if l.Granted && h.Release {
		return apiclient.RotationHeld{}, p.coord.Release(ctx, key, l.Token)
	}
	return apiclient.RotationHeld{Held: l.Granted, Holder: l.Owner, Seconds: l.TTL.Seconds()}, nil
}
