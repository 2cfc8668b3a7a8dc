package vault

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	lib "github.com/hashicorp/vault-client-go"

	"github.com/muttproject/mutt/platform/connect"
	"github.com/muttproject/mutt/platform/connect/tlsconf"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/secret"
)

// Server says where Vault is.
type Server struct {
	Addr      string            // URL
	Namespace string            // of Vault Enterprise; "" for none
	TLS       tlsconf.Client    // of an https address; nil takes the system's authorities
	Exposure  *connect.Exposure // notes the connections of an http address; nil for none
}

// Times bound one call.
const (
	dialWithin   = 3 * time.Second
	answerWithin = 5 * time.Second
	keepAlive    = 15 * time.Second
)

// Client makes calls. It is safe for concurrent use.
type Client struct {
	// send calls the library. It is a function so that no type of ours refers to the library's client: the linker keeps every
	// method of what reflection can reach, which are 2,000 generated ones and 2.5 MB of the binary.
	send      func(context.Context, request, []lib.RequestOption) (*answer, error)
	namespace string
	idle      func() // closes connections that nobody uses
}

// NewClient makes a Client. It does no I/O.
func NewClient(s Server) (*Client, error) {
	dial := func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := (&net.Dialer{KeepAlive: keepAlive}).DialContext(ctx, network, addr)
		if err == nil && strings.HasPrefix(strings.ToLower(s.Addr), "http:") {
			s.Exposure.Connected(conn.RemoteAddr(), nil, true)
		}
		return conn, err
	}
	// A process asks twice a minute, so few connections are kept.
	transport := tlsconf.NewTransport(&http.Transport{Proxy: http.ProxyFromEnvironment, DialContext: dial, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout: dialWithin, ResponseHeaderTimeout: answerWithin, IdleConnTimeout: time.Minute, MaxIdleConns: 2, ForceAttemptHTTP2: true}, s.TLS)
	client := &http.Client{Transport: transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }} // the library follows one, never from https to http
	library, err := lib.New(lib.WithAddress(s.Addr), lib.WithHTTPClient(client), lib.WithRequestTimeout(answerWithin),
		lib.WithRetryConfiguration(lib.RetryConfiguration{RetryMax: -1}))
	if err != nil {
		return nil, fault.Wrap(fault.ConfigInvalid, err, "VAULT_ADDR: this is no address of a Vault")
	}
	send := func(ctx context.Context, r request, options []lib.RequestOption) (*answer, error) {
		if r.method == http.MethodGet {
			return library.Read(ctx, r.path, options...)
		}
		return library.Write(ctx, r.path, r.body, options...)
	}
	return &Client{send: send, namespace: s.Namespace, idle: transport.CloseIdleConnections}, nil
}

// Close ends idle connections.
func (c *Client) Close() { c.idle() }

// answer is what Vault gives; the zero answer stands for none.
type answer = lib.Response[map[string]any]

// request is one call.
type request struct {
	method string // GET or POST
	path   string // below /v1/
	token  secret.Secret
	body   map[string]any
	query  url.Values
}

// call makes a request. Its error is a *refusal when Vault answered with one; fail gives any error its meaning.
func (c *Client) call(ctx context.Context, r request) (*answer, error) {
	var options []lib.RequestOption
	if !r.token.Empty() {
		options = append(options, lib.WithToken(r.token.Reveal()))
	}
	if c.namespace != "" {
		options = append(options, lib.WithNamespace(c.namespace))
	}
	if r.query != nil {
		options = append(options, lib.WithQueryParameters(r.query))
	}
	a, err := c.send(ctx, r, options)
	if err != nil {
		return nil, refused(err)
	}
	if a == nil { // 204
		a = &answer{}
	}
	return a, nil
}
