package connect

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/deps"
	"github.com/muttproject/mutt/platform/secret"
)

// ErrRefused is what a try wraps when the server does not accept the credential; another one may be right.
var ErrRefused = errors.New("the server refuses the credential")

// ErrNone says that there is no credential to try.
var ErrNone = errors.New("no credential is known")

// Options say where credentials come from.
type Options struct {
	Server string // in logs and metrics: postgres, redis
	// Source gives what to try, in order: CURRENT first. It is asked for each connection and does no I/O.
	Source func() []Credential
	// Refresh asks the providers again. It is called when all credentials were refused; NoRefresh where nobody can be asked.
	Refresh func(context.Context) error
	// Within is the time over which connections are replaced after a rotation.
	Within  time.Duration
	Metrics *Metrics
	Log     *zap.Logger
}

// NoRefresh is for credentials that do not change.
func NoRefresh(context.Context) error { return nil }

// Credentials are those of one kind of server, with what is known of them. They are safe for concurrent use.
type Credentials struct {
	opts Options

	mu    sync.Mutex
	doors map[string]*door
	open  map[*Conn]struct{}
}

// NewCredentials returns the credentials of one kind of server.
func NewCredentials(o Options) *Credentials {
	deps.Must(o)
	o.Metrics.server(o.Server)
	return &Credentials{opts: o, doors: map[string]*door{}, open: map[*Conn]struct{}{}}
}

// Known are credentials that do not change, for a connection of a command. They are not counted or logged.
func Known(all ...Credential) *Credentials {
	return NewCredentials(Options{Source: func() []Credential { return all }, Refresh: NoRefresh,
		Metrics: NewMetrics(prometheus.NewRegistry()), Log: zap.NewNop()})
}

// Only is one user with its password.
func Only(user string, password secret.Secret) *Credentials {
	return Known(Credential{User: user, Password: password})
}

// Any reports whether there are any.
func (c *Credentials) Any() bool { return len(c.all()) > 0 }

// all gives the credentials in the order of the source.
func (c *Credentials) all() []Credential {
	if c == nil {
		return nil
	}
	return distinct(c.opts.Source())
}

// Login tries the credentials on a server and gives the one that was accepted. try logs in with one; its error wraps ErrRefused when
// the server does not accept it, and any other error ends the login. When all are refused the error is a *RefusedError.
func (c *Credentials) Login(ctx context.Context, server string, try func(context.Context, Credential) error) (Credential, error) {
	if !c.Any() {
		return Credential{}, ErrNone
	}
	d := c.door(server)
	var tried []Credential
	if one, ok := c.trusted(d); ok {
		err := c.attempt(ctx, d, one, try)
		if !errors.Is(err, ErrRefused) {
			return one, err
		}
		tried = append(tried, one)
	}
	select {
	case d.turn <- struct{}{}:
		defer func() { <-d.turn }()
	case <-ctx.Done():
		return Credential{}, ctx.Err()
	}
	return c.visit(ctx, d, tried, try)
}

// visit tries what may be refused, while no other login at this server does.
func (c *Credentials) visit(ctx context.Context, d *door, tried []Credential, try func(context.Context, Credential) error) (Credential, error) {
	for asked := false; ; asked = true {
		order := c.order(d)
		if len(order) == 0 && !asked {
			return Credential{}, c.refused(d) // others were here before, and the door is closed
		}
		for _, one := range order {
			if slices.ContainsFunc(tried, one.equal) {
				continue
			}
			tried = append(tried, one)
			if err := c.attempt(ctx, d, one, try); !errors.Is(err, ErrRefused) {
				return one, err
			}
		}
		if asked {
			return Credential{}, c.shut(d)
		}
		if err := c.opts.Refresh(ctx); err != nil {
			c.opts.Log.Debug("the providers of secrets do not answer", zap.Error(err))
		}
	}
}

func (c *Credentials) attempt(ctx context.Context, d *door, one Credential, try func(context.Context, Credential) error) error {
	err := try(ctx, one)
	switch {
	case err == nil:
		c.accepted(d, one)
		c.opts.Metrics.login(c.opts.Server, accepted)
	case errors.Is(err, ErrRefused):
		c.turnedDown(d, one, err)
		c.opts.Metrics.login(c.opts.Server, refused)
	default:
		c.opts.Metrics.login(c.opts.Server, failed)
	}
	return err
}

// RefusedError says that a server refused every credential, or did so lately.
type RefusedError struct {
	Labels []string      // of the credentials
	Wait   time.Duration // until they are tried again
	Last   error         // what the server said last; its text may name the user
}

func (e *RefusedError) Error() string {
	return "the server refuses " + strings.Join(e.Labels, " and ") + "; they are tried again in " + e.Wait.Round(time.Millisecond).String()
}

// Unwrap gives what the server said.
func (e *RefusedError) Unwrap() error { return e.Last }
