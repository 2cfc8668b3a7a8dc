package app

import (
	"strings"

	"go.uber.org/zap"

	"github.com/muttproject/mutt/modules/ui"
	"github.com/muttproject/mutt/platform/config/static"
	"github.com/muttproject/mutt/platform/connect"
	"github.com/muttproject/mutt/platform/connect/tlsconf"
	"github.com/muttproject/mutt/platform/httpserver"
	"github.com/muttproject/mutt/platform/lifecycle"
	"github.com/muttproject/mutt/platform/trouble"
)

// Names of listeners, as their settings of TLS have them.
const (
	AdminListener     = ui.AdminListener
	IngestListener    = ui.IngestListener
	SyslogTLSListener = "syslog_tls"
	opsListener       = "ops"
)

// listenerTLS returns the settings of TLS for a listener, its own and those of all listeners. The default authorities of clients
// concern syslog only: a caller of HTTP has a key, and browsers and probes have no certificate.
func (c *Config) listenerTLS(listener string) (own, common tlsconf.ListenerConfig) {
	if listener == SyslogTLSListener {
		return c.Ingest.SyslogTLS, c.TLS
	}
	common = c.TLS
	common.ClientCAFile = ""
	switch listener {
	case IngestListener:
		own = c.Ingest.TLS
	case AdminListener:
		own = c.UI.TLS
	case opsListener:
		own = c.Ops.TLS
	}
	return own, common
}

// SpeaksTLS returns the file of the certificate that a listener shows; "" when it speaks clear text.
func (c *Config) SpeaksTLS(listener string) (certFile string) {
	own, common := c.listenerTLS(listener)
	if in := own.Over(common); in.On() {
		return in.CertFile
	}
	return ""
}

// syslogTLSAddr derives the address of syslog over TLS: it is open when there is a certificate for it.
func (c *Config) syslogTLSAddr() (text, because string) {
	if c.SpeaksTLS(SyslogTLSListener) == "" {
		return "", ""
	}
	return "0.0.0.0:6514", "a certificate is configured"
}

// checkListeners lists what contradicts itself in the settings of TLS.
func (c *Config) checkListeners() (wrong []string) {
	if c.Ingest.SyslogTLSAddr != Off && c.SpeaksTLS(SyslogTLSListener) == "" {
		wrong = append(wrong, "listeners.syslog_tls needs a certificate: set listeners.tls.cert_file and listeners.tls.key_file")
	}
	for _, listener := range []string{IngestListener, AdminListener, opsListener} {
		if own, common := c.listenerTLS(listener); own.ClientCAFile != "" && !own.Over(common).On() {
			wrong = append(wrong, "listeners."+listener+"_tls.client_ca_file needs a certificate of the listener: set listeners.tls.cert_file and listeners.tls.key_file")
		}
	}
	return wrong
}

// http returns one HTTP listener; nil when its address is off.
func (p *parts) http(o httpserver.Options, routes []httpserver.Route) (lifecycle.Service, error) {
	if o.Addr == Off {
		return nil, nil
	}
	own, common := p.opts.Config.listenerTLS(o.Name)
	endpoint, err := p.tls.Listen(o.Name, own, common, httpserver.Protocols()...)
	if err != nil {
		return nil, err
	}
	o.Logger, o.Gate, o.Door, o.TLS, o.Hosts = p.opts.Logger.Named(o.Name), p.gate, p.guard.HTTPDoor(o.Name), endpoint, p.opts.Config.Hosts
	s := httpserver.New(o, routes...)
	p.servers = append(p.servers, s)
	return s, nil
}

// clearText lists the listeners that take keys in clear text from other machines.
func (c *Config) clearText(roles RoleSet) (open []string) {
	for _, l := range []struct {
		name, addr string
		role       Role
		protected  bool
	}{
		{name: IngestListener, addr: c.Ingest.Addr, role: Ingestor},
		{name: AdminListener, addr: c.UI.Addr, role: UI, protected: c.UI.SecureCookies},
		{name: opsListener, addr: c.Ops.Addr, protected: !c.Ops.RemoteProfiles}, // no other route takes a key
	} {
		if l.addr != Off && !l.protected && (l.role == "" || roles.Has(l.role)) && c.SpeaksTLS(l.name) == "" && !connect.ThisMachine(l.addr) {
			open = append(open, l.name)
		}
	}
	return open
}

// reportClearText says once at the start which listeners take keys in clear text from other machines, and keeps a warning in /health
// when the keys are administrators'. Keys of senders alone cause no lasting warning: the ingest listener is open to the network by default.
func (p *parts) reportClearText() {
	open := p.opts.Config.clearText(p.opts.Roles)
	if len(open) == 0 {
		return
	}
	const remedy = "set listeners.tls.cert_file and listeners.tls.key_file; for the admin listener behind a proxy that speaks TLS, admin.secure_cookies"
	p.opts.Logger.Warn("API keys reach listeners in clear text from other machines", zap.Strings("listeners", open), zap.String("remedy", remedy))
	admin := open[:0:0]
	for _, name := range open {
		if name != IngestListener {
			admin = append(admin, name)
		}
	}
	if len(admin) > 0 {
		warning := "keys of administrators reach the listener " + strings.Join(admin, " and ") + " in clear text from other machines"
		p.health.AddNote("clear text", warning, trouble.Advice{Consequence: "a person who reads the traffic has the rights of an administrator",
			Remedy: remedy, Runbook: "access"})
	}
}

// derive sets how the default of a setting follows from others.
func derive(table []static.Setting, path string, from func() (text, because string)) {
	for i := range table {
		if table[i].Path == path {
			table[i].Derive = from
		}
	}
}
