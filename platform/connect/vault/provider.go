package vault

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/config/static"
	"github.com/muttproject/mutt/platform/connect"
	"github.com/muttproject/mutt/platform/connect/tlsconf"
	"github.com/muttproject/mutt/platform/deps"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/secret/secrets"
)

// Options say what a Provider reads, and as whom: the AppRole, or the token that somebody else keeps in a file.
type Options struct {
	Config     Config
	Open       tlsconf.Opener    // reads the files of TLS
	Exposure   *connect.Exposure // notes the connections
	Log        *zap.Logger
	Registerer prometheus.Registerer
}

// Exposure returns what notes the connections of a process, for its health and log.
func Exposure(log *zap.Logger) *connect.Exposure {
	return connect.NewExposure(connect.ExposureOptions{People: "Vault", TLS: "set VAULT_ADDR to an https:// URL", Log: log})
}

// Provider reads the secrets of a process from Vault.
type Provider struct {
	config  Config
	log     *zap.Logger
	client  *Client
	metrics *metrics

	exposed sync.Once // warns that others may read the file of the token or secret id

	turn chan struct{} // one login or renewal at a time

	mu    sync.Mutex
	lease *lease        // nil before the first login
	fresh chan struct{} // tells Keep of another lease
}

var _ secrets.Keeper = (*Provider)(nil)

// NewProvider returns a Provider. It reads the files of TLS and does no other I/O.
func NewProvider(o Options) (*Provider, error) {
	if err := deps.Check(o); err != nil {
		return nil, err
	}
	if err := static.Validate(o.Config.Settings()); err != nil {
		return nil, err
	}
	server, err := o.Config.Server(o.Open)
	if err != nil {
		return nil, err
	}
	server.Exposure = o.Exposure
	client, err := NewClient(server)
	if err != nil {
		return nil, err
	}
	p := &Provider{config: o.Config, log: o.Log, client: client, turn: make(chan struct{}, 1), fresh: make(chan struct{}, 1)}
	p.metrics = newMetrics(o.Registerer, p.Expiry)
	return p, nil
}

// Name implements secrets.Provider.
func (*Provider) Name() string { return "vault" }

// Read implements secrets.Provider. A token that Vault does not take is replaced once.
func (p *Provider) Read(ctx context.Context) (secrets.Values, error) {
	l, err := p.current(ctx)
	if err != nil {
		return nil, err
	}
	s, err := p.client.Read(ctx, l.token, p.config.Path, 0)
	if status(err) == http.StatusForbidden && p.died(ctx, l) {
		if l, err = p.replace(ctx, l); err != nil {
			return nil, err
		}
		s, err = p.client.Read(ctx, l.token, p.config.Path, 0)
	}
	if err != nil {
		return nil, Fault(err, "read VAULT_SECRETS_PATH")
	}
	return p.values(s)
}

func (p *Provider) values(s Secrets) (secrets.Values, error) {
	switch {
	case s.Deleted:
		return nil, fault.New(fault.SecretsUnavailable, "version %d of %s was deleted", s.Version, p.config.Path).
			WithRemedy("undelete it with 'vault kv undelete', or write a new version")
	case s.Version == 0:
		return nil, fault.New(fault.SecretsUnavailable, "there are no secrets at %s", p.config.Path).
			WithRemedy("correct VAULT_SECRETS_PATH, or make them with 'mutt vault init'")
	}
	out, origin := secrets.Values{}, fmt.Sprintf("version %d of vault %s", s.Version, p.config.Path)
	for k, v := range s.Values {
		out[secrets.Key(k)] = secrets.Value{Secret: v, Version: secrets.Version{Provider: p.Name(), Number: s.Version}, Origin: origin}
	}
	for k, v := range s.Others {
		if v != nil {
			out[secrets.Key(k)] = secrets.Value{NoText: true, Origin: origin}
		}
	}
	return out, nil
}

// died tells a token that is at its end from one that may not read the path.
func (p *Provider) died(ctx context.Context, l *lease) bool {
	_, err := p.client.Lookup(ctx, l.token)
	return dead(err)
}

// current gives the lease in force: a file is looked at each time, the role logs in when there is none.
func (p *Provider) current(ctx context.Context) (*lease, error) {
	p.mu.Lock()
	l := p.lease
	p.mu.Unlock()
	if l != nil && p.config.TokenFile == "" {
		return l, nil
	}
	return p.replace(ctx, l)
}

// replace logs in anew, unless somebody else did since old was in force.
func (p *Provider) replace(ctx context.Context, old *lease) (*lease, error) {
	select {
	case p.turn <- struct{}{}:
		defer func() { <-p.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	p.mu.Lock()
	now := p.lease
	p.mu.Unlock()
	if now != old {
		return now, nil
	}
	next, err := p.login(ctx)
	if err != nil {
		return nil, err
	}
	p.put(next)
	return next, nil
}

func (p *Provider) put(l *lease) {
	p.mu.Lock()
	p.lease = l
	p.mu.Unlock()
	select {
	case p.fresh <- struct{}{}:
	default:
	}
}

// Expiry is when the token ends; the zero time when that is not known.
func (p *Provider) Expiry() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.lease == nil || p.lease.granted == 0 {
		return time.Time{}
	}
	return p.lease.until
}

// Keep implements secrets.Keeper: it renews the token in time, until ctx ends.
func (p *Provider) Keep(ctx context.Context) {
	defer p.client.Close()
	for {
		timer := time.NewTimer(p.wait())
		select {
		case <-timer.C:
			p.keep(ctx)
		case <-p.fresh:
		case <-ctx.Done():
			timer.Stop()
			return
		}
		timer.Stop()
	}
}

// shortest bounds how often a token is looked at that could not be renewed.
const shortest = 200 * time.Millisecond

// wait is how long the lease in force needs no look.
func (p *Provider) wait() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := p.lease
	if l == nil || l.granted == 0 {
		return p.config.CheckEvery
	}
	now := time.Now()
	due, left := l.due(p.config.RenewBefore).Sub(now), l.left(now)
	if left <= 0 { // whoever reads next logs in
		return p.config.CheckEvery
	}
	if due <= 0 { // the last look did not help
		due = left / 4
	}
	return min(max(due, shortest), p.config.CheckEvery)
}

// keep renews the token when that is due. One that cannot be renewed, or whose lease shrinks because its maximum is near, is
// replaced by a login. While Vault is away the token stays: it may well outlive that.
func (p *Provider) keep(ctx context.Context) {
	p.mu.Lock()
	l := p.lease
	p.mu.Unlock()
	if l == nil || l.granted == 0 || time.Now().Before(l.due(p.config.RenewBefore)) {
		return
	}
	if l.left(time.Now()) <= 0 { // it has ended: whoever reads next logs in
		return
	}
	next, err := p.client.renew(ctx, l)
	p.metrics.renewal(err)
	switch {
	case err == nil && next.left(time.Now()) > l.granted/2:
		p.swap(l, next)
		return
	case err == nil: // it still lives for a while: should the login fail, this is what there is
		p.swap(l, next)
		l = next
	case !dead(err):
		p.log.Warn("the token of Vault cannot be renewed now", zap.Error(Fault(err, "renew the token")))
		return
	}
	if _, err := p.replace(ctx, l); err != nil && !errors.Is(err, context.Canceled) {
		p.log.Warn("the login at Vault failed: the secrets in force stay", zap.Error(err))
	}
}

// swap puts a renewed lease in the place of the one that it was, unless there is another.
func (p *Provider) swap(old, next *lease) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.lease == old {
		p.lease = next
	}
}
