package app

import (
	"cmp"
	"errors"
	"net/url"
	"time"

	"github.com/muttproject/mutt/platform/config/static"
	"github.com/muttproject/mutt/platform/connect/tlsconf"
	"github.com/muttproject/mutt/platform/connect/vault"
	"github.com/muttproject/mutt/platform/secret/secrets"
)

// SecretsConfig says where secrets come from, beside the environment and the files that single settings name.
type SecretsConfig struct {
	Vault VaultConfig
	Dir   string        // one file for each key; "" for none
	File  string        // YAML; "" for none
	Every time.Duration // between looks for new versions
}

// VaultConfig says where Vault is and who the process is there. Without an Addr there is none.
type VaultConfig struct {
	Addr, Namespace               string
	RoleID, SecretIDFile          string // the AppRole
	TokenFile                     string // instead: what somebody else keeps there
	Path                          vault.Path
	CAFile, ClientCert, ClientKey string // PEM
	RenewBefore, CheckEvery       time.Duration
}

// files are those of the connections to Vault.
func (c *VaultConfig) files() tlsconf.Files {
	return tlsconf.Files{Server: "Vault", CA: tlsconf.File{Path: c.CAFile, Setting: "VAULT_CACERT"},
		Cert: tlsconf.File{Path: c.ClientCert, Setting: "VAULT_CLIENT_CERT"}, Key: tlsconf.File{Path: c.ClientKey, Setting: "VAULT_CLIENT_KEY"}}
}

// check says what is missing of Vault's settings; "" for nothing.
func (c *VaultConfig) check() string {
	role := c.RoleID != "" || c.SecretIDFile != ""
	switch {
	case c.Addr == "" && (role || c.TokenFile != ""):
		return "VAULT_ROLE_ID, VAULT_SECRET_ID_FILE or VAULT_TOKEN_FILE is set and VAULT_ADDR is not"
	case c.Addr == "":
		return ""
	case role && c.TokenFile != "":
		return "VAULT_TOKEN_FILE excludes VAULT_ROLE_ID and VAULT_SECRET_ID_FILE: set the token's file, or the other two"
	case c.TokenFile == "" && (c.RoleID == "" || c.SecretIDFile == ""):
		return "VAULT_ADDR needs VAULT_ROLE_ID and VAULT_SECRET_ID_FILE, or VAULT_TOKEN_FILE; 'mutt vault init' makes the first two"
	}
	return ""
}

func secretSettings(c *Config) []static.Setting {
	s, v := &c.Secrets, &c.Secrets.Vault
	return []static.Setting{
		{Path: "secrets.dir", Example: "/run/secrets/mutt", Variables: named("MUTT_SECRETS_DIR"),
			About: "Directory with a file for each secret, named like its variable, as Kubernetes mounts it", Value: static.Text(&s.Dir)},
		{Path: "secrets.file", Example: "/etc/mutt/secrets.yaml", Variables: named("MUTT_SECRETS_FILE"),
			About: "YAML file of secrets by the names of their variables, which only its owner may read", Value: static.Text(&s.File)},
		{Path: "secrets.poll_interval", Default: "30s", Variables: named("MUTT_SECRETS_POLL_INTERVAL"),
			About: "How often Vault and the files are looked at for new versions", Value: static.Span(&s.Every)},
		{Path: "secrets.recycle_within", Default: "30s", Variables: named("MUTT_SECRETS_RECYCLE_WITHIN"),
			About: "Time over which the connections of a process are replaced after a password changed", Value: static.Span(&c.RecycleWithin)},
		{Path: "vault.addr", Example: "https://vault.example.net:8200", Variables: named("VAULT_ADDR"), About: "URL of Vault; secrets that it has come from there", Value: vaultURL(&v.Addr)},
		{Path: "vault.role_id", Example: "9f1c2b1e-7d7d-4c1a-9d0b-0d6a3c1f5e21", Variables: named("VAULT_ROLE_ID"), About: "Role id of the AppRole; 'mutt vault init' prints it", Value: static.Text(&v.RoleID)},
		{Path: "vault.secret_id_file", Example: "/etc/mutt/vault-secret-id", Variables: named("VAULT_SECRET_ID_FILE"), About: "File of the AppRole's secret id, read at each login", Value: static.Text(&v.SecretIDFile)},
		{Path: "vault.token_file", Example: "/run/vault/token", Variables: named("VAULT_TOKEN_FILE"),
			About: "File of a token that an agent keeps, instead of an AppRole; read again when it changes", Value: static.Text(&v.TokenFile)},
		{Path: "vault.secrets_path", Default: "secret/mutt/prod", Variables: named("VAULT_SECRETS_PATH"), About: "Path of the secrets in a KV engine of version 2; its first part is the engine's mount", Value: kvPath(&v.Path)},
		{Path: "vault.namespace", Example: "netops", Variables: named("VAULT_NAMESPACE"), About: "Namespace of Vault Enterprise", Value: static.Text(&v.Namespace)},
		{Path: "vault.ca_file", Example: "/etc/mutt/vault-ca.pem", Variables: named("VAULT_CACERT"), About: "Authorities (PEM) of Vault's certificate; by default the system's", Value: static.Text(&v.CAFile)},
		{Path: "vault.client_cert_file", Example: "/etc/mutt/vault-client.pem", Variables: named("VAULT_CLIENT_CERT"), About: "Certificate (PEM) that is shown to Vault when it asks for one", Value: static.Text(&v.ClientCert)},
		{Path: "vault.client_key_file", Example: "/etc/mutt/vault-client.key", Variables: named("VAULT_CLIENT_KEY"), About: "Key (PEM) of that certificate", Value: static.Text(&v.ClientKey)},
		{Path: "vault.token_renew_threshold", Default: "1h", Variables: named("VAULT_TOKEN_RENEW_THRESHOLD"),
			About: "How long before its end the token is renewed; in the middle of its life at the latest", Value: static.Span(&v.RenewBefore)},
		{Path: "vault.renew_check_interval", Default: "5m", Variables: named("VAULT_RENEW_CHECK_INTERVAL"),
			About: "How often that is looked at; more often when the token lives shorter", Value: static.Span(&v.CheckEvery)},
	}
}

// vaultURL takes the URL of Vault. Its errors do not repeat the URL, which may hold a password.
func vaultURL(field *string) static.Value {
	return static.NewValue("an http or https URL", func(text string) error {
		u, err := url.Parse(text)
		if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.User != nil || u.Path != "" && u.Path != "/" || u.RawQuery != "" {
			return errors.New("takes an http or https URL with a host and nothing behind it, such as https://vault.example.net:8200")
		}
		*field = text
		return nil
	}, func() any { return *field })
}

func kvPath(field *vault.Path) static.Value {
	return static.NewValue("a path in a KV engine", func(text string) error {
		p, err := vault.ParsePath(text)
		if err == nil {
			*field = p
		}
		return err
	}, func() any { return field.String() })
}

// given gives what the settings say of secrets: in the environment, or in a file of its own.
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
