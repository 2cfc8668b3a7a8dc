package httpx

import (
	"bytes"
	"encoding/base64"
	"net/http"
	"strings"

	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/secret"
)

// The schemes of Auth.
const (
	AuthBearer = "bearer" // Authorization: Bearer <key>
	AuthBasic  = "basic"  // Authorization: Basic, the key being the password (RFC 7617)
	AuthHeader = "header" // <Header>: <Prefix><key>
	AuthNone   = "none"
)

// Auth says how the destination wants its key.
type Auth struct {
	Scheme string // "" means bearer
	User   string // of basic
	Header string // of header
	Prefix string // of header, for example "Token "
}

// Validate lists what is wrong; the error is fault.ConfigInvalid.
func (a Auth) Validate() error {
	switch a.Scheme {
	case "", AuthBearer, AuthNone:
		return nil
	case AuthBasic:
		if a.User != "" && !strings.Contains(a.User, ":") {
			return nil
		}
		return fault.Field(fault.ConfigInvalid, "webhook_auth_user", "basic authentication needs a user, without a colon")
	case AuthHeader:
		if a.Header != "" && !strings.ContainsAny(a.Header, " :\r\n") && !strings.ContainsAny(a.Prefix, "\r\n") {
			return nil
		}
		return fault.Field(fault.ConfigInvalid, "webhook_auth_header", "%q is no header name", a.Header)
	}
	return fault.Field(fault.ConfigInvalid, "webhook_auth", "%q is not one of bearer, basic, header, none", a.Scheme)
}

// Credential is a key in the form that the destination wants.
type Credential struct {
	auth Auth
	key  func() secret.Secret
}

// NewCredential makes a Credential. key is asked at each request, so that a rotated key applies at once; while it gives
// an empty one nothing is added.
func NewCredential(a Auth, key func() secret.Secret) *Credential {
	if a.Scheme == AuthNone {
		return nil
	}
	return &Credential{a, key}
}

func (c *Credential) add(h http.Header) {
	if c == nil {
		return
	}
	k := c.key()
	if k.Empty() {
		return
	}
	switch c.auth.Scheme {
	case AuthBasic:
		h["Authorization"] = []string{"Basic " + c.basic(k)}
	case AuthHeader:
		h.Set(c.auth.Header, c.auth.Prefix+k.Reveal())
	default:
		h["Authorization"] = []string{"Bearer " + k.Reveal()}
	}
}

func (c *Credential) basic(k secret.Secret) string {
	return base64.StdEncoding.EncodeToString([]byte(c.auth.User + ":" + k.Reveal()))
}

// scrub strikes the key out of what the destination sent: it will be logged and kept.
func (c *Credential) scrub(b []byte) []byte {
	if c == nil || len(b) == 0 {
		return b
	}
	k := c.key()
	if k.Empty() {
		return b
	}
	b = bytes.ReplaceAll(b, []byte(k.Reveal()), []byte(secret.Redacted))
	return bytes.ReplaceAll(b, []byte(c.basic(k)), []byte(secret.Redacted))
}
