package app

import (
	"context"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/connect/tlsconf"
	"github.com/muttproject/mutt/platform/connect/vault"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/secret"
	"github.com/muttproject/mutt/platform/secret/secrets"
)

// VaultOperator gives the operator of the configured Vault; its token is the caller's, never that of a process.
func (c *Config) VaultOperator(token secret.Secret) (*vault.Operator, error) {
	if c.Vault.Addr == "" {
		return nil, fault.New(fault.ConfigInvalid, "VAULT_ADDR is not set").WithRemedy("set VAULT_ADDR to the URL of Vault, or give --set vault.addr=…")
	}
	server, err := c.Vault.Server(tlsconf.New)
	if err != nil {
		return nil, err
	}
	client, err := vault.NewClient(server)
	if err != nil {
		return nil, err
	}
	return vault.NewOperator(client, token), nil
}

// VaultStatus is what a process with this configuration gets of Vault.
type VaultStatus struct {
	SecretsPath string        `json:"secrets_path"`
	Version     int64         `json:"version"` // of the path
	Secrets     []secrets.Key `json:"secrets"` // that it has, by name
	TokenEnds   *time.Time    `json:"token_ends,omitempty"`
}

// VaultStatus logs in as the process would and reads the secrets.
func (c *Config) VaultStatus(ctx context.Context) (s VaultStatus, err error) {
	v := &c.Vault
	if wrong := v.Check(); len(wrong) > 0 || v.Addr == "" {
		return s, fault.New(fault.ConfigInvalid, "Vault is not configured: %s", strings.Join(wrong, "; ")).WithRemedy("set VAULT_ADDR, VAULT_ROLE_ID and VAULT_SECRET_ID_FILE; 'mutt vault init' prints them")
	}
	p, err := secretSources{config: c, tls: tlsconf.New, log: zap.NewNop(), exposure: vault.Exposure(zap.NewNop()), registerer: prometheus.NewRegistry()}.vault() // a command exports no metrics
	if err != nil {
		return s, err
	}
	values, err := p.Read(ctx)
	if err != nil {
		return s, err
	}
	set, err := secrets.NewSet(values)
	if err != nil {
		return s, err
	}
	s.SecretsPath = v.Path.String()
	for _, k := range secrets.Keys() {
		if _, version := set.Get(k); version.Number > 0 {
			s.Secrets, s.Version = append(s.Secrets, k), version.Number
		}
	}
	if ends := p.Expiry(); !ends.IsZero() {
		s.TokenEnds = &ends
	}
	return s, nil
}
