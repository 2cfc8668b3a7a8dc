package app

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"github.com/muttproject/mutt/platform/coord"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/store"
)

// settled is what was committed up to a revision and concerns every process.
type settled struct {
	Revision int64             `json:"revision"`
	Ruleset  int64             `json:"ruleset"`
	Values   map[string]string `json:"values"` // of dynamic keys, as JSON
	Keys     []store.APIKey    `json:"keys"`   // with hashes, never secrets
}

// source is where a process learns what is settled.
type source interface {
	about() string
	// keep stores the bootstrap keys for all processes; it is called before the first load, and when they have changed.
	keep(ctx context.Context, bootstrap []store.APIKey) error
	// load gives what is settled, nil when that is revision known, or when nothing is settled yet.
	load(ctx context.Context, known int64) (*settled, error)
}

// storeSource reads the store itself.
type storeSource struct{ store *store.Store }

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
			if _, err := tx.PutAPIKey(k, 0); err != nil {
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

func (s storeSource) load(ctx context.Context, known int64) (*settled, error) {
	revision, ruleset, err := s.store.Revisions(ctx)
	if err != nil || revision == known {
		return nil, err
	}
	values, err := s.store.ConfigValues(ctx)
	if err != nil {
		return nil, err
	}
	keys, err := s.store.APIKeys(ctx)
	if err != nil {
		return nil, err
	}
	out := &settled{Revision: revision, Ruleset: ruleset, Keys: keys, Values: make(map[string]string, len(values))}
	for _, v := range values {
		out.Values[v.Key] = v.Value
	}
	return out, nil
}

// snapshotSource reads what the processes with the store publish.
type snapshotSource struct{ coord coord.Coord }

// snapshotKey is where the snapshot lives.
const snapshotKey = "snapshot"

func (s snapshotSource) about() string { return "the published snapshot" }

func (s snapshotSource) keep(context.Context, []store.APIKey) error { return nil }

func (s snapshotSource) load(ctx context.Context, known int64) (*settled, error) {
	snap, _, err := s.get(ctx)
	if err != nil || snap == nil || snap.Revision <= known { // earlier: Redis was rolled back, and it will be published again
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
	return snap, v.Version, nil
}

// publish replaces the snapshot by a later one. One that is as late, or later, stays: whoever is behind does not
// turn others back. Conflict when somebody published in between.
func (s snapshotSource) publish(ctx context.Context, next *settled) error {
	snap, version, err := s.get(ctx)
	if err != nil && !fault.Is(err, fault.Corrupt) {
		return err
	}
	if snap != nil && snap.Revision >= next.Revision {
		return nil
	}
	data, err := json.Marshal(next)
	if err != nil {
		return fmt.Errorf("encode the snapshot: %w", err)
	}
	_, err = s.coord.Put(ctx, coord.PutParams{Key: snapshotKey, Data: data, Version: version})
	return err
}
