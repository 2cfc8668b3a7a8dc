package connect

import (
	"crypto/tls"
	"net"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

func TestExposure(t *testing.T) {
	t.Parallel()
	tcp := func(ip string) net.Addr { return &net.TCPAddr{IP: net.ParseIP(ip), Port: 6379} }
	plain, certified := (*tls.Config)(nil), &tls.Config{Certificates: make([]tls.Certificate, 1)}
	for name, c := range map[string]struct {
		to       net.Addr
		tls      *tls.Config
		password bool
		want     []string // what is missing
	}{
		"loopback":                          {tcp("127.0.0.1"), plain, false, nil},
		"another loopback":                  {tcp("127.9.9.9"), plain, false, nil},
		"loopback of IPv6":                  {tcp("::1"), plain, false, nil},
		"loopback, mapped":                  {tcp("::ffff:127.0.0.1"), plain, false, nil},
		"a Unix socket":                     {&net.UnixAddr{Name: "/run/redis.sock", Net: "unix"}, plain, false, nil},
		"the network, with both":            {tcp("192.0.2.7"), &tls.Config{}, true, nil},
		"the network, plain":                {tcp("192.0.2.7"), plain, true, []string{"TLS"}},
		"the network, no password":          {tcp("2001:db8::1"), &tls.Config{}, false, []string{"password"}},
		"the network, neither":              {tcp("10.1.2.3"), plain, false, []string{"TLS", "password"}},
		"the network, a client certificate": {tcp("10.1.2.3"), certified, false, nil},
		"link-local":                        {tcp("fe80::1"), plain, true, []string{"TLS"}},
	} {
		core, logs := observer.New(zapcore.WarnLevel)
		e := NewExposure(ExposureOptions{People: "Redis", TLS: "set X_TLS=true", Password: "set X_PASS", Log: zap.New(core)})
		for range 3 {
			e.Connected(c.to, c.tls, c.password)
		}
		e.Connected(tcp("127.0.0.1"), plain, false)
		warnings := e.Warnings()
		if len(warnings) != len(c.want) || logs.Len() != len(c.want) {
			t.Errorf("%s: warnings %q, %d lines in the log, want %q", name, warnings, logs.Len(), c.want)
			continue
		}
		for i, missing := range c.want {
			if !strings.Contains(warnings[i], "without "+missing) && !strings.Contains(warnings[i], "without a "+missing) ||
				!strings.Contains(warnings[i], "set X_") || strings.Contains(warnings[i], "192.") || logs.All()[i].Message != warnings[i] {
				t.Errorf("%s: %q", name, warnings[i])
			}
		}
	}
	var none *Exposure
	none.Connected(tcp("192.0.2.7"), plain, false)
}
