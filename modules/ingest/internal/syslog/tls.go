package syslog

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"strings"
	"time"

	"github.com/muttproject/mutt/platform/netguard"
)

// handshakeWithin bounds a TLS handshake.
const handshakeWithin = 10 * time.Second

// errNoName refuses a client certificate of which no name can be the hostname of the lines. Its common name is not believed: authorities
// do not check it.
var errNoName = errors.New("the client certificate names no host: it needs a DNS name or an address as subjectAltName")

// shakeHands makes the handshake of a connection over TLS, and returns the hostname of the peer's certificate; "" when the peer need not
// show one, when the connection is in clear text, and for a trusted relay, which sends the lines of others.
func (s *tcpServer) shakeHands(ctx context.Context, conn net.Conn) (verified string, err error) {
	over, ok := conn.(*tls.Conn)
	if !ok {
		return "", nil
	}
	ctx, cancel := context.WithTimeout(ctx, handshakeWithin)
	defer cancel()
	if err = over.HandshakeContext(ctx); err == nil {
		if shown := over.ConnectionState().PeerCertificates; len(shown) > 0 {
			if verified = nameOf(shown[0]); verified == "" {
				err = errNoName
			}
		}
	}
	if err != nil {
		s.endpoint.Failed(conn.RemoteAddr().String(), err.Error())
		return "", err
	}
	if netguard.Of(conn).Peer().Relay {
		return "", nil
	}
	return verified, nil
}

// nameOf returns the first DNS name of a certificate that is one host's, else its first address.
func nameOf(c *x509.Certificate) string {
	for _, name := range c.DNSNames {
		if name = strings.TrimSuffix(name, "."); canBeHost(name) {
			return name
		}
	}
	if len(c.IPAddresses) > 0 {
		return c.IPAddresses[0].String()
	}
	return ""
}
