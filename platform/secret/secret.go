// Package secret holds the type that every password and key has inside MUTT.
//
// Principles:
//  1. A Secret prints as [redacted] in every formatter, JSON, YAML, panic and log; only Reveal gives its text. Inside a private
//     field, where fmt asks no method of it, it prints as a pointer.
//  2. Reveal is called where the secret leaves the process, and nowhere else.
package secret

import (
	"crypto/subtle"
	"fmt"
)

// Redacted is what a Secret prints as.
const Redacted = "[redacted]"

// Secret is a text that does not show itself. The zero Secret is empty.
type Secret struct{ text *string }

// New makes a Secret.
func New(text string) Secret { return Secret{&text} }

// Reveal gives the text.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// Empty reports whether there is no text.
func (s Secret) Empty() bool { return s.Reveal() == "" }

// Equal compares in constant time.
func (s Secret) Equal(o Secret) bool {
	return subtle.ConstantTimeCompare([]byte(s.Reveal()), []byte(o.Reveal())) == 1
}

// String hides the text.
func (s Secret) String() string { return Redacted }

// GoString hides the text from %#v.
func (s Secret) GoString() string { return Redacted }

// Format hides the text from every verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(Redacted)) }

// MarshalText hides the text from encoders.
func (s Secret) MarshalText() ([]byte, error) { return []byte(Redacted), nil }

// MarshalJSON hides the text from encoding/json.
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + Redacted + `"`), nil }

// MarshalYAML hides the text from YAML encoders.
func (s Secret) MarshalYAML() (any, error) { return Redacted, nil }
