package cli

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net"
	"os"
	"strings"

	"github.com/spf13/pflag"

	"github.com/muttproject/mutt/app"
	"github.com/muttproject/mutt/platform/connect"
	"github.com/muttproject/mutt/platform/fault"
)

// trustFlags say which authorities a command accepts certificates of.
type trustFlags struct{ caFile string }

func (f *trustFlags) addTo(fl *pflag.FlagSet) {
	fl.StringVar(&f.caFile, "ca-file", "", "authorities (PEM) of the server's certificate, for an https address (also MUTT_CA_FILE; default: the system's)")
}

// config returns the TLS of connections to a host. listener is what is spoken to: on this machine its own certificate is accepted, as the
// settings name it, regardless of who issued it and for whatever name.
func (f *trustFlags) config(s streams, host, listener string) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	from, file := "--ca-file", f.caFile
	if file == "" {
		from, file = "MUTT_CA_FILE", lookup(s.environ, "MUTT_CA_FILE")
	}
	if file != "" {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, fault.Wrap(fault.ConfigInvalid, err, "%s: the file cannot be read", from)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(text) {
			return nil, fault.New(fault.ConfigInvalid, "%s: %s holds no certificate in PEM form", from, file)
		}
		return c, nil
	}
	if connect.ThisMachine(host) {
		ownCertificate(c, s, host, listener)
	}
	return c, nil
}

// ownCertificate accepts the certificate of a listener of this machine's MUTT, too. Without one, or when this user cannot read it, the
// configuration stays as it is.
func ownCertificate(c *tls.Config, s streams, host, listener string) {
	cfg := localConfig(s)
	text, err := os.ReadFile(cfg.SpeaksTLS(listener))
	if err != nil {
		return
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return
	}
	own, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return
	}
	if c.RootCAs, err = x509.SystemCertPool(); err != nil {
		c.RootCAs = x509.NewCertPool()
	}
	c.RootCAs.AddCert(own) // not its chain: an authority's other certificates are not this machine's
	if own.VerifyHostname(host) == nil {
		return
	}
	switch {
	case len(own.DNSNames) > 0:
		c.ServerName = strings.Replace(own.DNSNames[0], "*", "mutt", 1)
	case len(own.IPAddresses) > 0:
		c.ServerName = own.IPAddresses[0].String()
	}
}

// localConfig returns the settings of a MUTT that is configured as this command is.
func localConfig(s streams) *app.Config {
	cfg, _, _ := app.Load(app.Sources{Search: app.ConfigFiles(), Environ: s.environ}) // a fault elsewhere in it does not matter here
	return &cfg
}

// localURL returns the URL of a listener of a MUTT of this machine, at its standard port.
func localURL(s streams, listener, port string) string {
	if localConfig(s).SpeaksTLS(listener) != "" {
		return "https://" + net.JoinHostPort("127.0.0.1", port)
	}
	return "http://" + net.JoinHostPort("127.0.0.1", port)
}
