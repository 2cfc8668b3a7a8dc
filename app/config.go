package app

import (
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/muttproject/mutt/platform/config"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/secret"
)

// Off as a listener's address disables the listener.
const Off = "off"

// Config is the static configuration of a process.
type Config struct {
	DataDir         string
	IngestAddr      string
	AdminAddr       string
	OpsAddr         string
	SyslogUDPAddr   string
	SyslogTCPAddr   string
	IngestKey       secret.Secret
	AdminKey        secret.Secret
	MoogKey         secret.Secret
	WebhookURL      string
	WebhookTimeout  time.Duration
	WebhookFormat   string
	BatchMax        int
	RequiredFields  []string
	MaxBodyBytes    int64
	Process         string
	LogFormat       string
	ShutdownTimeout time.Duration
	DynamicConfig   bool

	Redis           RedisConfig
	Postgres        PostgresConfig
	QueuePartitions int    // on Redis; the embedded queue has one
	QueueDurability string // everysec, strict or memory: what an acknowledgement of Redis means
	KeyPrefix       string // of every key in Redis

	sources map[string]string // setting -> environment or default
}

// setting is one static setting: how it is named, documented, read and shown.
type setting struct {
	Env     string
	Default string
	Secret  bool
	About   string
	set     func(c *Config, v string) error
	get     func(c *Config) any
}

// settings lists the static settings in the order of the reference page.
func settings() []setting {
	return []setting{
		{"MUTT_DATA_DIR", "./mutt-data", false, "directory of the embedded storage and of generated keys",
			func(c *Config, v string) error { c.DataDir = filepath.Clean(v); return nil }, func(c *Config) any { return c.DataDir }},
		{"MUTT_INGEST_ADDR", "0.0.0.0:8080", false, "address of the ingest HTTP listener: host, :port or host:port",
			address(8080, func(c *Config) *string { return &c.IngestAddr }), func(c *Config) any { return c.IngestAddr }},
		{"SERVER_PORT_INGESTOR", "", false, "port of the ingest HTTP listener; 0 picks a free one",
			port(func(c *Config) *string { return &c.IngestAddr }), nil},
		{"MUTT_ADMIN_ADDR", "127.0.0.1:8090", false, "address of the admin HTTP listener",
			address(8090, func(c *Config) *string { return &c.AdminAddr }), func(c *Config) any { return c.AdminAddr }},
		{"SERVER_PORT_WEBUI", "", false, "port of the admin HTTP listener; 0 picks a free one",
			port(func(c *Config) *string { return &c.AdminAddr }), nil},
		{"MUTT_OPS_ADDR", "127.0.0.1:8081", false, "address of the ops HTTP listener, or off",
			address(8081, func(c *Config) *string { return &c.OpsAddr }), func(c *Config) any { return c.OpsAddr }},
		{"MUTT_SYSLOG_UDP_ADDR", "0.0.0.0:5514", false, "address of the syslog UDP listener, or off",
			address(5514, func(c *Config) *string { return &c.SyslogUDPAddr }), func(c *Config) any { return c.SyslogUDPAddr }},
		{"MUTT_SYSLOG_TCP_ADDR", "0.0.0.0:5514", false, "address of the syslog TCP listener, or off",
			address(5514, func(c *Config) *string { return &c.SyslogTCPAddr }), func(c *Config) any { return c.SyslogTCPAddr }},
		{"INGEST_API_KEY", "", true, "key of senders; generated into the data directory when empty",
			secretText(func(c *Config) *secret.Secret { return &c.IngestKey }), func(c *Config) any { return c.IngestKey }},
		{"WEBUI_API_KEY", "", true, "key of administrators; generated into the data directory when empty",
			secretText(func(c *Config) *secret.Secret { return &c.AdminKey }), func(c *Config) any { return c.AdminKey }},
		{"MOOG_WEBHOOK_URL", "", false, "where alerts are delivered; alerts wait in the queue while it is empty",
			webhook, func(c *Config) any { return c.WebhookURL }},
		{"MOOG_API_KEY", "", true, "bearer token for the destination",
			secretText(func(c *Config) *secret.Secret { return &c.MoogKey }), func(c *Config) any { return c.MoogKey }},
		{"MOOG_WEBHOOK_TIMEOUT", "10s", false, "bound of one request to the destination: a duration, or seconds",
			duration(func(c *Config) *time.Duration { return &c.WebhookTimeout }), func(c *Config) any { return c.WebhookTimeout.String() }},
		{"MUTT_FORWARD_FORMAT", "moogsoft", false, "payload of the destination: moogsoft or generic",
			oneOf(func(c *Config) *string { return &c.WebhookFormat }, "moogsoft", "generic"), func(c *Config) any { return c.WebhookFormat }},
		{"MUTT_FORWARD_BATCH_MAX", "1", false, "alerts per request to the destination, 1 to 1000",
			whole(1, 1000, func(c *Config, n int64) { c.BatchMax = int(n) }), func(c *Config) any { return c.BatchMax }},
		{"MUTT_INGEST_REQUIRED_FIELDS", "hostname,timestamp,message", false, "fields that an event over HTTP must have",
			list(func(c *Config) *[]string { return &c.RequiredFields }), func(c *Config) any { return c.RequiredFields }},
		{"MUTT_INGEST_MAX_BODY_BYTES", "10485760", false, "largest request body on the wire, in bytes",
			whole(1024, 1<<30, func(c *Config, n int64) { c.MaxBodyBytes = n }), func(c *Config) any { return c.MaxBodyBytes }},
		{"DYNAMIC_CONFIG_ENABLED", "true", false, "false switches the change of dynamic settings off: their routes answer 503, variables and defaults apply",
			boolean(func(c *Config) *bool { return &c.DynamicConfig }), func(c *Config) any { return c.DynamicConfig }},
		{"POD_NAME", "", false, "name of this process in logs and alerts; the host's name when empty",
			func(c *Config, v string) error { c.Process = v; return nil }, func(c *Config) any { return c.Process }},
		{"MUTT_LOG_FORMAT", "auto", false, "json, console, or auto: console on a terminal",
			oneOf(func(c *Config) *string { return &c.LogFormat }, "auto", "json", "console"), func(c *Config) any { return c.LogFormat }},
		{"MUTT_SHUTDOWN_TIMEOUT", "30s", false, "bound of an orderly stop",
			duration(func(c *Config) *time.Duration { return &c.ShutdownTimeout }), func(c *Config) any { return c.ShutdownTimeout.String() }},
		{"REDIS_HOST", "", false, "host of Redis; together with DB_HOST it makes MUTT a distributed one",
			text(func(c *Config) *string { return &c.Redis.host }), func(c *Config) any { return c.Redis.host }},
		{"REDIS_PORT", "6379", false, "port of Redis",
			portNumber(func(c *Config) *int { return &c.Redis.port }), func(c *Config) any { return c.Redis.port }},
		{"REDIS_SENTINELS", "", false, "addresses of the Sentinels, host:port, instead of REDIS_HOST",
			list(func(c *Config) *[]string { return &c.Redis.sentinels }), func(c *Config) any { return c.Redis.sentinels }},
		{"REDIS_SENTINEL_MASTER", "", false, "name of the master that the Sentinels watch",
			text(func(c *Config) *string { return &c.Redis.Master }), func(c *Config) any { return c.Redis.Master }},
		{"REDIS_CLUSTER", "", false, "addresses of some nodes of a Redis Cluster, host:port, instead of REDIS_HOST",
			list(func(c *Config) *[]string { return &c.Redis.cluster }), func(c *Config) any { return c.Redis.cluster }},
		{"REDIS_DB", "0", false, "number of the Redis database",
			whole(0, 1<<20, func(c *Config, n int64) { c.Redis.Database = int(n) }), func(c *Config) any { return c.Redis.Database }},
		{"REDIS_USER", "", false, "user (ACL) of Redis; empty is the default user",
			text(func(c *Config) *string { return &c.Redis.User }), func(c *Config) any { return c.Redis.User }},
		{"REDIS_PASS", "", true, "password of Redis: the former name of REDIS_PASS_CURRENT",
			secretText(func(c *Config) *secret.Secret { return &c.Redis.legacy }), func(c *Config) any { return c.Redis.legacy }},
		{"REDIS_PASS_CURRENT", "", true, "password of Redis that is tried first",
			secretText(func(c *Config) *secret.Secret { return &c.Redis.now }), func(c *Config) any { return c.Redis.now }},
		{"REDIS_PASS_NEXT", "", true, "password of Redis that is tried when the current one is refused",
			secretText(func(c *Config) *secret.Secret { return &c.Redis.next }), func(c *Config) any { return c.Redis.next }},
		{"REDIS_TLS_ENABLED", "false", false, "talk TLS to Redis, and verify its certificate",
			boolean(func(c *Config) *bool { return &c.Redis.TLS }), func(c *Config) any { return c.Redis.TLS }},
		{"REDIS_CA_CERT_PATH", "", false, "file of the authorities (PEM) of Redis's certificate",
			text(func(c *Config) *string { return &c.Redis.CAFile }), func(c *Config) any { return c.Redis.CAFile }},
		{"MUTT_KEY_PREFIX", "mutt", false, "prefix of every key in Redis",
			text(func(c *Config) *string { return &c.KeyPrefix }), func(c *Config) any { return c.KeyPrefix }},
		{"MUTT_QUEUE_PARTITIONS", "4", false, "partitions of each queue on Redis, 1 to 64; the same in every process",
			whole(1, 64, func(c *Config, n int64) { c.QueuePartitions = int(n) }), func(c *Config) any { return c.QueuePartitions }},
		{"MUTT_QUEUE_DURABILITY", "everysec", false, "what Redis must promise before an event counts as accepted: everysec, strict or memory",
			oneOf(func(c *Config) *string { return &c.QueueDurability }, "everysec", "strict", "memory"), func(c *Config) any { return c.QueueDurability }},
		{"DB_HOST", "", false, "host of PostgreSQL",
			text(func(c *Config) *string { return &c.Postgres.Host }), func(c *Config) any { return c.Postgres.Host }},
		{"DB_PORT", "5432", false, "port of PostgreSQL",
			portNumber(func(c *Config) *int { return &c.Postgres.Port }), func(c *Config) any { return c.Postgres.Port }},
		{"DB_NAME", "mutt", false, "name of the database",
			text(func(c *Config) *string { return &c.Postgres.Name }), func(c *Config) any { return c.Postgres.Name }},
		{"DB_USER", "mutt", false, "role of PostgreSQL",
			text(func(c *Config) *string { return &c.Postgres.User }), func(c *Config) any { return c.Postgres.User }},
		{"DB_USER_NEXT", "", false, "role that DB_PASS_NEXT belongs to; empty: the same as DB_USER",
			text(func(c *Config) *string { return &c.Postgres.UserNext }), func(c *Config) any { return c.Postgres.UserNext }},
		{"DB_PASS", "", true, "password of PostgreSQL: the former name of DB_PASS_CURRENT",
			secretText(func(c *Config) *secret.Secret { return &c.Postgres.legacy }), func(c *Config) any { return c.Postgres.legacy }},
		{"DB_PASS_CURRENT", "", true, "password of PostgreSQL that is tried first",
			secretText(func(c *Config) *secret.Secret { return &c.Postgres.now }), func(c *Config) any { return c.Postgres.now }},
		{"DB_PASS_NEXT", "", true, "password of PostgreSQL that is tried when the current one is refused",
			secretText(func(c *Config) *secret.Secret { return &c.Postgres.next }), func(c *Config) any { return c.Postgres.next }},
		{"DB_TLS_ENABLED", "false", false, "talk TLS to PostgreSQL, and verify its certificate",
			boolean(func(c *Config) *bool { return &c.Postgres.TLS }), func(c *Config) any { return c.Postgres.TLS }},
		{"DB_TLS_CA_CERT_PATH", "", false, "file of the authorities (PEM) of PostgreSQL's certificate",
			text(func(c *Config) *string { return &c.Postgres.CAFile }), func(c *Config) any { return c.Postgres.CAFile }},
		{"DB_POOL_MIN_CONN", "2", false, "connections to PostgreSQL that are kept open, 0 to 1000",
			whole(0, 1000, func(c *Config, n int64) { c.Postgres.MinConns = int(n) }), func(c *Config) any { return c.Postgres.MinConns }},
		{"DB_POOL_MAX_CONN", "10", false, "connections to PostgreSQL at the most, 1 to 1000",
			whole(1, 1000, func(c *Config, n int64) { c.Postgres.MaxConns = int(n) }), func(c *Config) any { return c.Postgres.MaxConns }},
	}
}

// LoadConfig reads the environment over the defaults. Every problem is reported, each naming its variable.
// warnings name MUTT_ variables that nothing reads.
func LoadConfig(environ []string) (c Config, warnings []string, err error) {
	env := map[string]string{}
	for _, kv := range environ {
		if k, v, ok := strings.Cut(kv, "="); ok && v != "" {
			env[k] = v
		}
	}
	c.sources = map[string]string{}
	var problems []error
	known := []string{"MUTT_ROLES", "MUTT_SERVER", "MUTT_API_KEY"}
	for _, s := range settings() {
		known = append(known, s.Env)
		c.sources[s.Env] = "default"
		v := s.Default
		if given, ok := env[s.Env]; ok && (!serviceLink(given) || strings.HasSuffix(s.Env, "_PORT")) {
			v, c.sources[s.Env] = strings.TrimSpace(given), "environment"
		}
		if v == "" {
			continue
		}
		if e := s.set(&c, v); e != nil {
			problems = append(problems, fault.Field(fault.ConfigInvalid, s.Env, "%v", e))
		}
	}
	for name := range env {
		if strings.HasPrefix(name, "MUTT_") && !slices.Contains(known, name) && !serviceLink(env[name]) && !testOnly(name) {
			w := fmt.Sprintf("the environment variable %s is not known and is ignored", name)
			if near := config.Nearest(name, known); near != "" {
				w += "; did you mean " + near + "?"
			}
			warnings = append(warnings, w)
		}
	}
	slices.Sort(warnings)
	c.derive()
	return c, warnings, joinFaults(problems)
}

// joinFaults joins the problems into one error of code ConfigInvalid.
func joinFaults(problems []error) error {
	if len(problems) == 0 {
		return nil
	}
	texts := make([]string, len(problems))
	for i, p := range problems {
		f, _ := fault.As(p)
		texts[i] = f.Field + " " + f.Message
	}
	return fault.New(fault.ConfigInvalid, "%s", strings.Join(texts, "; "))
}

// Static gives the effective settings for GET /admin/config, each with its source; secrets stay redacted by type.
func (c *Config) Static() map[string]any {
	out := map[string]any{}
	for _, s := range settings() {
		if s.get != nil {
			out[strings.ToLower(s.Env)] = map[string]any{"value": s.get(c), "source": c.sources[s.Env]}
		}
	}
	return out
}

// serviceLink tells the variables that Kubernetes injects for a service named mutt (MUTT_PORT=tcp://…).
func serviceLink(v string) bool {
	return strings.HasPrefix(v, "tcp://") || strings.HasPrefix(v, "udp://")
}

// testOnly tells the variables of the project's own tests.
func testOnly(name string) bool {
	return strings.HasPrefix(name, "MUTT_TEST_") || name == "MUTT_LOGHUB_DIR" ||
		strings.HasPrefix(name, "MUTT_SERVICE_") || strings.HasPrefix(name, "MUTT_PORT")
}

func address(defaultPort int, field func(*Config) *string) func(*Config, string) error {
	return func(c *Config, v string) error {
		if strings.EqualFold(v, Off) {
			*field(c) = Off
			return nil
		}
		host, portText, err := net.SplitHostPort(v)
		if err != nil { // a bare host
			host, portText = strings.Trim(v, "[]"), strconv.Itoa(defaultPort)
		}
		if n, err := strconv.Atoi(portText); err != nil || n < 0 || n > 65535 || strings.ContainsAny(host, " /") {
			return fmt.Errorf("takes a host, :port or host:port, not %q", v)
		}
		*field(c) = net.JoinHostPort(host, portText)
		return nil
	}
}

func port(field func(*Config) *string) func(*Config, string) error {
	return func(c *Config, v string) error {
		n, err := strconv.Atoi(v)
		if err != nil || n < 0 || n > 65535 {
			return fmt.Errorf("takes a port from 0 to 65535, not %q", v)
		}
		host, _, err := net.SplitHostPort(*field(c))
		if err != nil {
			return fmt.Errorf("the listener is off, so it takes no port")
		}
		*field(c) = net.JoinHostPort(host, v)
		return nil
	}
}

// portNumber takes a port, also in the form that Kubernetes injects for a service: tcp://10.0.0.1:6379.
func portNumber(field func(*Config) *int) func(*Config, string) error {
	return func(c *Config, v string) error {
		text := v
		if serviceLink(v) {
			text = v[strings.LastIndexByte(v, ':')+1:]
		}
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > 65535 {
			return fmt.Errorf("takes a port from 1 to 65535, not %q", v)
		}
		*field(c) = n
		return nil
	}
}

func text(field func(*Config) *string) func(*Config, string) error {
	return func(c *Config, v string) error { *field(c) = v; return nil }
}

func secretText(field func(*Config) *secret.Secret) func(*Config, string) error {
	return func(c *Config, v string) error { *field(c) = secret.New(v); return nil }
}

func duration(field func(*Config) *time.Duration) func(*Config, string) error {
	return func(c *Config, v string) error {
		d, err := time.ParseDuration(v)
		if secs, e := strconv.ParseFloat(v, 64); e == nil {
			d, err = time.Duration(secs*float64(time.Second)), nil
		}
		if err != nil || d <= 0 || d > 24*time.Hour {
			return fmt.Errorf("takes a duration such as 10s, or seconds, not %q", v)
		}
		*field(c) = d
		return nil
	}
}

func oneOf(field func(*Config) *string, options ...string) func(*Config, string) error {
	return func(c *Config, v string) error {
		if v = strings.ToLower(v); !slices.Contains(options, v) {
			return fmt.Errorf("takes one of %s, not %q", strings.Join(options, ", "), v)
		}
		*field(c) = v
		return nil
	}
}

func boolean(field func(*Config) *bool) func(*Config, string) error {
	return func(c *Config, v string) error {
		b, err := strconv.ParseBool(strings.ToLower(v))
		if err != nil {
			return fmt.Errorf("takes true or false, not %q", v)
		}
		*field(c) = b
		return nil
	}
}

func whole(lo, hi int64, set func(*Config, int64)) func(*Config, string) error {
	return func(c *Config, v string) error {
		n, err := strconv.ParseInt(v, 10, 64)
		if err != nil || n < lo || n > hi {
			return fmt.Errorf("takes a whole number from %d to %d, not %q", lo, hi, v)
		}
		set(c, n)
		return nil
	}
}

func list(field func(*Config) *[]string) func(*Config, string) error {
	return func(c *Config, v string) error {
		*field(c) = nil
		for word := range strings.SplitSeq(v, ",") {
			if word = strings.TrimSpace(word); word != "" {
				*field(c) = append(*field(c), word)
			}
		}
		return nil
	}
}

func webhook(c *Config, v string) error {
	u, err := url.Parse(v)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return fmt.Errorf("takes an http or https URL")
	}
	if u.User != nil {
		return fmt.Errorf("takes a URL without a user or password: the key belongs into MOOG_API_KEY")
	}
	c.WebhookURL = v
	return nil
}
