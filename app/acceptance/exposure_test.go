package acceptance

import (
	"io"
	"maps"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/muttproject/mutt/app"
	"github.com/muttproject/mutt/app/apptest"
	"github.com/muttproject/mutt/platform/fault"
)

// TestServersBeyondThisMachine reaches Redis and PostgreSQL by loopback, and by an address of the network, both without TLS.
func TestServersBeyondThisMachine(t *testing.T) {
	t.Parallel()
	servers := apptest.NewServers(t, "always")
	network := networkAddress(t)
	near := servers.Env()
	near["REDIS_HOST"], near["DB_HOST"] = "localhost", "localhost"
	far := servers.Env()
	far["REDIS_HOST"], far["REDIS_PORT"] = passed(t, network, servers.Redis.Addr())
	far["DB_HOST"], far["DB_PORT"] = passed(t, network, net.JoinHostPort(servers.Postgres.Host, strconv.Itoa(servers.Postgres.Port)))
	far["REDIS_TLS_ENABLED"], far["DB_TLS_ENABLED"] = "false", "false"
	for _, c := range []struct {
		name string
		env  map[string]string
		want []string
	}{
		{"by loopback", near, nil},
		{"by the network", far, []string{"Redis is reached beyond this machine without TLS", "REDIS_TLS_ENABLED=true",
			"PostgreSQL is reached beyond this machine without TLS", "DB_TLS_ENABLED=true"}},
	} {
		m := apptest.Start(t, apptest.Options{Roles: app.RoleSet{app.Alerter, app.UI}, Env: c.env, NoDestination: true})
		health := string(m.Do(http.MethodGet, m.OpsURL+"/health", nil).Body)
		for _, want := range c.want {
			if !strings.Contains(health, want) {
				t.Errorf("%s: /health does not say %q: %s", c.name, want, health)
			}
		}
		if len(c.want) == 0 && strings.Contains(health, "beyond this machine") || strings.Contains(health, network) {
			t.Errorf("%s: /health says %s", c.name, health)
		}
		m.Stop()
	}
}

// TestUpgradeToTLSByDefault: servers of the network that do not speak TLS are refused by default, and the error names the setting that
// allows them.
func TestUpgradeToTLSByDefault(t *testing.T) {
	t.Parallel()
	servers := apptest.NewServers(t, "always")
	network := networkAddress(t)
	redis, db := map[string]string{}, map[string]string{}
	redis["REDIS_HOST"], redis["REDIS_PORT"] = passed(t, network, servers.Redis.Addr())
	db["DB_HOST"], db["DB_PORT"] = passed(t, network, net.JoinHostPort(servers.Postgres.Host, strconv.Itoa(servers.Postgres.Port)))
	for _, c := range []struct {
		far  map[string]string
		want []string
	}{
		{redis, []string{"REDIS_TLS_ENABLED=false", "REDIS_CA_CERT_PATH"}},
		{db, []string{"DB_TLS_ENABLED=false", "DB_TLS_CA_CERT_PATH"}},
	} {
		env := servers.Env()
		maps.Copy(env, c.far)
		var environ []string
		for name, value := range env {
			environ = append(environ, name+"="+value)
		}
		environ = append(environ, "MUTT_OPS_ADDR=127.0.0.1:0", "MUTT_ADMIN_ADDR=127.0.0.1:0")
		cfg, _, err := app.LoadConfig(environ)
		if err != nil {
			t.Fatal(err)
		}
		a := app.New(app.Options{Roles: app.RoleSet{app.UI}, Config: cfg, Logger: zap.NewNop(), Level: zap.NewAtomicLevel(), FailFast: true, Migrate: true,
			Getenv: func(string) string { return "" }, Now: time.Now, OnAdmin: func(string, string) {}, Started: func(map[string]string) {}})
		err = a.Start(t.Context())
		if err == nil {
			_ = a.Stop(t.Context())
		}
		f, ok := fault.As(err)
		if !ok {
			t.Fatalf("%v: started, %v", c.far, err)
		}
		for _, want := range c.want {
			if !strings.Contains(f.Remedy, want) {
				t.Errorf("%s; %s: does not name %s", f.Message, f.Remedy, want)
			}
		}
	}
}

// networkAddress returns an address of this machine that is not loopback.
func networkAddress(t *testing.T) string {
	t.Helper()
	all, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range all {
		if ip, ok := a.(*net.IPNet); ok && ip.IP.To4() != nil && !ip.IP.IsLoopback() {
			return ip.IP.String()
		}
	}
	t.Skip("this machine has no address but loopback")
	return ""
}

// passed listens on an address and passes connections on to a server. It returns the host and port.
func passed(t *testing.T, address, to string) (host, port string) {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(address, "0"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			go pass(in, to)
		}
	}()
	host, port, err = net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return host, port
}

func pass(in net.Conn, to string) {
	defer func() { _ = in.Close() }()
	out, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer func() { _ = out.Close() }()
	go func() {
		_, _ = io.Copy(out, in)
		_ = out.Close()
	}()
	_, _ = io.Copy(in, out)
}
