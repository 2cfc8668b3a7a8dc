package page

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// field is one member of an event, by its path.
type field struct{ name, value string }

// fieldsOf lists the members of an event in the order in which they are kept, those of an object each for itself.
func fieldsOf(raw json.RawMessage) (out []field) {
	var walk func(prefix string, raw json.RawMessage)
	walk = func(prefix string, raw json.RawMessage) {
		d := json.NewDecoder(bytes.NewReader(raw))
		if open, err := d.Token(); err != nil || open != json.Delim('{') {
			return
		}
		for d.More() {
			key, err := d.Token()
			name, isText := key.(string)
			var value json.RawMessage
			if err != nil || !isText || d.Decode(&value) != nil {
				return
			}
			var said string
			switch name = prefix + name; {
			case name == "variables":
				var bindings []struct{ OID, Type, Value string }
				if json.Unmarshal(value, &bindings) == nil {
					for _, b := range bindings {
						out = append(out, field{b.OID, b.Type + ": " + b.Value})
					}
					continue
				}
				out = append(out, field{name, string(value)})
			case len(value) > 0 && value[0] == '{' && name == "fields":
				walk("fields.", value)
			case json.Unmarshal(value, &said) == nil:
				out = append(out, field{name, said})
			default:
				out = append(out, field{name, string(value)})
			}
		}
	}
	walk("", raw)
	return out
}

func valueOf(fields []field, name string) string {
	for _, f := range fields {
		if f.name == name {
			return f.value
		}
	}
	return ""
}

// cut returns the begin of a text, at most so many bytes of whole characters.
func cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most]
}

// shorten makes a value fit for the page. What cannot be seen takes more room, so it is counted as shown.
func shorten(s string, most int) text {
	shown := visible(cut(s, most))
	if len(shown) > 2*most {
		shown = cut(shown, 2*most)
	} else if len(s) <= most {
		return text{shown: shown}
	}
	return text{shown + " …", len(s)}
}

// shortenLines does the same with a text of several lines.
func shortenLines(s string, most int) text {
	lines := strings.Split(cut(s, most), "\n")
	for i := range lines {
		lines[i] = visible(lines[i])
	}
	shown := strings.Join(lines, "\n")
	if len(s) <= most {
		return text{shown: shown}
	}
	return text{shown + " …", len(s)}
}
