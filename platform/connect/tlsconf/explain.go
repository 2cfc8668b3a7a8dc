package tlsconf

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"time"
)

// Explain puts an error of TLS in the operator's words: what is wrong with the connection to the server, and what to do. ok is false when
// the error is not one of TLS.
func (p Peer) Explain(err error) (message, remedy string, ok bool) {
	var untrusted *tls.CertificateVerificationError
	var plain tls.RecordHeaderError
	switch {
	case errors.As(err, &untrusted):
		message, remedy = p.unverified(untrusted.Err)
	case errors.As(err, &plain), errors.Is(err, ErrNoTLS):
		message, remedy = p.Name+" does not speak TLS", p.AllowClearText()
	case errors.Is(err, ErrNotShown):
		message, remedy = p.Name+" asks for a client certificate", "set "+p.Cert+" and "+p.Key+" to a certificate of an authority that the server trusts"
	case errors.Is(err, ErrNotLiked):
		message, remedy = p.Name+" does not accept the client certificate", "check "+p.Cert+": its dates, and that the server trusts its authority"
	default:
		return "", "", false
	}
	return message, remedy, true
}

func (p Peer) unverified(err error) (message, remedy string) {
	var invalid x509.CertificateInvalidError
	var name x509.HostnameError
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		c := invalid.Cert
		if time.Now().Before(c.NotBefore) {
			return "the certificate of " + p.Name + " is not valid before " + c.NotBefore.UTC().Format(time.RFC3339), "check the clocks of both machines"
		}
		return "the certificate of " + p.Name + " expired at " + c.NotAfter.UTC().Format(time.RFC3339), "renew the server's certificate"
	case errors.As(err, &name):
		return "the certificate of " + p.Name + " is not trusted: it does not name this host", "give the name that is in the server's certificate, or have it issued for this one"
	default:
		remedy = "set " + p.CA + " to the file of the authority that issued it"
		if !p.URL {
			remedy += "; only where clear text is meant, set " + p.Enabled + "=false"
		}
		return "the certificate of " + p.Name + " is not trusted", remedy
	}
}

// AllowClearText says what to do about a server that does not speak TLS.
func (p Peer) AllowClearText() string {
	if p.URL {
		return "check " + p.Enabled + " and the port"
	}
	return "turn TLS on at the server, with " + p.CA + " for its authority, or set " + p.Enabled + "=false to talk to it in clear text: " +
		"TLS is on by default unless every address is this machine"
}
