package app

import (
	"unicode/utf8"

	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/secret"
	"github.com/muttproject/mutt/platform/secret/secrets"
)

// leastKey is how many characters a key that MUTT did not generate must have. What a key is made of cannot be seen; its length is the
// least that can be asked for against guessing.
const leastKey = 20

// insecureKeys warns of the setting that lets unsafe keys in.
const insecureKeys = "MUTT_INSECURE_KEYS=true allows API keys that are easy to guess, and one key for senders and administrators: remove it outside a lab"

// givenKey is a key that an operator chose, and where it is.
type givenKey struct {
	name   secrets.Key
	origin string
	value  secret.Secret
}

// givenKeys returns the keys of senders and of administrators that a set has.
func givenKeys(set *secrets.Set) (ingest, admin []givenKey) {
	of := func(names ...secrets.Key) (out []givenKey) {
		for _, k := range names {
			if v := set.Secret(k); !v.Empty() {
				out = append(out, givenKey{k, set.Origin(k), v})
			}
		}
		return out
	}
	return of(secrets.IngestKey, secrets.IngestKeyNext), of(secrets.AdminKey, secrets.AdminKeyNext)
}

// unsafeKeys returns the keys that must not let anyone in, and why: those that are easy to guess, and those that would make every
// sender an administrator.
func unsafeKeys(ingest, admin []givenKey) map[secrets.Key]error {
	const remedy = "replace it with a key that 'mutt keys generate' prints; in a lab, MUTT_INSECURE_KEYS=true allows it"
	out := map[secrets.Key]error{}
	for _, keys := range [][]givenKey{ingest, admin} {
		for _, k := range keys {
			if n := utf8.RuneCountInString(k.value.Reveal()); n < leastKey {
				out[k.name] = fault.New(fault.SecretUnfit, "%s from %s is too short: it must have at least %d characters, and has %d", k.name, k.origin, leastKey, n).WithRemedy(remedy)
			}
		}
	}
	for _, i := range ingest {
		for _, a := range admin {
			if !i.value.Equal(a.value) {
				continue
			}
			same := fault.New(fault.SecretUnfit, "%s from %s and %s from %s must not be the same text: every sender would be an administrator", i.name, i.origin, a.name, a.origin).
				WithRemedy(remedy)
			out[i.name], out[a.name] = same, same
		}
	}
	return out
}
