package vault

import (
	"errors"
	"net/url"
	"slices"
	"time"

	"github.com/muttproject/mutt/platform/config/static"
	"github.com/muttproject/mutt/platform/connect/tlsconf"
)

// Config holds the static settings of Vault: where it is, and as whom a process reads there. Without an Addr there is no Vault.
type Config struct {
	Addr, Namespace string
	RoleID          string // with SecretIDFile: the AppRole
	SecretIDFile    string // read at each login
	TokenFile       string // instead of the AppRole; read again when it changes. Whoever writes it renews the token.
	Path            Path
	TLS             tlsconf.Config
	// RenewBefore is how long before its end a token is renewed, in the middle of its life at the latest. CheckEvery is how often the
	// process looks whether that is due, more often for a token that lives shorter.
	RenewBefore, CheckEvery time.Duration
}

// peer names the settings of TLS.
func peer() tlsconf.Peer {
	return tlsconf.Peer{Name: "Vault", Section: "vault", Sample: "vault", Enabled: "VAULT_ADDR", URL: true,
		CA: "VAULT_CACERT", Cert: "VAULT_CLIENT_CERT", Key: "VAULT_CLIENT_KEY"}
}

// Settings declares the settings.
func (c *Config) Settings() []static.Setting {
	return slices.Concat([]static.Setting{
		{Path: "vault.addr", Example: "https://vault.example.net:8200", Variables: static.Variables("VAULT_ADDR"),
			About: "URL of Vault; secrets that it has come from there", Value: address(&c.Addr)},
		{Path: "vault.role_id", Example: "9f1c2b1e-7d7d-4c1a-9d0b-0d6a3c1f5e21", Variables: static.Variables("VAULT_ROLE_ID"),
			About: "Role id of the AppRole; 'mutt vault init' prints it", Value: static.Text(&c.RoleID)},
		{Path: "vault.secret_id_file", Example: "/etc/mutt/vault-secret-id", Variables: static.Variables("VAULT_SECRET_ID_FILE"),
			About: "File of the AppRole's secret id, read at each login", Value: static.Text(&c.SecretIDFile)},
		{Path: "vault.token_file", Example: "/run/vault/token", Variables: static.Variables("VAULT_TOKEN_FILE"),
			About: "File of a token that an agent keeps, instead of an AppRole; read again when it changes", Value: static.Text(&c.TokenFile)},
		{Path: "vault.secrets_path", Default: "secret/mutt/prod", Variables: static.Variables("VAULT_SECRETS_PATH"),
			About: "Path of the secrets in a KV engine of version 2; its first part is the engine's mount", Value: kvPath(&c.Path)},
		{Path: "vault.namespace", Example: "netops", Variables: static.Variables("VAULT_NAMESPACE"), About: "Namespace of Vault Enterprise", Value: static.Text(&c.Namespace)},
	}, peer().Settings(&c.TLS), []static.Setting{
		{Path: "vault.token_renew_threshold", Default: "1h", Variables: static.Variables("VAULT_TOKEN_RENEW_THRESHOLD"),
			About: "How long before its end the token is renewed; in the middle of its life at the latest", Value: static.Span(&c.RenewBefore)},
		{Path: "vault.renew_check_interval", Default: "5m", Variables: static.Variables("VAULT_RENEW_CHECK_INTERVAL"),
			About: "How often that is looked at; more often when the token lives shorter", Value: static.Span(&c.CheckEvery)},
	})
}

// Check lists what contradicts itself or is missing.
func (c *Config) Check() []string {
	role := c.RoleID != "" || c.SecretIDFile != ""
	switch {
	case c.Addr == "" && (role || c.TokenFile != ""):
		return []string{"VAULT_ROLE_ID, VAULT_SECRET_ID_FILE or VAULT_TOKEN_FILE is set and VAULT_ADDR is not"}
	case c.Addr == "":
		return nil
	case role && c.TokenFile != "":
		return []string{"VAULT_TOKEN_FILE excludes VAULT_ROLE_ID and VAULT_SECRET_ID_FILE: set the token's file, or the other two"}
	case c.TokenFile == "" && (c.RoleID == "" || c.SecretIDFile == ""):
		return []string{"VAULT_ADDR needs VAULT_ROLE_ID and VAULT_SECRET_ID_FILE, or VAULT_TOKEN_FILE; 'mutt vault init' makes the first two"}
	}
	return nil
}

// Server returns where Vault is. open reads the files of TLS.
func (c *Config) Server(open tlsconf.Opener) (Server, error) {
	client, err := peer().Client(c.TLS, open)
	return Server{Addr: c.Addr, Namespace: c.Namespace, TLS: client}, err
}

// address takes the URL of Vault. Its errors do not repeat the URL, which may hold a password.
func address(field *string) static.Value {
	return static.NewValue("an http or https URL", func(text string) error {
		u, err := url.Parse(text)
		if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.User != nil || u.Path != "" && u.Path != "/" || u.RawQuery != "" {
			return errors.New("takes an http or https URL with a host and nothing behind it, such as https://vault.example.net:8200")
		}
		*field = text
		return nil
	}, func() any { return *field })
}

func kvPath(field *Path) static.Value {
	return static.NewValue("a path in a KV engine", func(text string) error {
		p, err := ParsePath(text)
		if err == nil {
			*field = p
		}
		return err
	}, func() any { return field.String() })
}
