// Package secrets is where the passwords and keys of a process come from: Vault, files, the environment.
//
// Principles:
//  1. Of the providers the first one that has a key gives it. One that cannot be asked never lets a key fall through to the next:
//     what it gave last stays in force, and before it gave anything there is no set at all.
//  2. The secrets in force are one immutable Set behind an atomic pointer. Readers take no lock and do no I/O.
//  3. What is told of a secret is its name, its provider and its version, never its value nor anything made from it.
//  4. Whatever its provider, a secret is cleaned and checked for its use in one place (settle). An unfit one stops the start; in a
//     running process the value in force stays.
package secrets

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/secret"
)

// Key names a secret, the same with every provider.
type Key string

// The keys (contracts.md, section 7).
const (
	DBUser        Key = "DB_USER"
	DBUserNext    Key = "DB_USER_NEXT"
	DBPass        Key = "DB_PASS_CURRENT"
	DBPassNext    Key = "DB_PASS_NEXT"
	RedisPass     Key = "REDIS_PASS_CURRENT"
	RedisPassNext Key = "REDIS_PASS_NEXT"
	IngestKey     Key = "INGEST_API_KEY"
	IngestKeyNext Key = "INGEST_API_KEY_NEXT"
	AdminKey      Key = "WEBUI_API_KEY"
	AdminKeyNext  Key = "WEBUI_API_KEY_NEXT"
	MoogKey       Key = "MOOG_API_KEY"
	MoogURL       Key = "MOOG_WEBHOOK_URL" // for a URL that has a credential in its query
)

// Keys lists every key, in the order of documents and tables.
func Keys() []Key {
	return []Key{DBUser, DBUserNext, DBPass, DBPassNext, RedisPass, RedisPassNext, IngestKey, IngestKeyNext, AdminKey, AdminKeyNext, MoogKey, MoogURL}
}

// legacy gives the older name of a key, which a provider may use instead; "" when there is none.
func legacy(k Key) Key {
	switch k {
	case DBPass:
		return "DB_PASS"
	case RedisPass:
		return "REDIS_PASS"
	default:
		return ""
	}
}

// Version tells one value of a key from the others that its provider gave. Equal versions mean equal values within a
// process; another version may hold the same value.
type Version struct {
	Provider string
	Number   int64 // Vault: the version of the KV path, the same in every process; files: the time of change in ms since 1970
}

// String gives "vault:7"; "" for the zero Version, which stands for no value.
func (v Version) String() string {
	if v.Provider == "" {
		return ""
	}
	return v.Provider + ":" + strconv.FormatInt(v.Number, 10)
}

// ParseVersion reads what String gave; the zero Version when it is nothing of the kind.
func ParseVersion(text string) Version {
	i := strings.LastIndexByte(text, ':')
	n, err := strconv.ParseInt(text[i+1:], 10, 64)
	if i <= 0 || err != nil {
		return Version{}
	}
	return Version{text[:i], n}
}

// use returns what the secret of a key is for.
func (k Key) use() secret.Use {
	switch k {
	case DBUser, DBUserNext:
		return secret.UserName
	case DBPass, DBPassNext, RedisPass, RedisPassNext:
		return secret.Password
	case MoogURL:
		return secret.DSN
	default:
		return secret.HeaderValue
	}
}

// Value is what a provider has for a key.
type Value struct {
	Secret  secret.Secret
	NoText  bool // instead of a Secret: a number, a list or another thing that is not a text
	Version Version
	Origin  string // for people: where it is and in which version, such as "environment DB_PASS" or "version 7 of vault secret/mutt/prod"
	Exposed string // why others may read it where it is; "" when they may not
}

func (v Value) missing() bool { return !v.NoText && secret.Tidy(v.Secret.Reveal()) == "" }

// Values are what one provider has. An empty Secret counts as none.
type Values map[Key]Value

// Provider is one place that secrets come from.
type Provider interface {
	// Name is unique among the providers of a process, and part of messages: "Vault".
	Name() string
	// Read gives everything that the provider has now. An error is a fault without a secret or an address in it.
	Read(ctx context.Context) (Values, error)
}

// Set is what is in force at one time. The nil Set is empty.
type Set struct{ values Values }

// NewSet returns the Set of what providers have, the first of them first, or an error when a secret is unfit. It is for commands and
// tests; a process has a Watcher.
func NewSet(providers ...Values) (*Set, error) {
	var wrong []error
	settled := make([]Values, len(providers))
	for i, from := range providers {
		fit, unfit := settle(from)
		settled[i], wrong = fit, append(wrong, sorted(unfit)...)
	}
	return join(settled), errors.Join(wrong...)
}

// join returns the Set of settled values: of the first provider that has a key.
func join(providers []Values) *Set {
	out := Values{}
	for _, from := range slices.Backward(providers) {
		maps.Copy(out, from)
	}
	return &Set{out}
}

// settle returns the known keys that have a value, a legacy name counting where the present one is missing. It is the one place that
// cleans and checks secrets. Those that are unfit for their use are returned apart, as faults that name the key and where it is.
func settle(from Values) (fit Values, unfit map[Key]error) {
	fit, unfit = Values{}, map[Key]error{}
	for _, k := range Keys() {
		name := k
		if from[k].missing() {
			name = legacy(k)
		}
		v := from[name]
		if v.missing() {
			continue
		}
		if v.NoText {
			unfit[k] = fault.New(fault.SecretUnfit, "%s from %s must be a text in quotes, not a number, a list or an object", name, v.Origin)
			continue
		}
		text, err := k.use().Fit(v.Secret.Reveal())
		if err != nil {
			unfit[k] = fault.New(fault.SecretUnfit, "%s from %s %s", name, v.Origin, err)
			continue
		}
		v.Secret = secret.New(text)
		fit[k] = v
	}
	return fit, unfit
}

// sorted returns errors in the order of their keys.
func sorted(of map[Key]error) (out []error) {
	for _, k := range Keys() {
		if err := of[k]; err != nil {
			out = append(out, err)
		}
	}
	return out
}

// Get gives a secret and its version; both are empty when there is none.
func (s *Set) Get(k Key) (secret.Secret, Version) {
	v := s.value(k)
	return v.Secret, v.Version
}

// Secret gives a secret alone.
func (s *Set) Secret(k Key) secret.Secret { return s.value(k).Secret }

// Origin says where a secret comes from; "" when there is none.
func (s *Set) Origin(k Key) string { return s.value(k).Origin }

// Origins returns where each secret that there is comes from, by its name.
func (s *Set) Origins() map[string]string {
	out := map[string]string{}
	for _, k := range Keys() {
		if from := s.Origin(k); from != "" {
			out[string(k)] = from
		}
	}
	return out
}

// Versions gives the version of each secret that there is, in the form of Version.String.
func (s *Set) Versions() map[string]string {
	out := map[string]string{}
	for _, k := range Keys() {
		if v := s.value(k).Version.String(); v != "" {
			out[string(k)] = v
		}
	}
	return out
}

func (s *Set) value(k Key) Value {
	if s == nil {
		return Value{}
	}
	return s.values[k]
}

// changed lists the keys whose values differ, in the order of Keys.
func (s *Set) changed(next *Set) (out []Key) {
	for _, k := range Keys() {
		if !s.Secret(k).Equal(next.Secret(k)) {
			out = append(out, k)
		}
	}
	return out
}

// sameVersions reports whether every key has the version that it has in next.
func (s *Set) sameVersions(next *Set) bool { return maps.Equal(s.Versions(), next.Versions()) }

// Compare orders two versions of one provider: negative when v is older. Versions of different providers are not ordered,
// and compare as 0 only when they are the same.
func (v Version) Compare(o Version) int {
	return cmp.Or(cmp.Compare(v.Provider, o.Provider), cmp.Compare(v.Number, o.Number))
}
