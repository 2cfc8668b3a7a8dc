package app

import (
	"cmp"
	"context"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/connect"
	"github.com/muttproject/mutt/platform/connect/tlsconf"
	"github.com/muttproject/mutt/platform/connect/vault"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/lifecycle"
	"github.com/muttproject/mutt/platform/secret"
	"github.com/muttproject/mutt/platform/secret/secrets"
	"github.com/muttproject/mutt/platform/trouble"
)

// secretOf is a setting that is a secret, and the key that providers have it by.
type secretOf struct {
	path  string
	key   secrets.Key
	value secret.Secret
}

// secretsOf lists the settings that are secrets. The other providers know a secret by the last of its variables, which rules.
func secretsOf(c *Config) (out []secretOf) {
	for _, s := range settings(c) {
		if s.Value.Secret() {
			out = append(out, secretOf{s.Path, secrets.Key(s.Variables[len(s.Variables)-1].Name), s.Value.Reveal()})
		}
	}
	return out
}

// settingValues returns what the settings say of secrets: in the environment, or in a file of its own.
func (c *Config) settingValues() secrets.Values {
	out := secrets.Values{}
	for _, s := range secretsOf(c) {
		if s.value.Empty() {
			continue
		}
		from := c.sources[s.path]
		out[s.key] = secrets.Value{Secret: s.value, Version: secrets.Version{Provider: cmp.Or(string(from.Kind), "settings"), Number: 1}, Origin: from.String()}
	}
	return out
}

// settingsProvider gives what the settings say: the last provider. Files that they name are read anew each time.
type settingsProvider struct{ config func() *Config }

// Name implements secrets.Provider.
func (settingsProvider) Name() string { return "settings" }

// Read implements secrets.Provider.
func (p settingsProvider) Read(context.Context) (secrets.Values, error) {
	c := p.config()
	out := c.settingValues()
	for _, s := range secretsOf(c) {
		file := c.sources[s.path].Ref
		if file == "" {
			continue
		}
		v, err := secrets.ReadFile(file)
		if fault.Is(err, fault.FileUnsafe) {
			return nil, err
		}
		if err != nil {
			return nil, fault.Wrap(fault.SecretsUnavailable, err, "the file of %s cannot be read", s.path).WithRemedy("write it again, or correct its mode")
		}
		if secret.Tidy(v.Secret.Reveal()) == "" {
			return nil, fault.New(fault.SecretsUnavailable, "the file of %s is empty", s.path)
		}
		out[s.key] = v
	}
	return out, nil
}

// secretSources are what the providers of a configuration are made with.
type secretSources struct {
	config     *Config
	settings   func() *Config // whose secrets are in force
	tls        tlsconf.Opener
	log        *zap.Logger
	exposure   *connect.Exposure // of Vault
	registerer prometheus.Registerer
	refuse     func(*secrets.Set) map[secrets.Key]error
}

// watcher makes the Watcher of the configured providers: Vault, files, the settings. It has nothing yet.
func (s secretSources) watcher() (*secrets.Watcher, error) {
	var providers []secrets.Provider
	c := &s.config.Secrets
	if s.config.Vault.Addr != "" {
		v, err := s.vault()
		if err != nil {
			return nil, err
		}
		providers = append(providers, v)
	}
	if c.Dir != "" {
		providers = append(providers, secrets.Directory{Path: c.Dir})
	}
	if c.File != "" {
		providers = append(providers, secrets.File{Path: c.File})
	}
	providers = append(providers, settingsProvider{s.settings})
	return secrets.NewWatcher(secrets.Options{Providers: providers, Every: c.Every, Refuse: s.refuse, Log: s.log, Registerer: s.registerer}), nil
}

func (s secretSources) vault() (*vault.Provider, error) {
	return vault.NewProvider(vault.Options{Config: s.config.Vault, Open: s.tls, Exposure: s.exposure, Log: s.log, Registerer: s.registerer})
}

// openSecrets loads the secrets, and waits for Vault when it is away.
func openSecrets(ctx context.Context, p *parts) (lifecycle.Service, error) {
	log := p.opts.Logger.Named("secrets")
	exposure := vault.Exposure(log)
	from := secretSources{config: &p.opts.Config, settings: p.settings, tls: p.tls.Open, log: log, exposure: exposure, registerer: p.registry, refuse: secrets.RefuseNone}
	if p.opts.Config.Keys.Insecure {
		p.health.AddNote("keys", insecureKeys, trouble.Advice{Consequence: "a person who guesses a key can send events or change the configuration",
			Remedy: "remove MUTT_INSECURE_KEYS outside a lab, and set keys that 'mutt keys generate' prints", Runbook: "access"})
	} else {
		from.refuse = func(next *secrets.Set) map[secrets.Key]error { return unsafeKeys(givenKeys(next)) }
	}
	w, err := from.watcher()
	if err != nil {
		return nil, err
	}
	if err := p.reach(ctx, "the secrets", w.Reload); err != nil {
		return nil, err
	}
	p.secrets = w
	return watchedSecrets{w, exposure}, nil
}

// watchedSecrets warns of how Vault is reached, too.
type watchedSecrets struct {
	*secrets.Watcher
	exposure *connect.Exposure
}

// Ready implements lifecycle.ReadyChecker.
func (s watchedSecrets) Ready(ctx context.Context) ([]string, error) {
	warnings, err := s.Watcher.Ready(ctx)
	return append(warnings, s.exposure.Warnings()...), err
}

// origins says for each secret which provider it comes from, for 'mutt config print' and GET /admin/config.
func origins(set *secrets.Set) (out []ConfigValue) {
	for _, k := range secrets.Keys() {
		if origin := set.Origin(k); origin != "" {
			out = append(out, ConfigValue{Path: "secret " + string(k), Value: secret.Redacted, Source: origin})
		}
	}
	return out
}

// printWithin is how long a command that prints the configuration waits for the providers of secrets.
const printWithin = 5 * time.Second

// Origins asks the providers and says for each secret which one it comes from.
func (c *Config) Origins(ctx context.Context) ([]ConfigValue, error) {
	ctx, cancel := context.WithTimeout(ctx, printWithin)
	defer cancel()
	if wrong := c.Vault.Check(); len(wrong) > 0 {
		return nil, fault.New(fault.ConfigInvalid, "%s", strings.Join(wrong, "; "))
	}
	set, err := c.secrets(ctx, zap.NewNop())
	return origins(set), err
}

// secrets gives the secrets of a configuration once, for a command.
func (c *Config) secrets(ctx context.Context, log *zap.Logger) (*secrets.Set, error) {
	w, err := secretSources{config: c, settings: func() *Config { return c }, tls: tlsconf.New, log: log, exposure: vault.Exposure(zap.NewNop()), refuse: secrets.RefuseNone,
		registerer: prometheus.NewRegistry()}.watcher() // a command exports no metrics
	if err != nil {
		return nil, err
	}
	if err := w.Reload(ctx); err != nil {
		return nil, err
	}
	return w.Current(), nil
}
