package httpx

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"unicode"

	"golang.org/x/net/http/httpguts"

	"github.com/muttproject/mutt/platform/config/static"
	"github.com/muttproject/mutt/platform/secret"
)

// Scheme names a form in which a destination takes its key.
type Scheme string

// The schemes.
const (
	AuthBearer Scheme = "bearer" // Authorization: Bearer <key>
	AuthBasic  Scheme = "basic"  // Authorization: Basic, the key is the password (RFC 7617)
	AuthHeader Scheme = "header" // <Header>: <Prefix> <key>
	AuthNone   Scheme = "none"
)

// Auth holds the static settings of how the destination takes its key.
type Auth struct {
	Scheme Scheme
	User   string // with AuthBasic
	Header string // with AuthHeader
	Prefix string // with AuthHeader
}

// Settings declares the settings.
func (a *Auth) Settings() []static.Setting {
	return []static.Setting{
		{Path: "forward.auth_scheme", Default: string(AuthBearer), Variables: static.Variables("MOOG_AUTH_SCHEME"),
			About: "How the key is sent: bearer and basic use the header Authorization, with basic the key is the password; header uses forward.auth_header; none sends no key",
			Value: static.OneOf(&a.Scheme, AuthBearer, AuthBasic, AuthHeader, AuthNone)},
		{Path: "forward.auth_user", Example: "mutt", Variables: static.Variables("MOOG_AUTH_USER"), About: "User with the scheme basic", Value: userName(&a.User)},
		{Path: "forward.auth_header", Example: "X-API-Key", Variables: static.Variables("MOOG_AUTH_HEADER"),
			About: "Header that holds the key with the scheme header", Value: headerName(&a.Header)},
		{Path: "forward.auth_prefix", Example: "Token", Variables: static.Variables("MOOG_AUTH_PREFIX"),
			About: "Text before the key with the scheme header; a space separates them unless the text ends with = or :", Value: headerText(&a.Prefix)},
	}
}

// Check lists what contradicts itself or is missing.
func (a *Auth) Check() (wrong []string) {
	for _, s := range []struct {
		value, variable string
		scheme          Scheme
		needed          bool
	}{{a.User, "MOOG_AUTH_USER", AuthBasic, true}, {a.Header, "MOOG_AUTH_HEADER", AuthHeader, true}, {a.Prefix, "MOOG_AUTH_PREFIX", AuthHeader, false}} {
		switch {
		case a.Scheme == s.scheme && s.value == "" && s.needed:
			wrong = append(wrong, fmt.Sprintf("MOOG_AUTH_SCHEME is %s: set %s too", s.scheme, s.variable))
		case a.Scheme != s.scheme && s.value != "":
			wrong = append(wrong, fmt.Sprintf("%s is set and has no effect: set MOOG_AUTH_SCHEME to %s, or leave it out", s.variable, s.scheme))
		}
	}
	return wrong
}

func userName(field *string) static.Value {
	return static.NewValue("a user name without a colon", func(text string) error {
		if strings.Contains(text, ":") {
			return errors.New("takes a user name without a colon; the password belongs into MOOG_API_KEY")
		}
		*field = text
		return nil
	}, func() any { return *field })
}

// headerName takes the name of a header that belongs to nobody else.
func headerName(field *string) static.Value {
	return static.NewValue("the name of an HTTP header", func(text string) error {
		const more = "!#$%&'*+-.^_`|~" // RFC 9110, section 5.6.2
		letter := func(r rune) bool {
			return r < 128 && (unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune(more, r))
		}
		if strings.ContainsFunc(text, func(r rune) bool { return !letter(r) }) {
			return fmt.Errorf("takes the name of an HTTP header such as X-API-Key, not %q", text)
		}
		switch name := http.CanonicalHeaderKey(text); name {
		case "Host", "Connection", "Content-Encoding", "Content-Length", "Content-Type", "Expect", "Keep-Alive", "Proxy-Authorization", "Proxy-Connection",
			"Te", "Trailer", "Transfer-Encoding", "Upgrade", "User-Agent":
			return fmt.Errorf("takes the name of a header for the key; %s has another purpose", name)
		}
		*field = text
		return nil
	}, func() any { return *field })
}

func headerText(field *string) static.Value {
	return static.NewValue("a text in ASCII", func(text string) error {
		if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' }) {
			return fmt.Errorf("takes a text in ASCII such as Token, not %q", text)
		}
		*field = strings.TrimRight(text, " ")
		return nil
	}, func() any { return *field })
}

// Credential is a key in the form that the destination wants.
type Credential struct {
	auth Auth
	key  func() secret.Secret
}

// NewCredential returns a Credential; nil for AuthNone. key is asked at each request, so that a rotated key applies at once; while it
// returns an empty one nothing is added.
func NewCredential(a Auth, key func() secret.Secret) *Credential {
	if a.Scheme == AuthNone {
		return nil
	}
	if a.Prefix != "" && !strings.HasSuffix(a.Prefix, "=") && !strings.HasSuffix(a.Prefix, ":") {
		a.Prefix += " "
	}
	return &Credential{a, key}
}

// add puts the key into the headers of a request. A key that cannot stand there is an error of the secret, not of the network.
func (c *Credential) add(h http.Header) error {
	if c == nil {
		return nil
	}
	k := c.key()
	if k.Empty() {
		return nil
	}
	name, value := "Authorization", "Bearer "+k.Reveal()
	switch c.auth.Scheme {
	case AuthBasic:
		value = "Basic " + c.basic(k)
	case AuthHeader:
		name, value = c.auth.Header, c.auth.Prefix+k.Reveal()
	}
	if !httpguts.ValidHeaderFieldValue(value) {
		return fmt.Errorf("%w: MOOG_API_KEY holds a line end or another control character; correct the secret", ErrCredential)
	}
	h.Set(name, value)
	return nil
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
