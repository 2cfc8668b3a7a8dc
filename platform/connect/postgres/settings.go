package postgres

import (
	"slices"

	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/config/static"
	"github.com/muttproject/mutt/platform/connect"
	"github.com/muttproject/mutt/platform/connect/tlsconf"
	"github.com/muttproject/mutt/platform/secret"
)

// Server holds the static settings of PostgreSQL: where it is and who logs in. Without a Host there is no PostgreSQL.
type Server struct {
	Host                   string
	Port                   int
	Database               string
	User, UserNext         string // UserNext belongs to PasswordNext when it is set
	Password, PasswordNext secret.Secret
	TLS                    tlsconf.Config
	MinConns, MaxConns     int
}

// peer names the settings of TLS.
func peer() tlsconf.Peer {
	return tlsconf.Peer{Name: "PostgreSQL", Section: "postgres", Sample: "postgres", Enabled: "DB_TLS_ENABLED",
		CA: "DB_TLS_CA_CERT_PATH", Cert: "DB_TLS_CLIENT_CERT", Key: "DB_TLS_CLIENT_KEY"}
}

// Settings declares the settings.
func (s *Server) Settings() []static.Setting {
	tls := peer()
	tls.Beyond = func() bool { return s.Host != "" && !connect.ThisMachine(s.Host) }
	return slices.Concat([]static.Setting{
		{Path: "postgres.host", Example: "postgres.example.net", Variables: static.Variables("DB_HOST"), About: "Host of PostgreSQL", Value: static.Text(&s.Host)},
		{Path: "postgres.port", Default: "5432", Variables: []static.Variable{{Name: "DB_PORT", Link: true}}, About: "Port of PostgreSQL", Value: static.Port(&s.Port)},
		{Path: "postgres.database", Default: "mutt", Variables: static.Variables("DB_NAME"), About: "Name of the database", Value: static.Text(&s.Database)},
		{Path: "postgres.user", Default: "mutt", Variables: static.Variables("DB_USER"), About: "Role of PostgreSQL", Value: static.Text(&s.User)},
		{Path: "postgres.user_next", Example: "mutt_b", Variables: static.Variables("DB_USER_NEXT"),
			About: "Role that the next password belongs to; by default the same role", Value: static.Text(&s.UserNext)},
		{Path: "postgres.password_file", Example: "/run/secrets/db_password", Variables: static.Variables("DB_PASS", "DB_PASS_CURRENT"), Live: true,
			About: "Password that is tried first", Value: static.Password(&s.Password)},
		{Path: "postgres.password_next_file", Example: "/run/secrets/db_password_next", Variables: static.Variables("DB_PASS_NEXT"), Live: true,
			About: "Password that is tried when the first is refused", Value: static.Password(&s.PasswordNext)},
	}, tls.Settings(&s.TLS), []static.Setting{
		{Path: "postgres.pool_min", Default: "2", Variables: static.Variables("DB_POOL_MIN_CONN"), About: "Connections that are kept open",
			Value: static.Whole(&s.MinConns, 0, 1000)},
		{Path: "postgres.pool_max", Default: "10", Variables: static.Variables("DB_POOL_MAX_CONN"), About: "Connections at the most",
			Value: static.Whole(&s.MaxConns, 1, 1000)},
	})
}

// Check lists what contradicts itself.
func (s *Server) Check() (wrong []string) {
	if s.MinConns > s.MaxConns {
		wrong = append(wrong, "DB_POOL_MIN_CONN is above DB_POOL_MAX_CONN")
	}
	return wrong
}

// Exposure returns what notes the connections of a process, for its health and log.
func Exposure(log *zap.Logger) *connect.Exposure {
	return connect.NewExposure(connect.ExposureOptions{People: peer().Name, TLS: "set " + peer().Enabled + "=true",
		Password: "set DB_PASS, and a password of the role in PostgreSQL", Log: log})
}

// Config returns what Open needs, without a name and credentials. open reads the files of TLS.
func (s *Server) Config(open tlsconf.Opener) (Config, error) {
	client, err := peer().Client(s.TLS, open)
	return Config{Host: s.Host, Port: s.Port, Database: s.Database, MinConns: int32(s.MinConns), MaxConns: int32(s.MaxConns), TLS: client}, err
}
