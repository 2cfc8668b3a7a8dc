package tlsconf

import (
	"crypto/tls"
	"crypto/x509"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/config/static"
)

// soonListener is how long before its end the certificate of a listener is reported: senders stop when it ends.
const soonListener = 14 * 24 * time.Hour

// ListenerConfig holds the settings of TLS on one listener of this process, or the default of all listeners.
type ListenerConfig struct {
	CertFile     string // PEM, with its chain; static.Off keeps the listener in clear text
	KeyFile      string // PEM
	ClientCAFile string // PEM; when set, a client must show a certificate of these authorities
}

// section returns the section of the settings of a listener; that of the default for "".
func section(listener string) string {
	if listener == "" {
		return "listeners.tls"
	}
	return "listeners." + listener + "_tls"
}

// ListenerSettings declares the settings of TLS on a listener, "ingest", or with "" the default of all listeners.
func ListenerSettings(listener string, c *ListenerConfig) []static.Setting {
	variable, cert, key, ca := "MUTT_TLS_", "Certificate (PEM) with its chain of every listener that has none of its own; it turns TLS on",
		"Key (PEM) of that certificate", "Authorities (PEM) of the certificates that senders of syslog over TLS must show; HTTP listeners do not use this default"
	if listener != "" {
		variable = "MUTT_" + strings.TrimSuffix(strings.ToUpper(listener), "_TLS") + "_TLS_"
		cert = "Certificate (PEM) of the " + listener + " listener instead of listeners.tls.cert_file; off keeps this listener in clear text"
		ca = "Authorities (PEM) of the certificates that clients of the " + listener + " listener must show"
	}
	return []static.Setting{
		{Path: section(listener) + ".cert_file", Example: "/etc/mutt/tls.pem", Variables: static.Variables(variable + "CERT_FILE"), About: cert, Value: static.Text(&c.CertFile)},
		{Path: section(listener) + ".key_file", Example: "/etc/mutt/tls.key", Variables: static.Variables(variable + "KEY_FILE"), About: key, Value: static.Text(&c.KeyFile)},
		{Path: section(listener) + ".client_ca_file", Example: "/etc/mutt/clients-ca.pem", Variables: static.Variables(variable + "CLIENT_CA_FILE"),
			About: ca, Value: static.Text(&c.ClientCAFile)},
	}
}

// Over returns the settings in force for a listener: its own, and those of the default that it does not have. A certificate and its key come from the same section.
func (c ListenerConfig) Over(common ListenerConfig) ListenerConfig {
	if c.CertFile == "" && c.KeyFile == "" {
		c.CertFile, c.KeyFile = common.CertFile, common.KeyFile
	}
	if c.ClientCAFile == "" {
		c.ClientCAFile = common.ClientCAFile
	}
	return c
}

// On reports whether the listener speaks TLS with these settings.
func (c ListenerConfig) On() bool {
	return c.CertFile != static.Off && (c.CertFile != "" || c.KeyFile != "")
}

// newListenerSource reads the files of a listener, whose settings are own where it has some, else common.
func newListenerSource(listener string, own, common ListenerConfig, protocols []string) (*Source, error) {
	c := own.Over(common)
	setting := func(given string, key string) string {
		if given == "" {
			return section("") + "." + key
		}
		return section(listener) + "." + key
	}
	cert := setting(own.CertFile+own.KeyFile, "cert_file")
	return newSource(&Source{about: zap.String("listener", listener), certificate: "the certificate of MUTT's listeners (" + cert + ")", soon: soonListener,
		ca: file{c.ClientCAFile, setting(own.ClientCAFile, "client_ca_file")}, cert: file{c.CertFile, cert}, key: file{c.KeyFile, setting(own.CertFile+own.KeyFile, "key_file")},
		complete: func(conf *tls.Config, authorities *x509.CertPool) {
			conf.NextProtos = protocols
			if authorities != nil {
				// A resumed session would skip the question for the certificate.
				conf.ClientCAs, conf.ClientAuth, conf.SessionTicketsDisabled = authorities, tls.RequireAndVerifyClientCert, true
			}
		}})
}
