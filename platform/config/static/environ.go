package static

import (
	"fmt"
	"slices"
	"strings"

	"github.com/muttproject/mutt/platform/config"
)

// SetFlag is the flag that gives any setting: --set path=value.
const SetFlag = "--set"

// FromEnviron finds the settings in an environment. A variable that is empty or blank counts as not set. Blanks around a value are
// removed, except those of a secret, whose reader decides about them.
func FromEnviron(table []Setting, environ []string) (given []Given) {
	env := map[string]string{}
	for _, kv := range environ {
		if k, v, ok := strings.Cut(kv, "="); ok {
			env[k] = v
		}
	}
	for _, s := range table {
		for _, v := range s.Variables {
			text := strings.TrimSpace(env[v.Name])
			if text == "" || serviceLink(text) && !v.Link {
				continue
			}
			if s.Value.Secret() {
				text = env[v.Name]
			}
			given = append(given, Given{Path: s.Path, Text: text, Source: Source{Kind: Environment, Name: v.Name}, part: v.Value})
		}
	}
	return given
}

// UnknownVariables warns of variables that begin with prefix and are in neither the table nor known, whose entries that
// end with _ stand for all that begins so. What Kubernetes injects for a service of that name is passed over.
func UnknownVariables(table []Setting, environ []string, prefix string, known ...string) (warnings []string) {
	known = append(known, prefix+"SERVICE_", prefix+"PORT_", prefix+"PORT")
	for _, s := range table {
		for _, v := range s.Variables {
			known = append(known, v.Name)
		}
	}
	for _, kv := range environ {
		name, value, _ := strings.Cut(kv, "=")
		isKnown := func(k string) bool { return k == name || strings.HasSuffix(k, "_") && strings.HasPrefix(name, k) }
		if value == "" || !strings.HasPrefix(name, prefix) || slices.ContainsFunc(known, isKnown) || serviceLink(value) {
			continue
		}
		w := fmt.Sprintf("the environment variable %s is not known and is ignored", name)
		if near := config.Nearest(name, known); near != "" {
			w += "; did you mean " + near + "?"
		}
		warnings = append(warnings, w)
	}
	slices.Sort(warnings)
	return warnings
}

// serviceLink tells what Kubernetes injects for a service named mutt or redis: MUTT_PORT=tcp://10.0.0.1:8080.
func serviceLink(v string) bool {
	return strings.HasPrefix(v, "tcp://") || strings.HasPrefix(v, "udp://")
}

// FromSet reads the values of --set, each path=value.
func FromSet(values []string) (given []Given, problems []Problem) {
	for _, v := range values {
		path, text, ok := strings.Cut(v, "=")
		if !ok {
			problems = append(problems, Problem{Name: SetFlag + " " + path, Message: "wants path=value"})
			continue
		}
		given = append(given, Given{Path: strings.TrimSpace(path), Text: text, Source: Source{Kind: Flag, Name: SetFlag}})
	}
	return given, problems
}
