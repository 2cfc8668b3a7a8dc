// Package awskms stands in for the wrapper of AWS KMS, which a test server does not unseal with.
package awskms

import (
	"github.com/hashicorp/go-hclog"
	wrapping "github.com/hashicorp/go-kms-wrapping/v2"
)

// NewWrapper gives none; only a seal of this kind would ask for it.
func NewWrapper() wrapping.Wrapper { return nil }

// WithLogger is an option of nothing.
func WithLogger(hclog.Logger) wrapping.Option {
	return func() any { return nil }
}
