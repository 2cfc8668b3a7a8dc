package authn

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/binary"
	"hash/crc32"
	"strings"

	"github.com/muttproject/mutt/platform/secret"
)

// A secret that MUTT makes is "mutt_" and 58 characters of a-z2-7: base32 (RFC 4648 section 6, in lower case, without
// padding) of 32 random bytes and their CRC-32 (IEEE), big-endian. The prefix lets scanners find it where it does not
// belong; the checksum tells a damaged one from an unknown one. It protects nothing.
const (
	secretPrefix = "mutt_"
	secretRandom = 32
)

// NewSecret makes the secret of a key or the token of a session, of 256 random bits.
func NewSecret() secret.Secret {
	var b [secretRandom + 4]byte
	_, _ = rand.Read(b[:secretRandom]) // never fails (crypto/rand)
	binary.BigEndian.PutUint32(b[secretRandom:], crc32.ChecksumIEEE(b[:secretRandom]))
	return secret.New(secretPrefix + strings.ToLower(secretText().EncodeToString(b[:])))
}

// Generated reports whether a text has the form of a secret that MUTT makes, with the right checksum. Nobody guesses such a secret
// that exists, but anyone can make up a text of the form.
func Generated(text string) bool {
	rest, ours := strings.CutPrefix(text, secretPrefix)
	if !ours || len(rest) != secretText().EncodedLen(secretRandom+4) {
		return false
	}
	b, err := secretText().DecodeString(strings.ToUpper(rest))
	return err == nil && len(b) == secretRandom+4 && crc32.ChecksumIEEE(b[:secretRandom]) == binary.BigEndian.Uint32(b[secretRandom:])
}

// IsDamaged reports whether a text looks like a secret that MUTT generated, but has another length or a wrong checksum. Operators may
// choose other texts for the bootstrap keys, so callers ask this about unknown texts only.
func IsDamaged(text string) bool { return strings.HasPrefix(text, secretPrefix) && !Generated(text) }

func secretText() *base32.Encoding { return base32.StdEncoding.WithPadding(base32.NoPadding) }
