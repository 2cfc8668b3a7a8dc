package tlsconf

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"time"
)

// Settings are the names of a server's settings, for remedies.
type Settings struct{ Enabled, CA, Cert, Key string }

// Explain gives an error of TLS in the operator's words: what is wrong with the connection to a server, and what to do. ok is false when the
// error is none of TLS.
func Explain(err error, server string, s Settings) (message, remedy string, ok bool) {
	var untrusted *tls.CertificateVerificationError
	var plain tls.RecordHeaderError
	switch {
	case errors.As(err, &untrusted):
		message, remedy = unverified(untrusted.Err, server, s)
	case errors.As(err, &plain):
		message, remedy = server+" does not speak TLS", "check "+s.Enabled+" and the port"
	case errors.Is(err, ErrNotShown):
		message, remedy = server+" asks for a client certificate", "set "+s.Cert+" and "+s.Key+" to a certificate of an authority that the server trusts"
	case errors.Is(err, ErrNotLiked):
		message, remedy = server+" does not accept the client certificate", "check "+s.Cert+": its dates, and that the server trusts its authority"
	default:
		return "", "", false
	}
	return message, remedy, true
}

func unverified(err error, server string, s Settings) (message, remedy string) {
	var invalid x509.CertificateInvalidError
	var name x509.HostnameError
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		c := invalid.Cert
		if time.Now().Before(c.NotBefore) {
			return "the certificate of " + server + " is not valid before " + c.NotBefore.UTC().Format(time.RFC3339), "check the clocks of both machines"
		}
		return "the certificate of " + server + " expired at " + c.NotAfter.UTC().Format(time.RFC3339), "renew the server's certificate"
	case errors.As(err, &name):
		return "the certificate of " + server + " is not trusted: it does not name this host", "give the name that is in the server's certificate, or have it issued for this one"
	default:
		return "the certificate of " + server + " is not trusted", "check " + s.CA + " and the names in the server's certificate"
	}
}
