// Package configs holds example configurations and scripts. Only the starter rules are compiled into the binary, for 'mutt demo'.
//
// Principles:
//  1. Every file here is checked by a test; the rules carry examples that are run, and scripts are run (app/acceptance).
package configs

import _ "embed"

// StarterRules is rules/starter.yaml.
//
//go:embed rules/starter.yaml
var StarterRules []byte
