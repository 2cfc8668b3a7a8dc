package vault

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/private"
	"github.com/muttproject/mutt/platform/secret"
)

// maxTokenFile bounds the file of a token or of a secret id, in bytes.
const maxTokenFile = 64 << 10

// lease is a token with what is known of its life.
type lease struct {
	token   secret.Secret
	granted time.Duration // at the login; 0 when it never ends, or when somebody else keeps it alive
	until   time.Time
}

// left is how long the token lives yet.
func (l *lease) left(now time.Time) time.Duration { return l.until.Sub(now) }

// due is when the token wants renewal: before hand to the end of its life, for a short one in the middle of it.
func (l *lease) due(before time.Duration) time.Time { return l.until.Add(-min(before, l.granted/2)) }

// login gets a token: the one in the token file, else one for the role.
func (p *Provider) login(ctx context.Context) (*lease, error) {
	if p.config.TokenFile != "" {
		token, err := p.readToken(p.config.TokenFile, "VAULT_TOKEN_FILE")
		return &lease{token: token}, err
	}
	id, err := p.readToken(p.config.SecretIDFile, "VAULT_SECRET_ID_FILE") // each time: it is replaced from time to time
	if err != nil {
		return nil, err
	}
	l, err := p.client.loginRole(ctx, p.config.RoleID, id)
	p.metrics.login(err)
	return l, Fault(err, "log in to Vault as the role VAULT_ROLE_ID")
}

func (p *Provider) readToken(path, setting string) (secret.Secret, error) {
	text, _, warning, err := private.Read(path, maxTokenFile)
	if fault.Is(err, fault.FileUnsafe) {
		return secret.Secret{}, err
	}
	if err != nil {
		return secret.Secret{}, fault.Wrap(fault.SecretsUnavailable, err, "the file %s cannot be read", setting).WithRemedy("correct %s, or the mode of the file", setting)
	}
	if warning != "" {
		p.exposed.Do(func() {
			p.log.Warn("a file can be read by others", zap.String("setting", setting), zap.String("reason", warning))
		})
	}
	token, err := secret.HeaderValue.Fit(strings.TrimSpace(secret.Tidy(string(text))))
	if err != nil {
		return secret.Secret{}, fault.New(fault.SecretUnfit, "the file %s %s", setting, err)
	}
	if token == "" {
		return secret.Secret{}, fault.New(fault.SecretsUnavailable, "the file %s is empty", setting).WithRemedy("write it anew")
	}
	return secret.New(token), nil
}

func (c *Client) loginRole(ctx context.Context, role string, id secret.Secret) (*lease, error) {
	a, err := c.call(ctx, request{method: http.MethodPost, path: "auth/approle/login", body: map[string]any{"role_id": role, "secret_id": id.Reveal()}})
	if err != nil {
		return nil, err
	}
	if a.Auth == nil {
		return nil, fault.New(fault.SecretsUnavailable, "Vault gave no token at the login")
	}
	l := &lease{token: secret.New(a.Auth.ClientToken)}
	l.extend(a.Auth.LeaseDuration)
	l.granted = time.Duration(a.Auth.LeaseDuration) * time.Second
	return l, nil
}

// extend starts a lease of so many seconds now; 0 never ends.
func (l *lease) extend(seconds int) {
	l.until = time.Now().Add(time.Duration(seconds) * time.Second)
}

// renew prolongs the token and gives the lease that it has now.
func (c *Client) renew(ctx context.Context, l *lease) (*lease, error) {
	a, err := c.call(ctx, request{method: http.MethodPost, path: "auth/token/renew-self", token: l.token, body: map[string]any{}})
	if err != nil {
		return nil, err
	}
	if a.Auth == nil {
		return nil, fault.New(fault.SecretsUnavailable, "Vault gave no token at the renewal")
	}
	next := &lease{token: l.token, granted: l.granted}
	next.extend(a.Auth.LeaseDuration)
	return next, nil
}

// Token is what Vault knows of a token.
type Token struct {
	Name     string        // as Vault shows it in its audit log
	Policies []string      // that it has
	TTL      time.Duration // 0 when it never ends
}

// Lookup asks Vault about a token: whether it is alive, and what it may.
func (c *Client) Lookup(ctx context.Context, token secret.Secret) (Token, error) {
	a, err := c.call(ctx, request{method: http.MethodGet, path: "auth/token/lookup-self", token: token})
	if err != nil {
		return Token{}, err
	}
	var t Token
	t.Name, _ = a.Data["display_name"].(string)
	if n, ok := a.Data["ttl"].(json.Number); ok {
		seconds, _ := n.Int64() // a whole number by its definition
		t.TTL = time.Duration(seconds) * time.Second
	}
	policies, _ := a.Data["policies"].([]any)
	for _, one := range policies {
		if name, ok := one.(string); ok {
			t.Policies = append(t.Policies, name)
		}
	}
	return t, nil
}
