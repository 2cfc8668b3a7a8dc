package secret

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Use is what a secret is for. It decides which texts are fit.
type Use uint8

// The uses.
const (
	Password    Use = iota // of PostgreSQL or Redis: any text that both protocols can carry
	HeaderValue            // of an HTTP header: API keys
	UserName
	DSN // a connection string, or another URL
)

// Why a text is unfit. Each completes a sentence that begins with the name of the secret.
var (
	errEncoding = errors.New("is not UTF-8 text")
	errNUL      = errors.New("contains a NUL character, which a password cannot have")
	errLines    = errors.New("contains a line break: write it on one line")
	errControl  = errors.New("contains a control character: write it with printable characters only")
	errUnseen   = errors.New("contains a character that cannot be seen, such as a zero-width or a no-break space: type it again")
	errBlank    = errors.New("begins or ends with a blank, which an HTTP header does not keep: remove it")
)

// Tidy removes what editors, shells and mounts add to a text: a byte order mark at its start and line ends at its end.
func Tidy(text string) string { return strings.TrimRight(strings.TrimPrefix(text, "\ufeff"), "\r\n") }

// Fit returns the text without what Tidy removes, or an error when the rest is unfit for the use. The error repeats nothing of the
// text. The empty text is fit: it stands for no secret.
func (u Use) Fit(text string) (string, error) {
	text = Tidy(text)
	switch {
	case !utf8.ValidString(text):
		return "", errEncoding
	case strings.Contains(text, "\x00"):
		if u == Password {
			return "", errNUL
		}
		return "", errControl
	case u == Password:
		return text, nil
	case strings.ContainsAny(text, "\r\n\v\f\u0085\u2028\u2029"):
		return "", errLines
	case strings.ContainsFunc(text, unicode.IsControl):
		return "", errControl
	case u == HeaderValue && strings.Trim(text, " ") != text:
		return "", errBlank
	case strings.ContainsFunc(text, unseen):
		return "", errUnseen
	}
	return text, nil
}

// unseen reports whether a character comes from web pages and documents with what is copied, and is not meant.
func unseen(r rune) bool { return unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Zs, r) && r != ' ' }
