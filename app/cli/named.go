package cli

import (
	"strconv"
	"strings"

	"github.com/muttproject/mutt/platform/config"
	"github.com/muttproject/mutt/platform/fault"
)

// named is a thing that a command line may call by its id or by its name.
type named struct {
	id   int64
	name string
}

// pickAll returns the id of each word.
func pickAll(kind, list string, words []string, things []named) (map[string]string, error) {
	ids := make(map[string]string, len(words))
	for _, word := range words {
		var err error
		if ids[word], err = pick(kind, list, word, things); err != nil {
			return nil, err
		}
	}
	return ids, nil
}

// pick returns the id of the thing that a word stands for: id:7, name:7, or 7 and a name alone, as long as that fits one
// thing only. kind and list are the words of messages: "rule", "mutt rules list".
func pick(kind, list, word string, things []named) (string, error) {
	id, byID := strings.CutPrefix(word, "id:")
	name, byName := strings.CutPrefix(word, "name:")
	var fits []named
	var names []string
	for _, t := range things {
		if t.name == word || byName && t.name == name || decimal(t.id) == word || byID && decimal(t.id) == id {
			fits = append(fits, t)
		}
		names = append(names, t.name)
	}
	switch {
	case len(fits) == 1:
		return decimal(fits[0].id), nil
	case len(fits) > 1:
		var forms []string
		for _, t := range fits {
			forms = append(forms, kind+" "+decimal(t.id)+" is named "+strconv.Quote(t.name))
		}
		return "", fault.Field(fault.Conflict, "name", "%q may be a name or an id: %s", word, strings.Join(forms, ", ")).
			WithRemedy("say name:%s or id:%s", word, word)
	}
	missing := fault.Field(fault.NotFound, "name", "there is no %s %q", kind, word)
	if near := config.Nearest(name, names); near != "" {
		return "", missing.WithRemedy("did you mean %q? '%s' shows all", near, list)
	}
	return "", missing.WithRemedy("'%s' shows all", list)
}
