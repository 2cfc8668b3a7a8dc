package app

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/coord"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/store"
)

// settled is what was committed up to a state of the store and concerns every process. A version that does not know
// epochs writes neither Epoch nor Head, and reads neither.
type settled struct {
	Epoch    int64             `json:"epoch,omitempty"`
	Revision int64             `json:"revision"`
	Ruleset  int64             `json:"ruleset"`
	Head     store.ChainPoint  `json:"head,omitzero"` // of the change audit
	Values   map[string]string `json:"values"`        // of dynamic keys, as JSON
	Keys     []store.APIKey    `json:"keys"`          // with hashes, never secrets
}

func (s *settled) position() store.Position {
	return store.Position{Epoch: s.Epoch, Revision: s.Revision, Ruleset: s.Ruleset, Head: s.Head}
}

// noPosition is before every state.
func noPosition() store.Position { return store.Position{Revision: -1} }

// source is where a process learns what is settled.
type source interface {
	about() string
	// keep stores the bootstrap keys for all processes; it is called before the first load, and when they have changed.
	keep(ctx context.Context, bootstrap []store.APIKey) error
	// load returns what is settled, nil when that is the known state, or when nothing is settled yet.
	load(ctx context.Context, known store.Position) (*settled, error)
}

// storeSource reads the store itself.
type storeSource struct {
	store *store.Store
	log   *zap.Logger
}

func (s storeSource) about() string { return "the store" }

// keep puts the hashes of the bootstrap keys where every process finds them, and replaces old ones. Processes that
// start together do so at once: whoever comes second looks again.
func (s storeSource) keep(ctx context.Context, bootstrap []store.APIKey) error {
	for {
		err := s.storeBootstrap(ctx, bootstrap)
		if !fault.Is(err, fault.AlreadyExists) && !fault.Is(err, fault.PreconditionFail) || ctx.Err() != nil {
			return err
		}
	}
}

func (s storeSource) storeBootstrap(ctx context.Context, bootstrap []store.APIKey) error {
	have, err := s.store.APIKeys(ctx)
	if err != nil {
		return fmt.Errorf("read the API keys: %w", err)
	}
	var stale []store.APIKey
	for _, w := range bootstrap {
		same := false
		for _, h := range have {
			if h.Name == w.Name {
				w.ID, same = h.ID, bytes.Equal(h.Hash, w.Hash) && bytes.Equal(h.Second, w.Second) && h.Role == w.Role
			}
		}
		if !same {
			stale = append(stale, w)
		}
	}
	if len(stale) == 0 {
		return nil
	}
	_, err = s.store.Change(ctx, store.Actor{Name: "system"}, "bootstrap keys of the secret source", func(tx *store.Tx) error {
		for _, k := range stale {
			if _, err := tx.PutAPIKey(k); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("store the bootstrap keys: %w", err)
	}
	return nil
}

// load reads the state of the store. A store that does not continue the known one was restored: it wins, under a new epoch.
func (s storeSource) load(ctx context.Context, known store.Position) (*settled, error) {
	at, err := s.store.Position(ctx)
	if err != nil || at == known {
		return nil, err
	}
	if known != noPosition() {
		if err := restored(ctx, s.store, known, s.log); err != nil {
			return nil, err
		}
		if at, err = s.store.Position(ctx); err != nil {
			return nil, err
		}
	}
	values, err := s.store.ConfigValues(ctx)
	if err != nil {
		return nil, err
	}
	keys, err := s.store.APIKeys(ctx)
	if err != nil {
		return nil, err
	}
	out := &settled{Epoch: at.Epoch, Revision: at.Revision, Ruleset: at.Ruleset, Head: at.Head, Keys: keys, Values: make(map[string]string, len(values))}
	for _, v := range values {
		out.Values[v.Key] = v.Value
	}
	return out, nil
}

// restored begins a new epoch of the store when it does not continue a state that was seen before the call.
func restored(ctx context.Context, s *store.Store, seen store.Position, log *zap.Logger) error {
	ok, err := s.Continues(ctx, seen)
	if err != nil || ok {
		return err
	}
	at, err := s.Position(ctx)
	if err != nil {
		return err
	}
	began, err := s.NewEpoch(ctx, seen)
	if began {
		log.Warn("the store was restored from an older state, or replaced: what it has now is in force, under a new epoch",
			zap.Int64("store_revision", at.Revision), zap.Int64("store_epoch", at.Epoch), zap.Int64("seen_revision", seen.Revision), zap.Int64("seen_epoch", seen.Epoch))
	}
	return err
}

// snapshotSource reads what the processes with the store publish.
type snapshotSource struct{ coord coord.Coord }

// snapshotKey is where the snapshot lives.
const snapshotKey = "snapshot"

func (s snapshotSource) about() string { return "the published snapshot" }

func (s snapshotSource) keep(context.Context, []store.APIKey) error { return nil }

func (s snapshotSource) load(ctx context.Context, known store.Position) (*settled, error) {
	snap, _, err := s.get(ctx)
	if err != nil || snap == nil || !known.Before(snap.position()) { // earlier: Redis was rolled back, and it will be published again
		return nil, err
	}
	return snap, nil
}

func (s snapshotSource) get(ctx context.Context) (*settled, int64, error) {
	v, err := s.coord.Get(ctx, snapshotKey)
	if err != nil || v.Version == 0 {
		return nil, 0, err
	}
	snap := new(settled)
	if err := json.Unmarshal(v.Data, snap); err != nil {
		return nil, v.Version, fault.Wrap(fault.Corrupt, err, "the published configuration snapshot does not decode")
	}
	if err := snap.position().Check(); err != nil {
		return nil, v.Version, fault.Wrap(fault.Corrupt, err, "the published configuration snapshot is not valid")
	}
	return snap, v.Version, nil
}

// publish replaces the snapshot by a later one. One that is as late, or later, stays: a process that is behind does not
// turn others back. Conflict when another process published in between.
func (s snapshotSource) publish(ctx context.Context, next *settled) error {
	snap, version, err := s.get(ctx)
	if err != nil && !fault.Is(err, fault.Corrupt) {
		return err
	}
	if snap != nil && !snap.position().Before(next.position()) {
		return nil
	}
	data, err := json.Marshal(next)
	if err != nil {
		return fmt.Errorf("encode the snapshot: %w", err)
	}
	_, err = s.coord.Put(ctx, coord.PutParams{Key: snapshotKey, Data: data, Version: version})
	return err
}
