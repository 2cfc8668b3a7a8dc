package page

import (
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/muttproject/mutt/platform/fault"
)

// Bounds of a query.
const (
	maxQuery = 2 << 10 // bytes
	textKey  = "text"
)

// condition is one condition of a query: host:edge-fra-1. That of a text has the key "text".
type condition struct{ key, value string }

// queryKeys lists the keys of conditions, with the parameter of the API that each one is.
func queryKeys() [][2]string {
	return [][2]string{{"host", "hostname"}, {"sev", "severity"}, {"fate", "fate"}, {"rule", "rule_id"}, {"team", "team"}, {"handling", "handling"}, {"src", "source"},
		{"env", "env"}, {"id", "id"}, {"corr", "correlation_id"}, {textKey, "q"}}
}

func paramOf(key string) (param string, known bool) {
	for _, k := range queryKeys() {
		if k[0] == key {
			return k[1], true
		}
	}
	return "", false
}

// parseConditions reads a query: words with spaces between them. host:edge-fra-1 is a condition, and so is host:"edge fra"; "a text", and words
// without one of the keys, are looked for in messages. Inside quotes \" and \\ stand for a quote and a backslash. Each key is given once; words
// that stand alone are one text with a space between them. Errors name the word.
func parseConditions(q string) (conds []condition, err error) {
	wrong := func(word, format string, args ...any) error {
		return fault.Field(fault.InvalidField, "query", "%s "+format, append([]any{visible(word)}, args...)...)
	}
	if len(q) > maxQuery {
		return nil, fault.Field(fault.InvalidField, "query", "must have at most %d bytes", maxQuery)
	}
	quotedText := false
	for rest := strings.TrimLeftFunc(q, unicode.IsSpace); rest != ""; rest = strings.TrimLeftFunc(rest, unicode.IsSpace) {
		word := rest
		if end := strings.IndexFunc(rest, unicode.IsSpace); end >= 0 {
			word = rest[:end]
		}
		key, value, keyed := strings.Cut(word, ":")
		if _, known := paramOf(key); !keyed || !known {
			key, value, keyed = textKey, word, false
		}
		quoted := strings.HasPrefix(value, `"`)
		length := len(word)
		if quoted {
			begin := length - len(value)
			text, n, closed := unquote(rest[begin:])
			if length = begin + n; !closed {
				return nil, wrong(rest, `lacks the closing quote; write \" for a quote in the text`)
			}
			word, value = rest[:length], text
		}
		if rest = rest[length:]; quoted && rest != "" && strings.IndexFunc(rest, unicode.IsSpace) != 0 {
			return nil, wrong(word, `needs a space after the closing quote; write \" for a quote in the text`)
		}
		at := slices.IndexFunc(conds, func(c condition) bool { return c.key == key })
		switch {
		case !utf8.ValidString(value) || strings.IndexFunc(value, odd) >= 0:
			return nil, wrong(word, "has control characters or bytes that are not UTF-8, which cannot be searched for")
		case strings.TrimSpace(value) == "" && keyed:
			return nil, wrong(word, "needs a value, as in host:edge-fra-1")
		case strings.TrimSpace(value) == "":
			return nil, wrong(word, "is empty; write a part of the message between the quotes")
		case at < 0:
			conds = append(conds, condition{key, value})
		case key == textKey && !quoted && !quotedText:
			conds[at].value += " " + value
		case key == textKey:
			return nil, wrong(word, "is a second text; put one text between quotes")
		default:
			return nil, wrong(word, "gives %s: a second time; each can be given once", key)
		}
		quotedText = quotedText || key == textKey && quoted
	}
	return conds, nil
}

// unquote reads text between quotes at the beginning of s, and returns how long it is with them.
func unquote(s string) (text string, length int, closed bool) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '"':
			return b.String(), i + 1, true
		case s[i] == '\\' && i+1 < len(s) && (s[i+1] == '"' || s[i+1] == '\\'):
			i++
		}
		b.WriteByte(s[i])
	}
	return "", len(s), false
}

// String writes a condition as parseConditions reads it.
func (c condition) String() string {
	prefix := c.key + ":"
	if c.key == textKey {
		prefix = ""
	}
	plain := prefix + c.value
	if read, err := parseConditions(plain); err == nil && len(read) == 1 && read[0] == c {
		return plain
	}
	return prefix + `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(c.value) + `"`
}

// writeQuery writes conditions as one query.
func writeQuery(conds []condition) string {
	words := make([]string, len(conds))
	for i, c := range conds {
		words[i] = c.String()
	}
	return strings.Join(words, " ")
}

// with returns conds with those of more, which replace the ones of the same key.
func with(conds, more []condition) []condition {
	out := slices.DeleteFunc(slices.Clone(conds), func(c condition) bool {
		return slices.ContainsFunc(more, func(m condition) bool { return m.key == c.key })
	})
	return append(out, more...)
}

// apiQuery returns the parameters of the API for conditions.
func apiQuery(conds []condition) url.Values {
	query := url.Values{}
	for _, c := range conds {
		param, _ := paramOf(c.key) // parseConditions has read it
		switch {
		case c.key == "src" && c.value == "trap": // as lists show it
			query.Set(param, "snmptrap")
		case c.key == "sev":
			query.Set(param, strings.TrimPrefix(c.value, "<="))
		default:
			query.Set(param, c.value)
		}
	}
	return query
}

// parseQuery splits a query into conditions and the parameters of the API for them.
func parseQuery(q string) (query url.Values, conds []condition, err error) {
	if conds, err = parseConditions(q); err != nil {
		return nil, nil, err
	}
	return apiQuery(conds), conds, nil
}
