package acceptance

import (
	"crypto/tls"
	"io"
	"log"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/muttproject/mutt/app/apptest"
	"github.com/muttproject/mutt/platform/testkit"
)

// clientFiles are what MUTT trusts and shows at one server.
type clientFiles struct {
	*testing.T
	ca, cert, key string
}

func newClientFiles(t *testing.T, a *testkit.Authority) clientFiles {
	t.Helper()
	dir := t.TempDir()
	f := clientFiles{t, filepath.Join(dir, "ca.pem"), filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")}
	f.put(a)
	return f
}

// put replaces them by those of an authority.
func (f clientFiles) put(a *testkit.Authority) {
	f.Helper()
	cert, key := a.Pair(f.T, time.Now().Add(time.Hour))
	testkit.Replace(f.T, map[string]string{f.ca: a.CAFile, f.cert: cert, f.key: key})
}

// guarded is a door in front of the destination: TLS, with a client certificate of the authority.
type guarded struct {
	*testing.T
	url string
	now atomic.Pointer[tls.Config]
}

func newGuarded(t *testing.T, destination string, a *testkit.Authority) *guarded {
	t.Helper()
	target, err := url.Parse(destination)
	if err != nil {
		t.Fatal(err)
	}
	g := &guarded{T: t}
	g.renew(a)
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target); r.Out.URL.Path = target.Path }, ErrorLog: log.New(io.Discard, "", 0)}
	s := httptest.NewUnstartedServer(proxy)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.TLS = &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return g.now.Load(), nil }}
	s.StartTLS()
	t.Cleanup(s.Close)
	g.url = s.URL
	return g
}

func (g *guarded) renew(a *testkit.Authority) {
	g.Helper()
	cert, key := a.Pair(g.T, time.Now().Add(time.Hour))
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		g.Fatal(err)
	}
	g.now.Store(&tls.Config{Certificates: []tls.Certificate{pair}, ClientCAs: a.Client().RootCAs, ClientAuth: tls.RequireAndVerifyClientCert})
}

// TestCertificatesChangeUnderWay runs on servers that ask for client certificates, and gives all of them and MUTT those of other
// authorities while it works.
func TestCertificatesChangeUnderWay(t *testing.T) {
	t.Parallel()
	pg := testkit.Postgres(t, testkit.PostgresOptions{TLS: true, Mutual: true})
	redis := testkit.Redis(t, testkit.RedisOptions{AOF: "always", TLS: true, Mutual: true})
	first := testkit.NewAuthority(t)
	destination := apptest.NewDestination(t)
	moog := newGuarded(t, destination.URL, first)
	forPG, forRedis, forMoog := newClientFiles(t, pg.Authority()), newClientFiles(t, redis.Authority()), newClientFiles(t, first)
	host, port, _ := strings.Cut(redis.Addr(), ":")
	m := apptest.Start(t, apptest.Options{NoDestination: true, Rules: []byte(rules), Env: map[string]string{
		"DB_HOST": pg.Host, "DB_PORT": strconv.Itoa(pg.Port), "DB_NAME": pg.NewDatabase(t), "DB_USER": pg.User, "DB_PASS": pg.Password.Reveal(),
		"DB_TLS_ENABLED": "true", "DB_TLS_CA_CERT_PATH": forPG.ca, "DB_TLS_CLIENT_CERT": forPG.cert, "DB_TLS_CLIENT_KEY": forPG.key,
		"REDIS_HOST": host, "REDIS_PORT": port, "REDIS_USER": redis.User, "REDIS_PASS": redis.Password.Reveal(), "MUTT_QUEUE_DURABILITY": "strict",
		"REDIS_TLS_ENABLED": "true", "REDIS_CA_CERT_PATH": forRedis.ca, "REDIS_CLIENT_CERT": forRedis.cert, "REDIS_CLIENT_KEY": forRedis.key,
		"MOOG_WEBHOOK_URL": moog.url, "MOOG_CA_CERT_PATH": forMoog.ca, "MOOG_CLIENT_CERT": forMoog.cert, "MOOG_CLIENT_KEY": forMoog.key,
	}})
	m.Destination = destination
	through(m, "first")

	second := testkit.NewAuthority(t)
	pg.Renew(second, time.Now().Add(time.Hour))
	redis.Renew(second, time.Now().Add(time.Hour))
	moog.renew(second)
	for _, f := range []clientFiles{forPG, forRedis, forMoog} {
		f.put(second)
	}
	redis.Do("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
	pg.SQL("postgres", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'mutt'")
	healthy(t, m)
	through(m, "second")
	m.ExpectBalanced()
}
