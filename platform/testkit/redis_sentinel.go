package testkit

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
)

// sentinelMaster is the name of the primary in the tests.
const sentinelMaster = "mutt"

// RedisWithSentinel is a primary and a replica, which three Sentinels watch. All have one password and authority.
type RedisWithSentinel struct {
	Master    string // name of the primary
	Servers   []*RedisServer
	Sentinels []*RedisServer

	t testing.TB
}

// RedisSentinel runs them until the test ends, and returns when the Sentinels could agree on a failover.
func RedisSentinel(t testing.TB, o RedisOptions) *RedisWithSentinel {
	t.Helper()
	o = o.withDefaults(t)
	pass := o.password.Reveal()
	o.Settings = append(o.Settings, "masteruser "+RedisUser, "masterauth "+pass, "repl-diskless-sync-delay 0")
	primary := Redis(t, o)
	o.Settings = append(o.Settings, "replicaof 127.0.0.1 "+strconv.Itoa(primary.port))
	s := &RedisWithSentinel{Master: sentinelMaster, Servers: []*RedisServer{primary, Redis(t, o)}, t: t}
	for range 3 {
		s.Sentinels = append(s.Sentinels, newSentinel(t, o, primary.port))
	}
	s.await("a replica that follows", func() bool {
		return strings.Contains(s.Servers[1].Do("INFO", "replication"), "master_link_status:up")
	})
	for _, one := range s.Sentinels {
		s.await("Sentinels that know each other", func() bool {
			_, err := one.try("SENTINEL", "CKQUORUM", sentinelMaster)
			out, known := one.try("SENTINEL", "REPLICAS", sentinelMaster)
			return err == nil && known == nil && strings.Contains(out, strconv.Itoa(s.Servers[1].port))
		})
	}
	return s
}

func newSentinel(t testing.TB, o RedisOptions, primary int) *RedisServer {
	t.Helper()
	pass := o.password.Reveal()
	o.AOF, o.sentinel = "", true
	o.Settings = []string{
		fmt.Sprintf("sentinel monitor %s 127.0.0.1 %d 2", sentinelMaster, primary),
		fmt.Sprintf("sentinel auth-user %s %s", sentinelMaster, RedisUser),
		fmt.Sprintf("sentinel auth-pass %s %s", sentinelMaster, pass),
		fmt.Sprintf("sentinel down-after-milliseconds %s 1000", sentinelMaster),
		fmt.Sprintf("sentinel failover-timeout %s 5000", sentinelMaster),
		"sentinel sentinel-user " + RedisUser, "sentinel sentinel-pass " + pass,
	}
	return Redis(t, o)
}

// Addrs gives the addresses of the Sentinels.
func (s *RedisWithSentinel) Addrs() []string { return addrs(s.Sentinels) }

// Primary gives the server that the Sentinels hold for the primary.
func (s *RedisWithSentinel) Primary() *RedisServer {
	s.t.Helper()
	answer := strings.Fields(s.Sentinels[0].Do("SENTINEL", "GET-MASTER-ADDR-BY-NAME", sentinelMaster))
	for _, r := range s.Servers {
		if len(answer) == 2 && answer[1] == strconv.Itoa(r.port) {
			return r
		}
	}
	s.t.Fatalf("the Sentinels name an unknown primary: %q", answer)
	return nil
}

func (s *RedisWithSentinel) await(what string, holds func() bool) {
	s.t.Helper()
	if !await(patience, holds) {
		s.t.Fatalf("there is no %s", what)
	}
}

func addrs(servers []*RedisServer) []string {
	var out []string
	for _, s := range servers {
		out = append(out, s.Addr())
	}
	return out
}
