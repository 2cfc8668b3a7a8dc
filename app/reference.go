package app

import (
	"fmt"
	"strings"

	"github.com/muttproject/mutt/platform/config"
	"github.com/muttproject/mutt/platform/fault"
)

// ConfigurationReference gives docs/reference/configuration.md.
func ConfigurationReference() string {
	var b strings.Builder
	b.WriteString("# Settings\n\nGenerated from the code; do not edit.\n\n## Static settings\n\n" +
		"Read from the environment when a process starts. `GET /admin/config` shows the effective values.\n\n" +
		"| variable | default | meaning |\n| --- | --- | --- |\n")
	for _, s := range settings() {
		def := s.Default
		if def != "" {
			def = "`" + def + "`"
		}
		if s.Secret {
			def = "secret"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", s.Env, def, cell(s.About))
	}
	b.WriteString("\n## Dynamic settings\n\nChanged while MUTT runs, with `PUT /api/v2/config/{key}`; in force everywhere within a second. Until a key is set there,\n" +
		"its upper-case variable gives its value, else its default.\n\n" +
		"| key | type | default | takes | unit | read by | meaning |\n| --- | --- | --- | --- | --- | --- | --- |\n")
	for _, k := range config.Keys() {
		fmt.Fprintf(&b, "| `%s` | %s | `%v` | %s | %s | %s | %s |\n", k.Name, k.Type, k.Default, cell(k.Takes()), k.Unit,
			strings.Join(k.Readers, ", "), cell(k.Description))
	}
	return b.String()
}

// ErrorReference gives docs/reference/errors.md.
func ErrorReference() string {
	var b strings.Builder
	b.WriteString("# Errors\n\nGenerated from the code; do not edit.\n\nA code is permanent. It is the field `code` of an API's answer, and stands in the log and in the\n" +
		"output of commands.\n\n| code | HTTP status | meaning | remedy |\n| --- | --- | --- | --- |\n")
	for _, e := range fault.Catalogue() {
		fmt.Fprintf(&b, "| `%s` | %d | %s | %s |\n", e.Code, e.Status, cell(e.Meaning), cell(e.Remedy))
	}
	return b.String()
}

func cell(s string) string { return strings.ReplaceAll(s, "|", "\\|") }
