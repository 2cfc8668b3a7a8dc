package app

import (
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"github.com/muttproject/mutt/platform/config/static"
	"github.com/muttproject/mutt/platform/fault"
)

// settings is the table of static settings, bound to c, in the order of the reference page and of the sample file.
func settings(c *Config) []static.Setting {
	table := []static.Setting{
		{Path: "roles", Default: "all", Flag: "roles", Variables: named("MUTT_ROLES"), About: "Jobs of this process; see 'mutt roles'", Value: rolesValue(&c.Roles)},
		{Path: "data_dir", Default: "./mutt-data", Flag: "data-dir", Variables: named("MUTT_DATA_DIR"),
			About: "Directory of the embedded storage and of generated keys", Value: directory(&c.DataDir)},
		{Path: "process", Example: "mutt-7c9f", Variables: named("POD_NAME"), About: "Name of this process in logs and alerts; by default the host's", Value: static.Text(&c.Process)},
		{Path: "shutdown_timeout", Default: "30s", Variables: named("MUTT_SHUTDOWN_TIMEOUT"), About: "Bound of an orderly stop", Value: static.Span(&c.ShutdownTimeout)},
		{Path: "log.format", Default: "auto", Flag: "log-format", Variables: named("MUTT_LOG_FORMAT"), About: "Form of the log; auto is console on a terminal, else json",
			Value: static.OneOf(&c.LogFormat, "auto", "json", "console")},
		{Path: "dynamic_config.enabled", Default: "true", Variables: named("DYNAMIC_CONFIG_ENABLED"),
			About: "False switches the change of dynamic settings off: their routes answer 503, variables and defaults apply", Value: static.Bool(&c.DynamicConfig)},
	}
	return slices.Concat(table, listenerSettings(c), pipelineSettings(c), storeSettings(c), secretSettings(c))
}

func named(names ...string) (out []static.Variable) {
	for _, n := range names {
		out = append(out, static.Variable{Name: n})
	}
	return out
}

func readers(roles ...Role) (out []string) {
	for _, r := range roles {
		out = append(out, string(r))
	}
	return out
}

func listenerSettings(c *Config) []static.Setting {
	return []static.Setting{
		{Path: "listeners.ingest", Default: "0.0.0.0:8080", Readers: readers(Ingestor), About: "Address of the ingest HTTP listener",
			Variables: []static.Variable{{Name: "MUTT_INGEST_ADDR"}, {Name: "SERVER_PORT_INGESTOR", About: "its port alone; 0 picks a free one", Value: static.ListenerPort(&c.IngestAddr)}},
			Value:     static.Listener(&c.IngestAddr, 8080)},
		{Path: "listeners.syslog_udp", Default: "0.0.0.0:5514", Readers: readers(Ingestor), Variables: named("MUTT_SYSLOG_UDP_ADDR"), About: "Address of the syslog UDP listener",
			Value: static.Listener(&c.SyslogUDPAddr, 5514)},
		{Path: "listeners.syslog_tcp", Default: "0.0.0.0:5514", Readers: readers(Ingestor), Variables: named("MUTT_SYSLOG_TCP_ADDR"), About: "Address of the syslog TCP listener",
			Value: static.Listener(&c.SyslogTCPAddr, 5514)},
		{Path: "listeners.admin", Default: "127.0.0.1:8090", Readers: readers(UI), About: "Address of the admin HTTP listener",
			Variables: []static.Variable{{Name: "MUTT_ADMIN_ADDR"}, {Name: "SERVER_PORT_WEBUI", About: "its port alone; 0 picks a free one", Value: static.ListenerPort(&c.AdminAddr)}},
			Value:     static.Listener(&c.AdminAddr, 8090)},
		{Path: "listeners.ops", Default: "127.0.0.1:8081", Variables: named("MUTT_OPS_ADDR"), About: "Address of the ops HTTP listener: health, metrics, profiles",
			Value: static.Listener(&c.OpsAddr, 8081)},
	}
}

func pipelineSettings(c *Config) []static.Setting {
	return []static.Setting{
		{Path: "ingest.api_key_file", Example: "/run/secrets/ingest_api_key", Variables: named("INGEST_API_KEY"), Live: true,
			About: "Key of senders; by default one is generated into the data directory", Value: static.Password(&c.IngestKey)},
		{Path: "ingest.api_key_next_file", Example: "/run/secrets/ingest_api_key_next", Variables: named("INGEST_API_KEY_NEXT"), Live: true,
			About: "Key of senders that is accepted too, while they change over to it", Value: static.Password(&c.IngestKeyNext)},
		{Path: "ingest.required_fields", Default: "hostname,timestamp,message", Readers: readers(Ingestor), Variables: named("MUTT_INGEST_REQUIRED_FIELDS"),
			About: "Fields that an event over HTTP must have", Value: static.List(&c.RequiredFields)},
		{Path: "ingest.max_body_bytes", Default: "10MiB", Readers: readers(Ingestor), Variables: named("MUTT_INGEST_MAX_BODY_BYTES"),
			About: "Largest request body on the wire", Value: static.Size(&c.MaxBodyBytes, 1<<10, 1<<30)},
		{Path: "admin.api_key_file", Example: "/run/secrets/webui_api_key", Variables: named("WEBUI_API_KEY"), Live: true,
			About: "Key of administrators; by default one is generated into the data directory", Value: static.Password(&c.AdminKey)},
		{Path: "admin.api_key_next_file", Example: "/run/secrets/webui_api_key_next", Variables: named("WEBUI_API_KEY_NEXT"), Live: true,
			About: "Key of administrators that is accepted too, while they change over to it", Value: static.Password(&c.AdminKeyNext)},
		{Path: "admin.session_idle_timeout", Default: "1h", Readers: readers(UI), Variables: named("MUTT_SESSION_IDLE_TIMEOUT"),
			About: "A session of the user interface ends when it was not used for so long", Value: static.Span(&c.SessionIdle)},
		{Path: "admin.session_max_age", Default: "12h", Readers: readers(UI), Variables: named("MUTT_SESSION_MAX_AGE"),
			About: "A session of the user interface ends so long after the login", Value: static.Span(&c.SessionMax)},
		{Path: "admin.secure_cookies", Default: "false", Readers: readers(UI), Variables: named("MUTT_SECURE_COOKIES"),
			About: "Browsers send the session's cookie over TLS only; set it where a proxy before MUTT speaks TLS", Value: static.Bool(&c.SecureCookies)},
		{Path: "forward.url", Example: "https://moog.example.net/events", Readers: readers(Forwarder), Variables: named("MOOG_WEBHOOK_URL"),
			About: "Where alerts are delivered; they wait in the queue while it is not set", Value: remoteURL(&c.WebhookURL, "the key belongs into MOOG_API_KEY")},
		{Path: "forward.api_key_file", Example: "/run/secrets/moog_api_key", Readers: readers(Forwarder), Variables: named("MOOG_API_KEY"), Live: true,
			About: "Bearer token for the destination", Value: static.Password(&c.MoogKey)},
		{Path: "forward.ca_file", Example: "/etc/mutt/moog-ca.pem", Readers: readers(Forwarder), Variables: named("MOOG_CA_CERT_PATH"),
			About: "Authorities (PEM) of the destination's certificate; by default the system's", Value: static.Text(&c.MoogCAFile)},
		{Path: "forward.client_cert_file", Example: "/etc/mutt/moog-client.pem", Readers: readers(Forwarder), Variables: named("MOOG_CLIENT_CERT"),
			About: "Certificate (PEM) that is shown to the destination when it asks for one", Value: static.Text(&c.MoogClientCert)},
		{Path: "forward.client_key_file", Example: "/etc/mutt/moog-client.key", Readers: readers(Forwarder), Variables: named("MOOG_CLIENT_KEY"),
			About: "Key (PEM) of that certificate", Value: static.Text(&c.MoogClientKey)},
		{Path: "forward.timeout", Default: "10s", Readers: readers(Forwarder), Variables: named("MOOG_WEBHOOK_TIMEOUT"),
			About: "Bound of one request to the destination", Value: static.Span(&c.WebhookTimeout)},
		{Path: "forward.format", Default: "moogsoft", Readers: readers(Forwarder), Variables: named("MUTT_FORWARD_FORMAT"),
			About: "Payload of the destination", Value: static.OneOf(&c.WebhookFormat, "moogsoft", "generic")},
		{Path: "forward.batch_max", Default: "1", Readers: readers(Forwarder), Variables: named("MUTT_FORWARD_BATCH_MAX"),
			About: "Alerts in one request to the destination at the most", Value: static.Whole(&c.BatchMax, 1, 1000)},
		{Path: "prometheus.url", Example: "http://127.0.0.1:9090", Readers: readers(UI), Variables: named("PROMETHEUS_URL"),
			About: "Prometheus that scrapes every process, from which the objectives are measured; by default MUTT's own counters", Value: remoteURL(&c.PrometheusURL, "MUTT shows none to Prometheus")},
		{Path: "prometheus.ca_file", Example: "/etc/mutt/prometheus-ca.pem", Readers: readers(UI), Variables: named("PROMETHEUS_CA_CERT_PATH"),
			About: "Authorities (PEM) of Prometheus's certificate; by default the system's", Value: static.Text(&c.PrometheusCAFile)},
		{Path: "queue.partitions", Default: "4", Variables: named("MUTT_QUEUE_PARTITIONS"),
			About: "Partitions of each queue on Redis, the same in every process; the embedded queue has one", Value: static.Whole(&c.QueuePartitions, 1, 64)},
		{Path: "queue.durability", Default: "everysec", Variables: named("MUTT_QUEUE_DURABILITY"),
			About: "What Redis must promise before an event counts as accepted", Value: static.OneOf(&c.QueueDurability, "everysec", "strict", "memory")},
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
	}, func() any { return readers(*roles...) }).WithWords(append([]string{"all"}, readers(Roles()...)...)...)
}

func directory(field *string) static.Value {
	return static.NewValue("a directory", func(text string) error { *field = filepath.Clean(text); return nil }, func() any { return *field })
}

// remoteURL takes the URL of a server. Its errors do not repeat the URL, which may hold a password; instead says where that belongs.
func remoteURL(field *string, instead string) static.Value {
	return static.NewValue("an http or https URL", func(text string) error {
		u, err := url.Parse(text)
		if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
			return errors.New("takes an http or https URL")
		}
		if u.User != nil {
			return errors.New("takes a URL without a user or password: " + instead)
		}
		*field = text
		return nil
	}, func() any { return *field })
}

// keyPrefix takes what begins every key in Redis. Braces would move the hash tags of a Cluster.
func keyPrefix(field *string) static.Value {
	return static.NewValue("up to 60 letters, digits, and - _ . :", func(text string) error {
		if len(text) > 60 || strings.Trim(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:") != "" {
			return errors.New("takes up to 60 letters, digits, and - _ . :")
		}
		*field = text
		return nil
	}, func() any { return *field })
}
