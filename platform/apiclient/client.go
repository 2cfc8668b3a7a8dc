// Package apiclient is the typed client of the admin API, and the one place where the shapes of its answers are
// written down: the server renders these types and the CLI reads them.
//
// Principles:
//  1. Every failure is a *fault.Error: the server's own with its remedy, or ServerUnreachable when nobody answers.
//  2. The key goes into a header of requests to the base URL only; redirects are not followed.
//  3. An answer is read up to a bound.
package apiclient

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/secret"
	"github.com/muttproject/mutt/platform/terminal"
)

// MaxAnswer bounds what is read of an answer, in bytes.
const MaxAnswer = 64 << 20

// Options configure a Client.
type Options struct {
	BaseURL   string        // of the admin listener, "http://127.0.0.1:8090"; a path before /api is kept
	Key       string        // sent as X-API-KEY; "" for none
	UserAgent string        // "mutt/2.5.0"
	Timeout   time.Duration // of one call; 0 for 30 s
	Transport http.RoundTripper
}

// Client calls one server. It is safe for concurrent use.
type Client struct {
	base *url.URL
	opts Options
	http http.Client
}

// New makes a Client. It does no I/O. A base URL that is not one is fault.ConfigInvalid, a key that no header carries is
// fault.SecretUnfit.
func New(o Options) (*Client, error) {
	base, err := url.Parse(o.BaseURL)
	if err != nil || base.Host == "" || (base.Scheme != "http" && base.Scheme != "https") {
		return nil, fault.Field(fault.ConfigInvalid, "server", "%q is no http or https URL", o.BaseURL).
			WithRemedy("give one like http://127.0.0.1:8090")
	}
	if o.Key, err = secret.HeaderValue.Fit(o.Key); err != nil {
		return nil, fault.New(fault.SecretUnfit, "the API key %s", err)
	}
	if o.Timeout == 0 {
		o.Timeout = 30 * time.Second
	}
	if o.UserAgent == "" {
		o.UserAgent = "mutt"
	}
	return &Client{base: base, opts: o, http: http.Client{
		Timeout:       o.Timeout,
		Transport:     o.Transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// WithKey returns a client of the same server with another key.
func (c *Client) WithKey(key string) (*Client, error) {
	o := c.opts
	o.Key = key
	return New(o)
}

// Call is one request.
type Call struct {
	Method      string
	Path        []string // elements below /api/v2, unescaped: {"rules", "7"}
	Query       url.Values
	Body        any    // nil for none, []byte as it is, else rendered as JSON
	ContentType string // of a []byte body
	Accept      string // "" for JSON
	IfMatch     int64  // a revision, 0 for none
	IfUnset     bool   // only when it is at revision 0: not set
	Reason      string // sent as X-Reason
}

// Do performs a call and decodes the answer into out (nil to drop it, *[]byte for its bytes).
func (c *Client) Do(ctx context.Context, call Call, out any) error {
	req, err := c.request(ctx, call)
	if err != nil {
		return err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return c.unreachable(ctx, err)
	}
	defer func() { _ = resp.Body.Close() }() // it was read to its end or is given up
	body, err := io.ReadAll(io.LimitReader(resp.Body, MaxAnswer+1))
	if err != nil {
		return c.unreachable(ctx, err)
	}
	if len(body) > MaxAnswer {
		return fault.New(fault.TooLarge, "the answer is longer than %d bytes", MaxAnswer)
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return c.refused(resp, body)
	}
	switch out := out.(type) {
	case nil:
		return nil
	case *[]byte:
		*out = body
		return nil
	default:
		if err := json.Unmarshal(body, out); err != nil {
			return fault.Wrap(fault.ServerUnreachable, err, "what answers at %s is no MUTT server", c.base.Redacted()).
				WithRemedy("check the address: the admin listener is meant, by default port 8090")
		}
		return nil
	}
}

func (c *Client) request(ctx context.Context, call Call) (*http.Request, error) {
	u := *c.base
	escaped := strings.TrimSuffix(u.EscapedPath(), "/") + "/api/v2"
	for _, part := range call.Path {
		escaped += "/" + url.PathEscape(part)
	}
	var err error
	if u.Path, err = url.PathUnescape(escaped); err != nil {
		return nil, fault.Wrap(fault.BadRequest, err, "the path cannot be written as a URL")
	}
	u.RawPath, u.RawQuery = escaped, call.Query.Encode()
	reason, err := secret.HeaderValue.Fit(call.Reason)
	if err != nil {
		return nil, fault.Field(fault.InvalidField, "reason", "%s", err)
	}
	body, contentType, err := encode(call)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, call.Method, u.String(), bytes.NewReader(body))
	if err != nil {
		return nil, fault.Wrap(fault.BadRequest, err, "the request cannot be made")
	}
	set := func(name, value string) {
		if value != "" {
			req.Header.Set(name, value)
		}
	}
	set("Content-Type", contentType)
	set("Accept", call.Accept)
	set("User-Agent", c.opts.UserAgent)
	set("X-API-KEY", c.opts.Key)
	set("X-Reason", reason)
	if call.IfMatch > 0 || call.IfUnset {
		set("If-Match", strconv.Quote(strconv.FormatInt(call.IfMatch, 10)))
	}
	return req, nil
}

func encode(call Call) (body []byte, contentType string, err error) {
	switch b := call.Body.(type) {
	case nil:
		return nil, "", nil
	case []byte:
		return b, call.ContentType, nil
	default:
		body, err = json.Marshal(b)
		if err != nil {
			return nil, "", fault.Wrap(fault.BadRequest, err, "the body cannot be written as JSON")
		}
		return body, "application/json", nil
	}
}

// unreachable gives a transport error its meaning. The caller's own cancellation stays what it is.
func (c *Client) unreachable(ctx context.Context, err error) error {
	if cause := ctx.Err(); errors.Is(cause, context.Canceled) {
		return fmt.Errorf("call %s: %w", c.base.Redacted(), cause)
	}
	if errors.Is(err, http.ErrSchemeMismatch) {
		return fault.Wrap(fault.ServerUnreachable, err, "what answers at %s speaks clear text", c.base.Redacted()).WithRemedy("begin the address with http://")
	}
	var untrusted *tls.CertificateVerificationError
	if !errors.As(err, &untrusted) {
		return fault.Wrap(fault.ServerUnreachable, err, "no MUTT server answers at %s", c.base.Redacted())
	}
	var name x509.HostnameError
	if errors.As(err, &name) {
		return fault.Wrap(fault.ServerUnreachable, err, "the certificate of the server does not name the host of %s", c.base.Redacted()).
			WithRemedy("give an address that the certificate names, or have a certificate issued for this one (subjectAltName)")
	}
	return fault.Wrap(fault.ServerUnreachable, err, "the certificate of the server at %s is not trusted", c.base.Redacted()).
		WithRemedy("give the authority of the certificate with --ca-file FILE, or in MUTT_CA_FILE")
}

// answerError is the error form of httpserver.
type answerError struct {
	Error   string `json:"error"`
	Message string `json:"message"`
	Code    string `json:"code"`
	Field   string `json:"field"`
	Remedy  string `json:"remedy"`
}

// maxSaid bounds what is shown of one member of an error answer, in columns.
const maxSaid = 2000

// refused turns an error answer into a fault. A foreign answer (a proxy's page) keeps its status.
func (c *Client) refused(resp *http.Response, body []byte) error {
	var a answerError
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if kind != "application/json" || json.Unmarshal(body, &a) != nil || a.Code == "" {
		return fault.New(fault.ServerUnreachable, "%s answers %s, which is no answer of MUTT", c.base.Redacted(), resp.Status).
			WithRemedy("check the address: the admin listener is meant, by default port 8090")
	}
	// What answers may be somebody else: its words stay in their line.
	said := func(text string) string { return terminal.Cut(terminal.Line(text), maxSaid) }
	f := &fault.Error{Code: fault.Code(said(a.Code)), Message: said(a.Message), Field: said(a.Field), Remedy: said(a.Remedy)}
	if f.Message == "" {
		f.Message = a.Error
	}
	if secs, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && secs > 0 {
		f.RetryAfter = time.Duration(secs) * time.Second
	}
	return f
}
