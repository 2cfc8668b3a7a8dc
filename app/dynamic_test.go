package app

import (
	"encoding/json"
	"testing"
)

// Every owner's keys are described and have a default that passes their own check. No test of a single owner sees them all.
func TestDynamicKeysAreWellDeclared(t *testing.T) {
	t.Parallel()
	keys := DynamicKeys()
	for _, k := range keys {
		if k.Description == "" || len(k.Readers) == 0 {
			t.Errorf("%s is not described, or read by no role", k.Name)
		}
		raw, err := json.Marshal(k.Default)
		if err != nil {
			t.Fatal(err)
		}
		if v, err := k.Parse(raw); err != nil || v != k.Default {
			t.Errorf("%s: its default %v does not pass its own check: %v %v", k.Name, k.Default, v, err)
		}
	}
	if len(keys) < 49 {
		t.Errorf("only %d keys are declared", len(keys))
	}
}
