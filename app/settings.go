package app

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/muttproject/mutt/platform/config/static"
	"github.com/muttproject/mutt/platform/connect/tlsconf"
	"github.com/muttproject/mutt/platform/fault"
)

// settings is the table of static settings, bound to c, in the order of the reference page and of the sample file. Each owner declares
// its settings beside the code that uses them; which roles run that code is known here.
func settings(c *Config) []static.Setting {
	withStore := []Role{Alerter, UI, Janitor}
	table := slices.Concat(c.processSettings(), c.Keys.settings(), tlsconf.ListenerSettings("", &c.TLS),
		readBy(c.Ingest.Settings(), Ingestor), readBy(c.UI.Settings(), UI), c.Ops.Settings(), c.Hosts.Settings(), c.Limits.Settings(), readBy(c.Forward.Settings(), Forwarder),
		c.Room.Settings(), c.Redis.Settings(), c.Queue.Settings(), readBy(c.Postgres.Settings(), withStore...),
		c.Secrets.Settings(), c.Logins.Settings(), c.Vault.Settings())
	derive(table, "listeners.syslog_tls", c.syslogTLSAddr)
	slices.SortStableFunc(table, func(a, b static.Setting) int { return section(a.Path) - section(b.Path) })
	return table
}

// readBy notes which roles read settings; it leaves those that say it themselves.
func readBy(table []static.Setting, roles ...Role) []static.Setting {
	for i := range table {
		if table[i].Readers == nil {
			table[i].Readers = names(roles...)
		}
	}
	return table
}

func names(roles ...Role) (out []string) {
	for _, r := range roles {
		out = append(out, string(r))
	}
	return out
}

// section returns the place of a setting's section. Settings without a section come first, new sections last.
func section(path string) int {
	order := []string{"log", "dynamic_config", "listeners", "limits", "ops", "ingest", "syslog", "admin", "ui", "forward", "prometheus", "queue", "redis", "postgres", "secrets", "vault"}
	name, _, nested := strings.Cut(path, ".")
	if !nested {
		return -1
	}
	if i := slices.Index(order, name); i >= 0 {
		return i
	}
	return len(order)
}

// processSettings declares the settings of the process itself.
func (c *Config) processSettings() []static.Setting {
	return []static.Setting{
		{Path: "roles", Default: "all", Flag: "roles", Variables: static.Variables("MUTT_ROLES"), About: "Jobs of this process; see 'mutt roles'", Value: rolesValue(&c.Roles)},
		{Path: "data_dir", Default: "./mutt-data", Flag: "data-dir", Variables: static.Variables("MUTT_DATA_DIR"),
			About: "Directory of the embedded storage and of generated keys", Value: directory(&c.DataDir)},
		{Path: "process", Example: "mutt-7c9f", Variables: static.Variables("POD_NAME"), About: "Name of this process in logs and alerts; by default the host's",
			Value: static.Text(&c.Process)},
		{Path: "shutdown_timeout", Default: "30s", Variables: static.Variables("MUTT_SHUTDOWN_TIMEOUT"), About: "Bound of an orderly stop", Value: static.Span(&c.ShutdownTimeout)},
		{Path: "log.format", Default: "auto", Flag: "log-format", Variables: static.Variables("MUTT_LOG_FORMAT"),
			About: "Form of the log; auto is console on a terminal, else json", Value: static.OneOf(&c.LogFormat, "auto", "json", "console")},
		{Path: "dynamic_config.enabled", Default: "true", Variables: static.Variables("DYNAMIC_CONFIG_ENABLED"),
			About: "False switches the change of dynamic settings off: their routes answer 503, variables and defaults apply", Value: static.Bool(&c.DynamicConfig)},
	}
}

func rolesValue(roles *RoleSet) static.Value {
	return static.NewValue("all, or some roles", func(text string) error {
		set, err := ParseRoles(text)
		if f, bad := fault.As(err); bad {
			return fmt.Errorf("is wrong: %s; %s", f.Message, f.Remedy)
		}
		*roles = set
		return err
	}, func() any { return names(*roles...) }).WithWords(append([]string{"all"}, names(Roles()...)...)...)
}

func directory(field *string) static.Value {
	return static.NewValue("a directory", func(text string) error { *field = filepath.Clean(text); return nil }, func() any { return *field })
}
