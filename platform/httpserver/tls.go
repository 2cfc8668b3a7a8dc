package httpserver

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/connect/tlsconf"
	"github.com/muttproject/mutt/platform/fault"
)

// Protocols lists what a listener with TLS offers by ALPN.
func Protocols() []string { return []string{"h2", "http/1.1"} }

// httpsHint returns the answer to a client that sent HTTP in clear text to a listener with TLS, in the error form of every answer.
func httpsHint() []byte {
	body, err := json.Marshal(apiclient.Error{Error: "this port speaks HTTPS, and the request came in clear text",
		Message: "this port speaks HTTPS, and the request came in clear text", Code: string(fault.BadRequest),
		Remedy: "begin the URL with https://; what the request held, a key too, crossed the network in clear text"})
	if err != nil {
		panic(err) // it is a constant
	}
	return fmt.Appendf(nil, "HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s",
		len(body), body)
}

// handshakeLog counts the handshakes whose failure net/http reports to its error log, which is the only place where it does. The rest of
// that log is about peers that broke the protocol or left.
type handshakeLog struct{ endpoint *tlsconf.Endpoint }

func (h handshakeLog) Write(line []byte) (int, error) {
	if rest, ok := strings.CutPrefix(string(line), "http: TLS handshake error from "); ok && h.endpoint.TLS() {
		peer, why, _ := strings.Cut(strings.TrimSuffix(rest, "\n"), ": ")
		h.endpoint.Failed(peer, why)
	}
	return len(line), nil
}
