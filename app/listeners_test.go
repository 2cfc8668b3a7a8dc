package app

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/muttproject/mutt/platform/telemetry"
)

// TestDefaultsThatFollow: TLS to the servers is on when an address is not this machine, and syslog over TLS is open when there is a certificate.
func TestDefaultsThatFollow(t *testing.T) {
	t.Parallel()
	const beyond, certificate = "default: an address is not this machine", "default: a certificate is configured"
	for _, c := range []struct {
		environ, path string
		want          any
		source        string
	}{
		{"REDIS_HOST=127.0.0.1", "redis.tls_enabled", false, "default"},
		{"REDIS_HOST=::1", "redis.tls_enabled", false, "default"},
		{"REDIS_HOST=LOCALHOST", "redis.tls_enabled", false, "default"},
		{"", "redis.tls_enabled", false, "default"},
		{"REDIS_HOST=redis", "redis.tls_enabled", true, beyond},
		{"REDIS_HOST=192.0.2.1", "redis.tls_enabled", true, beyond},
		{"REDIS_HOST=localhost.example.net", "redis.tls_enabled", true, beyond},
		{"REDIS_HOST=redis REDIS_TLS_ENABLED=false", "redis.tls_enabled", false, "environment REDIS_TLS_ENABLED"},
		{"REDIS_SENTINELS=127.0.0.1:26379,localhost:26380", "redis.tls_enabled", false, "default"},
		{"REDIS_SENTINELS=127.0.0.1:26379,sentinel-b:26379", "redis.tls_enabled", true, beyond},
		{"REDIS_CLUSTER=[::1]:6379,127.0.0.2:6379", "redis.tls_enabled", false, "default"},
		{"REDIS_CLUSTER=[::1]:6379,[2001:db8::1]:6379", "redis.tls_enabled", true, beyond},
		{"DB_HOST=localhost", "postgres.tls_enabled", false, "default"},
		{"DB_HOST=/run/postgresql", "postgres.tls_enabled", false, "default"},
		{"DB_HOST=db", "postgres.tls_enabled", true, beyond},
		{"DB_HOST=db DB_TLS_ENABLED=false", "postgres.tls_enabled", false, "environment DB_TLS_ENABLED"},
		{"", "listeners.syslog_tls", "off", "default"},
		{"MUTT_TLS_CERT_FILE=c MUTT_TLS_KEY_FILE=k", "listeners.syslog_tls", "0.0.0.0:6514", certificate},
		{"MUTT_SYSLOG_TLS_CERT_FILE=c MUTT_SYSLOG_TLS_KEY_FILE=k", "listeners.syslog_tls", "0.0.0.0:6514", certificate},
		{"MUTT_TLS_CERT_FILE=c MUTT_TLS_KEY_FILE=k MUTT_SYSLOG_TLS_CERT_FILE=off", "listeners.syslog_tls", "off", "default"},
		{"MUTT_TLS_CERT_FILE=c MUTT_TLS_KEY_FILE=k MUTT_SYSLOG_TLS_ADDR=off", "listeners.syslog_tls", "off", "environment MUTT_SYSLOG_TLS_ADDR"},
	} {
		cfg := load(t, strings.Fields(c.environ)...)
		for _, v := range cfg.Values() {
			if v.Path == c.path && (v.Value != c.want || v.Source != c.source) {
				t.Errorf("%s: %s is %v by %s, want %v by %s", c.environ, c.path, v.Value, v.Source, c.want, c.source)
			}
		}
	}
}

func TestTLSWithoutACertificate(t *testing.T) {
	t.Parallel()
	for environ, want := range map[string]string{
		"MUTT_SYSLOG_TLS_ADDR=:6514":                                               "listeners.syslog_tls needs a certificate",
		"MUTT_ADMIN_TLS_CLIENT_CA_FILE=a":                                          "listeners.admin_tls.client_ca_file needs a certificate",
		"MUTT_TLS_CERT_FILE=c MUTT_TLS_KEY_FILE=k MUTT_ADMIN_TLS_CLIENT_CA_FILE=a": "",
	} {
		cfg := load(t, strings.Fields(environ)...)
		if err := cfg.Check(Roles()); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", environ, err)
		}
	}
}

func TestDestinationInClearText(t *testing.T) {
	t.Parallel()
	for url, warned := range map[string]bool{"": false, "http://127.0.0.1:9000/": false, "http://[::1]/x": false, "http://localhost/": false,
		"https://moog.example.net/": false, "http://moog.example.net:80/": true, "HTTP://192.0.2.1/": true} {
		if w := clearTextBeyond(url); (w != "") != warned || strings.Contains(w, "example.net") {
			t.Errorf("%s: %q", url, w)
		}
	}
}

// TestKeysInClearText: a start says which listeners take keys in clear text from other machines. Only administrators' keys are a lasting warning.
func TestKeysInClearText(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		environ string
		logged  []any
		health  bool
	}{
		{"", []any{"ingest"}, false},
		{"MUTT_INGEST_ADDR=127.0.0.1:1", nil, false},
		{"MUTT_INGEST_ADDR=off MUTT_ADMIN_ADDR=localhost:1", nil, false},
		{"MUTT_ADMIN_ADDR=:8090", []any{"ingest", "admin"}, true},
		{"MUTT_ADMIN_ADDR=:8090 MUTT_SECURE_COOKIES=true", []any{"ingest"}, false},
		{"MUTT_OPS_ADDR=:8081", []any{"ingest"}, false},
		{"MUTT_OPS_ADDR=:8081 MUTT_OPS_REMOTE_PROFILES=true", []any{"ingest", "ops"}, true},
		{"MUTT_ADMIN_ADDR=:8090 MUTT_TLS_CERT_FILE=c MUTT_TLS_KEY_FILE=k", nil, false},
		{"MUTT_ADMIN_ADDR=:8090 MUTT_TLS_CERT_FILE=c MUTT_TLS_KEY_FILE=k MUTT_ADMIN_TLS_CERT_FILE=off", []any{"admin"}, true},
	} {
		core, logs := observer.New(zap.InfoLevel)
		p := &parts{opts: Options{Roles: Roles(), Config: load(t, strings.Fields(c.environ)...), Logger: zap.New(core), Now: time.Now}, health: telemetry.NewHealth(time.Now)}
		p.reportClearText()
		var logged []any
		for _, l := range logs.All() {
			logged = append(logged, l.ContextMap()["listeners"].([]any)...)
		}
		report, _ := p.health.Report(t.Context())
		if d := cmp.Diff(c.logged, logged); d != "" || len(report.Warnings) > 0 != c.health {
			t.Errorf("%s: %q %s", c.environ, report.Warnings, d)
		}
	}
}
