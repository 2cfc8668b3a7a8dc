// Package gcpckms stands in for the wrapper of Google Cloud KMS, which a test server does not unseal with.
package gcpckms

import wrapping "github.com/hashicorp/go-kms-wrapping/v2"

// NewWrapper gives none; only a seal of this kind would ask for it.
func NewWrapper() wrapping.Wrapper { return nil }
