package static

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/muttproject/mutt/platform/secret"
)

// Variables returns environment variables that each give the whole setting. Of several that are set the last one rules.
func Variables(names ...string) []Variable {
	out := make([]Variable, len(names))
	for i, name := range names {
		out[i].Name = name
	}
	return out
}

// Defaults fills the fields of a table with their defaults. It panics when a default is not a value of its setting: the declaration
// contradicts itself.
func Defaults(table []Setting) {
	if _, problems := Resolve(table, nil, nil); len(problems) > 0 {
		panic(Err(problems))
	}
}

// Validate reports the settings whose fields hold a value that they do not take, such as the zero value of a duration that nobody set,
// and what is wrong with several of them together. It sets each field to the value that the field has.
func Validate(table []Setting, together ...string) error {
	var problems []Problem
	for _, wrong := range together {
		problems = append(problems, Problem{Message: wrong})
	}
	for i := range table {
		s := &table[i]
		if s.Value.Secret() {
			continue
		}
		text := fmt.Sprint(s.Value.Get())
		if words, list := s.Value.Get().([]string); list {
			if text = strings.Join(words, ","); len(words) == 0 && s.Value.empty {
				text = EmptyList
			}
		}
		if text == "" && s.Default == "" {
			continue
		}
		if err := s.Value.Set(text); err != nil {
			problems = append(problems, Problem{Name: s.Path, Message: err.Error()})
		}
	}
	return Err(problems)
}

// URL takes the URL of a server, http or https. Its errors do not repeat the URL, which may hold a password; instead says where a
// credential belongs.
func URL(field *string, instead string) Value {
	return NewValue("an http or https URL", func(text string) error {
		u, err := url.Parse(text)
		if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
			return errors.New("takes an http or https URL")
		}
		if u.User != nil {
			return errors.New("takes a URL without a user or password: " + instead)
		}
		*field = text
		return nil
	}, func() any { return *field }).ShownAs(func() any { return withoutQuery(*field) })
}

// withoutQuery returns a URL as it may be shown: the values of its query may be credentials, and so may a query without names.
func withoutQuery(text string) string {
	sent, fragment, _ := strings.Cut(text, "#") // which is not sent
	rest, query, asked := strings.Cut(sent, "?")
	if !asked {
		return text
	}
	parts := strings.Split(query, "&")
	for i, part := range parts {
		switch name, value, named := strings.Cut(part, "="); {
		case value != "":
			parts[i] = name + "=" + secret.Redacted
		case part != "" && !named:
			parts[i] = secret.Redacted
		}
	}
	out := rest + "?" + strings.Join(parts, "&")
	if fragment != "" {
		out += "#" + fragment
	}
	return out
}
