package apptest

import (
	"strconv"
	"strings"
	"testing"

	"github.com/muttproject/mutt/platform/testkit"
)

// Servers are the Redis and the PostgreSQL of a distributed MUTT, for one test alone.
type Servers struct {
	Redis    *testkit.RedisServer
	Postgres *testkit.PostgresServer
	Database string

	strict bool // Redis writes each append to the disk
}

// NewServers runs both until the test ends; aof is Redis's appendfsync.
func NewServers(t testing.TB, aof string) *Servers {
	t.Helper()
	s := &Servers{Redis: testkit.Redis(t, testkit.RedisOptions{AOF: aof}), Postgres: testkit.Postgres(t, testkit.PostgresOptions{})}
	s.Database, s.strict = s.Postgres.NewDatabase(t), aof == "always"
	return s
}

// Env gives the settings that lead a process to them.
func (s *Servers) Env() map[string]string {
	env := s.RedisEnv()
	env["DB_HOST"], env["DB_PORT"], env["DB_NAME"] = s.Postgres.Host, strconv.Itoa(s.Postgres.Port), s.Database
	env["DB_USER"], env["DB_PASS"] = s.Postgres.User, s.Postgres.Password.Reveal()
	return env
}

// RedisEnv gives the settings of an ingestor or forwarder, which does without PostgreSQL.
func (s *Servers) RedisEnv() map[string]string {
	host, port, _ := strings.Cut(s.Redis.Addr(), ":")
	env := map[string]string{"REDIS_HOST": host, "REDIS_PORT": port, "REDIS_USER": s.Redis.User, "REDIS_PASS": s.Redis.Password.Reveal()}
	if s.strict {
		env["MUTT_QUEUE_DURABILITY"] = "strict"
	}
	return env
}

// Backup copies the database as it is now, for Restore. Connections of processes are cut for a moment.
func (s *Servers) Backup() {
	s.alone(s.Database, "CREATE DATABASE "+s.backup()+" TEMPLATE "+s.Database+" OWNER "+s.Postgres.User)
}

// Restore puts the backup in the place of the database, as an operator does under processes that run.
func (s *Servers) Restore() {
	s.alone(s.Database, "DROP DATABASE "+s.Database, "CREATE DATABASE "+s.Database+" TEMPLATE "+s.backup()+" OWNER "+s.Postgres.User)
}

func (s *Servers) backup() string { return s.Database + "_backup" }

// alone runs statements while nobody is connected to a database.
func (s *Servers) alone(database string, statements ...string) {
	run := func(statement string) { s.Postgres.SQL("postgres", statement) }
	run("ALTER DATABASE " + database + " ALLOW_CONNECTIONS false")
	run("SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = '" + database + "'")
	for _, statement := range statements {
		run(statement)
	}
	run("ALTER DATABASE " + database + " ALLOW_CONNECTIONS true")
}
