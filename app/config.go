package app

import (
	"errors"
	"fmt"
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
	"github.com/muttproject/mutt/platform/connect/sqlite"
	"github.com/muttproject/mutt/platform/connect/tlsconf"
	"github.com/muttproject/mutt/platform/connect/vault"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/httpserver"
	"github.com/muttproject/mutt/platform/netguard"
	"github.com/muttproject/mutt/platform/private"
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

	TLS      tlsconf.ListenerConfig // of the listeners that have none of their own
	Keys     KeysConfig
	Ingest   ingest.Config
	UI       ui.Config
	Ops      httpserver.OpsConfig
	Hosts    httpserver.Hosts
	Limits   netguard.Config
	Forward  forward.Config
	Redis    redis.Server
	Queue    redisq.Config
	Room     sqlite.RoomConfig
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
// nothing reads, and a file that others may change. Whether the roles find what they need is Check's question.
func Load(from Sources) (c Config, warnings []string, err error) {
	table := settings(&c)
	given, problems, warnings, err := from.file(table)
	if err != nil {
		return c, nil, err
	}
	given = append(given, static.FromEnviron(table, from.Environ)...)
	set, wrong := static.FromSet(from.Set)
	problems = append(problems, wrong...)
	given = append(append(given, set...), from.flags(table)...)
	c.sources, wrong = static.Resolve(table, given, readSecretFile)
	warnings = append(warnings, static.UnknownVariables(table, from.Environ, "MUTT_", otherVariables()...)...)
	return c, warnings, static.Err(append(problems, wrong...))
}

// maxSecretFile bounds a file that a setting names for a secret, in bytes.
const maxSecretFile = 64 << 10

// readSecretFile reads the file that a setting names for a secret. That others may read it is logged later, when the secret comes into
// force (settingsProvider).
func readSecretFile(path string) ([]byte, error) {
	text, _, _, err := private.Read(path, maxSecretFile)
	if unsafe, ok := fault.As(err); ok {
		return nil, fmt.Errorf("%s; %s", unsafe.Message, unsafe.Remedy)
	}
	return text, err
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
	wrong = slices.Concat(wrong, c.checkListeners(), c.Vault.Check(), c.Postgres.Check(), c.Forward.Check())
	if len(wrong) > 0 {
		return fault.New(fault.ConfigInvalid, "%s", strings.Join(wrong, "; "))
	}
	return nil
}

// configFile names the variable that names the file.
const configFile = "MUTT_CONFIG"

// otherVariables lists the MUTT_ variables that are no settings: those of commands and of the project's own tests.
func otherVariables() []string {
	return []string{configFile, "MUTT_SERVER", "MUTT_CA_FILE", "MUTT_API_KEY", "MUTT_ADMIN_DSN", "MUTT_REDIS_ADMIN_USER", "MUTT_REDIS_ADMIN_PASS", "MUTT_SOURCE", "MUTT_LOGHUB_DIR", "MUTT_TEST_", "MUTT_BENCH_"}
}

// file reads the file; none is fine unless it was named. A file that was only found, such as mutt.yaml in the working directory, is refused
// when another user may have written it: it would choose the destination and the secrets of anyone who starts MUTT there. One that was named
// is read with a warning.
func (from Sources) file(table []static.Setting) (given []static.Given, problems []static.Problem, warnings []string, err error) {
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
		data, foreign, err := readConfigFile(candidate)
		switch {
		case err == nil && foreign != nil && name == "":
			return nil, nil, nil, foreign.WithRemedy("%s; if you trust its content, name it: --config %s", foreign.Remedy, private.Quote(candidate))
		case err == nil:
			if foreign != nil {
				warnings = []string{foreign.Message + "; " + foreign.Remedy}
			}
			given, problems = static.ReadFile(candidate, data, table)
			return given, problems, warnings, nil
		case name != "" || !errors.Is(err, fs.ErrNotExist):
			return nil, nil, nil, fault.Wrap(fault.ConfigInvalid, err, "the configuration file cannot be read")
		}
	}
	return nil, nil, nil, nil
}

// readConfigFile reads a file of settings. foreign says why another user may have written it; nil when only root and the user of the
// process may. A pipe, such as a shell's <(…), belongs to the command that names it.
func readConfigFile(path string) (data []byte, foreign *fault.Error, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	if info.Mode().IsRegular() {
		foreign, _ = fault.As(private.CheckWriters(path, info))
	}
	data, err = io.ReadAll(f)
	return data, foreign, err
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
