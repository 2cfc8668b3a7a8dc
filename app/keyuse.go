package app

import (
	"context"
	"encoding/json"
	"time"

	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/authn"
	"github.com/muttproject/mutt/platform/coord"
	"github.com/muttproject/mutt/platform/lifecycle"
	"github.com/muttproject/mutt/platform/store"
)

// When the use of keys is told, and for how long a process without the store tells of one.
const (
	keyUseEvery = time.Minute
	keyUseKept  = 10 * time.Minute
	keyUseGroup = "key-use"
)

// keyUse tells when API keys were used last: a process with the store writes it there, its own and what the others
// announce; a process without announces it. Everything may be told twice, because the latest time counts.
type keyUse struct {
	*lifecycle.Runner
	keys  *authn.Keyring
	store *store.Store // nil without
	coord coord.Coord
	self  string
	now   func() time.Time
	log   *zap.Logger

	told time.Time // up to when everything of this process is stored; of run, and of Stop after it
}

func buildKeyUse(_ context.Context, p *parts) (lifecycle.Service, error) {
	u := &keyUse{keys: p.keyring, store: p.store, coord: p.coord, self: p.run, now: p.opts.Now, log: p.opts.Logger.Named("keyuse")}
	u.Runner = lifecycle.NewRunner("keyuse", u.run)
	return u, nil
}

func (u *keyUse) run(ctx context.Context) error {
	tick := time.NewTicker(keyUseEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			u.report(ctx)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Stop tells of the last uses. An end must not fail for that.
func (u *keyUse) Stop(ctx context.Context) error {
	err := u.Runner.Stop(ctx)
	if err == nil {
		u.report(ctx)
	}
	return err
}

func (u *keyUse) report(ctx context.Context) {
	if err := u.tell(ctx); err != nil && ctx.Err() == nil {
		u.log.Debug("cannot tell of the use of API keys, trying again", zap.Error(err))
	}
}

func (u *keyUse) tell(ctx context.Context) error {
	now := u.now()
	if u.store == nil {
		return u.announce(ctx, now)
	}
	uses := ofRing(u.keys.Uses(u.told))
	others, err := u.coord.Members(ctx, keyUseGroup)
	if err != nil {
		return err
	}
	for _, m := range others {
		var theirs []store.KeyUse
		if err := json.Unmarshal(m.Data, &theirs); err == nil { // else a newer version's: it is told again in other words
			uses = append(uses, theirs...)
		}
	}
	if err := u.store.NoteKeyUse(ctx, uses); err != nil {
		return err
	}
	u.told = now.Add(-2 * time.Second) // a use is noted by the second
	return nil
}

func (u *keyUse) announce(ctx context.Context, now time.Time) error {
	data, err := json.Marshal(ofRing(u.keys.Uses(now.Add(-keyUseKept))))
	if err != nil {
		return err
	}
	return u.coord.Announce(ctx, coord.AnnounceParams{Group: keyUseGroup, Member: u.self, Data: data, TTL: keyUseKept})
}

func ofRing(uses []authn.Use) []store.KeyUse {
	out := make([]store.KeyUse, len(uses))
	for i, u := range uses {
		out[i] = store.KeyUse{Hash: u.Hash[:], At: u.At}
	}
	return out
}
