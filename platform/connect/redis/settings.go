package redis

import (
	"net"
	"slices"
	"strconv"

	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/config/static"
	"github.com/muttproject/mutt/platform/connect"
	"github.com/muttproject/mutt/platform/connect/tlsconf"
	"github.com/muttproject/mutt/platform/secret"
)

// Server holds the static settings of Redis: where it is and who logs in. Without Host, Sentinels and Cluster there is no Redis.
type Server struct {
	Host                   string
	Port                   int
	Sentinels              []string // host:port; instead of Host
	Master                 string   // the name of the primary, with Sentinels
	Cluster                []string // host:port of some nodes; instead of Host
	Database               int
	User                   string // "" is Redis's default user
	Password, PasswordNext secret.Secret
	TLS                    tlsconf.Config
}

// peer names the settings of TLS.
func peer() tlsconf.Peer {
	return tlsconf.Peer{Name: "Redis", Section: "redis", Sample: "redis", Enabled: "REDIS_TLS_ENABLED",
		CA: "REDIS_CA_CERT_PATH", Cert: "REDIS_CLIENT_CERT", Key: "REDIS_CLIENT_KEY"}
}

// Settings declares the settings.
func (s *Server) Settings() []static.Setting {
	tls := peer()
	tls.Beyond = func() bool {
		return slices.ContainsFunc(s.Addrs(), func(address string) bool { return !connect.ThisMachine(address) })
	}
	return slices.Concat([]static.Setting{
		{Path: "redis.host", Example: "redis.example.net", Variables: static.Variables("REDIS_HOST"),
			About: "Host of Redis; with PostgreSQL it takes the place of the data directory", Value: static.Text(&s.Host)},
		{Path: "redis.port", Default: "6379", Variables: []static.Variable{{Name: "REDIS_PORT", Link: true}}, About: "Port of Redis", Value: static.Port(&s.Port)},
		{Path: "redis.sentinels", Example: "sentinel-a:26379,sentinel-b:26379", Variables: static.Variables("REDIS_SENTINELS"),
			About: "Sentinels of Redis, instead of redis.host", Value: static.Addresses(&s.Sentinels, 26379)},
		{Path: "redis.sentinel_master", Example: "mymaster", Variables: static.Variables("REDIS_SENTINEL_MASTER"),
			About: "Name of the master that the Sentinels watch", Value: static.Text(&s.Master)},
		{Path: "redis.cluster", Example: "redis-a:6379,redis-b:6379", Variables: static.Variables("REDIS_CLUSTER"),
			About: "Some nodes of a Redis Cluster, instead of redis.host", Value: static.Addresses(&s.Cluster, 6379)},
		{Path: "redis.database", Default: "0", Variables: static.Variables("REDIS_DB"), About: "Number of the database", Value: static.Whole(&s.Database, 0, 1<<20)},
		{Path: "redis.user", Example: "mutt", Variables: static.Variables("REDIS_USER"),
			About: "User (ACL) of Redis; by default Redis's default user", Value: static.Text(&s.User)},
		{Path: "redis.password_file", Example: "/run/secrets/redis_password", Variables: static.Variables("REDIS_PASS", "REDIS_PASS_CURRENT"), Live: true,
			About: "Password that is tried first", Value: static.Password(&s.Password)},
		{Path: "redis.password_next_file", Example: "/run/secrets/redis_password_next", Variables: static.Variables("REDIS_PASS_NEXT"), Live: true,
			About: "Password that is tried when the first is refused", Value: static.Password(&s.PasswordNext)},
	}, tls.Settings(&s.TLS))
}

// Addrs returns host:port of Redis, of the Sentinels, or of some nodes of the Cluster; nil when Redis is not configured.
func (s *Server) Addrs() []string {
	switch {
	case len(s.Sentinels) > 0:
		return s.Sentinels
	case len(s.Cluster) > 0:
		return s.Cluster
	case s.Host != "":
		return []string{net.JoinHostPort(s.Host, strconv.Itoa(s.Port))}
	default:
		return nil
	}
}

// Mode returns how Redis is run.
func (s *Server) Mode() Mode {
	switch {
	case len(s.Sentinels) > 0:
		return Sentinel
	case len(s.Cluster) > 0:
		return Cluster
	default:
		return Standalone
	}
}

// Check lists what contradicts itself or is missing.
func (s *Server) Check() (wrong []string) {
	forms := 0
	for _, set := range []bool{s.Host != "", len(s.Sentinels) > 0, len(s.Cluster) > 0} {
		if set {
			forms++
		}
	}
	if forms > 1 {
		wrong = append(wrong, "REDIS_HOST, REDIS_SENTINELS and REDIS_CLUSTER exclude each other: set one of them")
	}
	if s.Mode() == Sentinel && s.Master == "" {
		wrong = append(wrong, "REDIS_SENTINELS needs REDIS_SENTINEL_MASTER, the name of the master")
	}
	if s.Mode() == Cluster && s.Database != 0 {
		wrong = append(wrong, "a Redis Cluster has database 0 only: leave REDIS_DB out")
	}
	return wrong
}

// Exposure returns what notes the connections of a process, for its health and log.
func Exposure(log *zap.Logger) *connect.Exposure {
	return connect.NewExposure(connect.ExposureOptions{People: peer().Name, TLS: "set " + peer().Enabled + "=true",
		Password: "set REDIS_PASS, and a password in Redis", Log: log})
}

// Config returns what Open needs, without a name and credentials. open reads the files of TLS.
func (s *Server) Config(open tlsconf.Opener) (Config, error) {
	client, err := peer().Client(s.TLS, open)
	return Config{Mode: s.Mode(), Addrs: s.Addrs(), Master: s.Master, Database: s.Database, TLS: client}, err
}
