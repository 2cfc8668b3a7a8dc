// Package ocikms stands in for the wrapper of OCI KMS, which a test server does not unseal with.
package ocikms

import wrapping "github.com/hashicorp/go-kms-wrapping/v2"

// NewWrapper gives none; only a seal of this kind would ask for it.
func NewWrapper() wrapping.Wrapper { return nil }

// Names of settings that Vault refers to.
const (
	KmsConfigKeyId              = "key_id"
	KmsConfigCryptoEndpoint     = "crypto_endpoint"
	KmsConfigManagementEndpoint = "management_endpoint"
)
