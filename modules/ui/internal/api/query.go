package api

import (
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/muttproject/mutt/platform/config"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/openapi"
)

// queryNames lists the query parameters that an operation declares.
func queryNames(o openapi.Operation) (names []string) {
	for _, p := range o.Params {
		if p.In == "query" {
			names = append(names, p.Name)
		}
	}
	return names
}

// checkQuery refuses what an operation does not know, so that a misspelt dry_run is not an import for real. Every
// parameter takes one value, and an empty one is not an absent one.
func checkQuery(values url.Values, known []string) error {
	for _, name := range slices.Sorted(maps.Keys(values)) {
		given := values[name]
		switch {
		case !slices.Contains(known, name):
			return unknownParameter(name, known)
		case len(given) > 1:
			return fault.Field(fault.InvalidField, name, "is given %d times, and takes one value", len(given))
		case strings.TrimSpace(given[0]) == "":
			return fault.Field(fault.InvalidField, name, "is empty").WithRemedy("give it a value, or leave it out")
		}
	}
	return nil
}

func unknownParameter(name string, known []string) error {
	field := printable(name)
	if field == "" {
		field = "query"
	}
	switch name {
	case "api_key": // of v2.5
		return fault.Field(fault.InvalidField, field, "is not read: a key in a URL is kept by proxies and logs").WithRemedy("send the key as the header X-API-KEY")
	case "api_version": // of v2.5
		return fault.Field(fault.InvalidField, field, "is not read: the path names the version").WithRemedy("call /api/v2/…, or send the header Accept-Version")
	}
	unknown := fault.Field(fault.InvalidField, field, "is not a parameter of this operation")
	near := config.Nearest(name, known)
	switch {
	case near != "":
		return unknown.WithRemedy("did you mean %s?", near)
	case len(known) == 0:
		return unknown.WithRemedy("leave it out: this operation takes none")
	default:
		return unknown.WithRemedy("this operation takes %s", strings.Join(known, ", "))
	}
}
