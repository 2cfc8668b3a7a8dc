package app

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/muttproject/mutt/modules/forward"
	"github.com/muttproject/mutt/modules/ingest"
	"github.com/muttproject/mutt/modules/ui"
	"github.com/muttproject/mutt/platform/config/static"
	"github.com/muttproject/mutt/platform/connect"
	"github.com/muttproject/mutt/platform/connect/postgres"
	"github.com/muttproject/mutt/platform/connect/redis"
	"github.com/muttproject/mutt/platform/connect/vault"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/httpserver"
	"github.com/muttproject/mutt/platform/queue/redisq"
	"github.com/muttproject/mutt/platform/secret/secrets"
)

// Off as a listener's address disables the listener.
const Off = static.Off

// Config is the static configuration of a process: the settings of their owners, and those of the process itself.
type Config struct {
	Roles           RoleSet
	DataDir         string
	Process         string
	ShutdownTimeout time.Duration
	LogFormat       string
	DynamicConfig   bool

	Keys     KeysConfig
	Ingest   ingest.Config
	UI       ui.Config
	Ops      httpserver.OpsConfig
	Forward  forward.Config
	Redis    redis.Server
	Queue    redisq.Config
	Postgres postgres.Server
	Secrets  secrets.Config
	Logins   connect.Config
	Vault    vault.Config

	sources map[string]static.Source // by path
}

// Sources are the layers that a configuration is read from, in rising precedence: file, environment, flags.
type Sources struct {
	File    string   // of --config; else MUTT_CONFIG; else the first of Search that exists
	Search  []string // ConfigFiles, or none
	Environ []string
	Set     []string          // of --set, each path=value
	Flags   map[string]string // own flags of settings, by path
}

// ConfigFiles are where the file is looked for when none is named.
func ConfigFiles() []string { return []string{"mutt.yaml", "/etc/mutt/mutt.yaml"} }

// Load reads a configuration. Every problem is reported, each with its place; warnings name MUTT_ variables that
// nothing reads. Whether the roles find what they need is Check's question.
func Load(from Sources) (c Config, warnings []string, err error) {
	table := settings(&c)
	given, problems, err := from.file(table)
	if err != nil {
		return c, nil, err
	}
	given = append(given, static.FromEnviron(table, from.Environ)...)
	set, wrong := static.FromSet(from.Set)
	problems = append(problems, wrong...)
	given = append(append(given, set...), from.flags(table)...)
	c.sources, wrong = static.Resolve(table, given, os.ReadFile)
	return c, static.UnknownVariables(table, from.Environ, "MUTT_", otherVariables()...), static.Err(append(problems, wrong...))
}

// Settings is the table of static settings with their defaults, for what shows or completes them.
func Settings() []static.Setting {
	table := settings(new(Config))
	static.Defaults(table)
	return table
}

// LoadConfig reads the environment over the defaults, without a file.
func LoadConfig(environ []string) (Config, []string, error) { return Load(Sources{Environ: environ}) }

// Distributed reports whether the process works on Redis and PostgreSQL instead of the data directory.
func (c *Config) Distributed() bool { return len(c.Redis.Addrs()) > 0 || c.Postgres.Host != "" }

// Check refuses a configuration that contradicts itself or is incomplete for these roles, and lists everything that is wrong.
func (c *Config) Check(roles RoleSet) error {
	wrong := c.Redis.Check()
	if c.Postgres.Host != "" && len(c.Redis.Addrs()) == 0 {
		wrong = append(wrong, "DB_HOST is set and Redis is not: set REDIS_HOST, REDIS_SENTINELS or REDIS_CLUSTER too")
	}
	if c.Postgres.Host == "" && len(c.Redis.Addrs()) > 0 && roles.Any([]Role{Alerter, UI, Janitor}) {
		wrong = append(wrong, "Redis is set and PostgreSQL is not, which the roles alerter, ui and janitor need: set DB_HOST too")
	}
	wrong = slices.Concat(wrong, c.Vault.Check(), c.Postgres.Check(), c.Forward.Check())
	if len(wrong) > 0 {
		return fault.New(fault.ConfigInvalid, "%s", strings.Join(wrong, "; "))
	}
	return nil
}

// configFile names the variable that names the file.
const configFile = "MUTT_CONFIG"

// otherVariables lists the MUTT_ variables that are no settings: those of commands and of the project's own tests.
func otherVariables() []string {
	return []string{configFile, "MUTT_SERVER", "MUTT_API_KEY", "MUTT_ADMIN_DSN", "MUTT_REDIS_ADMIN_USER", "MUTT_REDIS_ADMIN_PASS", "MUTT_SOURCE", "MUTT_LOGHUB_DIR", "MUTT_TEST_", "MUTT_BENCH_"}
}

// file reads the file; none is fine unless it was named.
func (from Sources) file(table []static.Setting) ([]static.Given, []static.Problem, error) {
	name, search := from.File, from.Search
	for _, kv := range from.Environ {
		if k, v, _ := strings.Cut(kv, "="); k == configFile && name == "" {
			name = v
		}
	}
	if name != "" {
		search = []string{name}
	}
	for _, candidate := range search {
		data, err := os.ReadFile(candidate)
		switch {
		case err == nil:
			given, problems := static.ReadFile(candidate, data, table)
			return given, problems, nil
		case name != "" || !errors.Is(err, fs.ErrNotExist):
			return nil, nil, fault.Wrap(fault.ConfigInvalid, err, "the configuration file cannot be read")
		}
	}
	return nil, nil, nil
}

// flags gives the values of own flags, in the order of the table.
func (from Sources) flags(table []static.Setting) (given []static.Given) {
	for _, s := range table {
		if text, ok := from.Flags[s.Path]; ok {
			given = append(given, static.Given{Path: s.Path, Text: text, Source: static.Source{Kind: static.Flag, Name: "--" + s.Flag}})
		}
	}
	return given
}

// LintFile gives the problems of a configuration file. Files of secrets are not opened: they may be elsewhere.
func LintFile(name string, data []byte) []static.Problem {
	table := settings(new(Config))
	given, problems := static.ReadFile(name, data, table)
	_, wrong := static.Resolve(table, given, nil)
	problems = append(problems, wrong...)
	slices.SortStableFunc(problems, func(a, b static.Problem) int { return a.Line - b.Line })
	return problems
}

// ConfigValue is one effective setting.
type ConfigValue struct {
	Path   string `json:"-"`
	Value  any    `json:"value"` // a secret is redacted, or the name of its file
	Source string `json:"source"`
}

// Values lists the effective settings with their sources, in the order of the reference page.
func (c *Config) Values() []ConfigValue {
	table := settings(c)
	out := make([]ConfigValue, len(table))
	for i := range table {
		from := c.sources[table[i].Path]
		out[i] = ConfigValue{table[i].Path, table[i].Shown(from), from.String()}
	}
	return out
}

// Static gives the effective settings by path, and further values such as Origins, for GET /admin/config.
func (c *Config) Static(further ...ConfigValue) map[string]any {
	out := map[string]any{}
	for _, v := range append(c.Values(), further...) {
		out[v.Path] = v
	}
	return out
}

// WriteYAML writes the effective settings as a file that gives them again, but for secrets of the environment.
func (c *Config) WriteYAML(w io.Writer) error { return static.WriteYAML(w, settings(c), c.sources) }
