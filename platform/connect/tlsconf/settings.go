package tlsconf

import (
	"slices"

	"github.com/muttproject/mutt/platform/config/static"
)

// Peer declares the settings of TLS to one server: what messages call the server, and the names of its settings.
type Peer struct {
	Name    string // what people call the server: "Redis"
	Section string // of the settings: "redis"
	Sample  string // begins the names of files in examples: "redis" for /etc/mutt/redis-ca.pem

	// Enabled is the variable that switches TLS on. For a server with a URL it is the variable of the URL, whose scheme decides.
	Enabled string
	URL     bool
	// Beyond reports whether an address of the server is not this machine, where TLS is on by default; nil leaves it off.
	Beyond func() bool
	// CA, Cert and Key are the variables of the files. Cert and Key are "" where no client certificate can be set.
	CA, Cert, Key string
}

// Config holds the settings of TLS to one server.
type Config struct {
	Enabled           bool   // unused where a URL decides
	CAFile            string // PEM; "" trusts the system's authorities
	CertFile, KeyFile string // PEM; the client certificate that the server may ask for: both or none
}

// Settings declares the settings of a Peer.
func (p Peer) Settings(c *Config) []static.Setting {
	path := func(key string) string { return p.Section + "." + key }
	example := func(file string) string { return "/etc/mutt/" + p.Sample + file }
	var out []static.Setting
	if !p.URL {
		out = append(out, static.Setting{Path: path("tls_enabled"), Default: "false", Variables: static.Variables(p.Enabled), Derive: p.enabled,
			About: "Talk TLS to " + p.Name + ", and verify its certificate; by default true unless every address is this machine",
			Value: static.Bool(&c.Enabled)})
	}
	out = append(out, static.Setting{Path: path("ca_file"), Example: example("-ca.pem"), Variables: static.Variables(p.CA),
		About: "Authorities (PEM) of " + p.Name + "'s certificate; by default the system's", Value: static.Text(&c.CAFile)})
	if p.Cert == "" {
		return out
	}
	return slices.Concat(out, []static.Setting{
		{Path: path("client_cert_file"), Example: example("-client.pem"), Variables: static.Variables(p.Cert),
			About: "Certificate (PEM) that is shown to " + p.Name + " when it asks for one", Value: static.Text(&c.CertFile)},
		{Path: path("client_key_file"), Example: example("-client.key"), Variables: static.Variables(p.Key),
			About: "Key (PEM) of that certificate", Value: static.Text(&c.KeyFile)},
	})
}

// enabled derives the default of TLS from the addresses of the server.
func (p Peer) enabled() (text, because string) {
	if p.Beyond != nil && p.Beyond() {
		return "true", "an address is not this machine"
	}
	return "", ""
}

// Opener reads the files of a Config. It is New, or a Watcher's Open, which follows the files too.
type Opener func(Peer, Config) (*Source, error)

// Client returns the TLS of connections to the server. It is nil for plain TCP; for a server with a URL it is nil when no file is set,
// which trusts the system's authorities.
func (p Peer) Client(c Config, open Opener) (Client, error) {
	if p.URL && !c.any() || !p.URL && !c.Enabled {
		return nil, nil
	}
	s, err := open(p, c)
	if err != nil {
		return nil, err
	}
	return s.Client(), nil
}

// any reports whether a file is set.
func (c Config) any() bool { return c.CAFile != "" || c.CertFile != "" || c.KeyFile != "" }
