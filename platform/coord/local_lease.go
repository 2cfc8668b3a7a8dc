package coord

import (
	"context"
	"slices"
	"strings"
	"time"
)

type localLease struct {
	owner   string
	token   int64
	expires time.Time
}

type localMember struct {
	data    []byte
	expires time.Time
}

// Lease implements Coord.
func (l *Local) Lease(ctx context.Context, p LeaseParams) (Leased, error) {
	if err := p.check(); err != nil {
		return Leased{}, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.usable(ctx); err != nil {
		return Leased{}, err
	}
	now := l.now()
	held := l.leases[p.Key]
	if !now.Before(held.expires) {
		held = localLease{}
	}
	mine := held.owner == p.Owner && (p.Token == 0 || p.Token == held.token)
	switch {
	case mine:
	case held.owner == "" && p.Token == 0:
		l.version++
		held = localLease{owner: p.Owner, token: l.version}
	case held.owner == "":
		return Leased{}, nil
	default:
		return Leased{Owner: held.owner, TTL: held.expires.Sub(now)}, nil
	}
	held.expires = now.Add(p.TTL)
	l.leases[p.Key] = held
	return Leased{Granted: true, Token: held.token, Owner: p.Owner, TTL: p.TTL}, nil
}

// Release implements Coord.
func (l *Local) Release(ctx context.Context, key string, token int64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.usable(ctx); err != nil {
		return err
	}
	if l.leases[key].token == token {
		delete(l.leases, key)
	}
	return nil
}

// Announce implements Coord.
func (l *Local) Announce(ctx context.Context, p AnnounceParams) error {
	if err := p.check(); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.usable(ctx); err != nil {
		return err
	}
	if p.Data == nil {
		delete(l.groups[p.Group], p.Member)
		return nil
	}
	if l.groups[p.Group] == nil {
		l.groups[p.Group] = map[string]localMember{}
	}
	l.groups[p.Group][p.Member] = localMember{data: slices.Clone(p.Data), expires: l.now().Add(p.TTL)}
	return nil
}

// Members implements Coord.
func (l *Local) Members(ctx context.Context, group string) ([]Member, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.usable(ctx); err != nil {
		return nil, err
	}
	var out []Member
	for name, m := range l.groups[group] {
		if !l.now().Before(m.expires) {
			delete(l.groups[group], name)
			continue
		}
		out = append(out, Member{Name: name, Data: slices.Clone(m.data)})
	}
	sortMembers(out)
	return out, nil
}

func sortMembers(m []Member) {
	slices.SortFunc(m, func(a, b Member) int { return strings.Compare(a.Name, b.Name) })
}
