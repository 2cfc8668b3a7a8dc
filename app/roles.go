package app

import (
	"slices"
	"strings"

	"github.com/muttproject/mutt/platform/config"
	"github.com/muttproject/mutt/platform/fault"
)

// Role is one job that a process can do.
type Role string

// The roles.
const (
	Ingestor  Role = "ingestor"
	Alerter   Role = "alerter"
	Forwarder Role = "forwarder"
	UI        Role = "ui"
	Janitor   Role = "janitor"
)

// Roles lists the roles in the order of an event's way.
func Roles() []Role { return []Role{Ingestor, Alerter, Forwarder, UI, Janitor} }

// About says in a line what a role does.
func (r Role) About() string {
	switch r {
	case Ingestor:
		return "takes events in over HTTP and syslog, and answers when they are durable"
	case Alerter:
		return "judges events by the rules, writes the audit, publishes alerts"
	case Forwarder:
		return "delivers alerts to the destination within its rate limit"
	case UI:
		return "serves the admin API and the console"
	case Janitor:
		return "keeps the books, prunes what is old"
	default:
		return ""
	}
}

// RoleSet is a set of roles in the order of Roles.
type RoleSet []Role

// ParseRoles reads a comma-separated list; order and repeats do not matter, "all" and "" mean all.
func ParseRoles(list string) (RoleSet, error) {
	chosen := map[Role]bool{}
	for word := range strings.SplitSeq(list, ",") {
		word = strings.ToLower(strings.TrimSpace(word))
		switch {
		case word == "all":
			for _, r := range Roles() {
				chosen[r] = true
			}
		case word == "":
		case slices.Contains(Roles(), Role(word)):
			chosen[Role(word)] = true
		default:
			return nil, unknownRole(word)
		}
	}
	set := RoleSet{}
	for _, r := range Roles() {
		if chosen[r] || len(chosen) == 0 {
			set = append(set, r)
		}
	}
	return set, nil
}

func unknownRole(word string) error {
	names := []string{"all"}
	for _, r := range Roles() {
		names = append(names, string(r))
	}
	e := fault.Field(fault.ConfigInvalid, "roles", "there is no role %q", word)
	if near := config.Nearest(word, names); near != "" {
		return e.WithRemedy("did you mean %s? The roles are %s", near, strings.Join(names, ", "))
	}
	return e.WithRemedy("the roles are %s", strings.Join(names, ", "))
}

// Has reports whether the set holds r.
func (s RoleSet) Has(r Role) bool { return slices.Contains(s, r) }

// String lists the roles, separated by commas.
func (s RoleSet) String() string {
	words := make([]string, len(s))
	for i, r := range s {
		words[i] = string(r)
	}
	return strings.Join(words, ",")
}

// Any reports whether the set holds one of the roles; an empty list means that every process needs it.
func (s RoleSet) Any(roles []Role) bool {
	return len(roles) == 0 || slices.ContainsFunc(roles, s.Has)
}
