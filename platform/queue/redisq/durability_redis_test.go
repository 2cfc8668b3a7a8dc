package redisq_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/muttproject/mutt/platform/connect/redis"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/queue/redisq"
	"github.com/muttproject/mutt/platform/testkit"
)

// inMode opens a driver that closes with the test, if it opens.
func inMode(t *testing.T, s *testkit.RedisServer, mode redisq.Durability, log *zap.Logger) (*redisq.Driver, error) {
	t.Helper()
	d, err := redisq.Open(context.WithoutCancel(t.Context()),
		redisq.Options{Client: connect(t, redis.Standalone, s), Config: redisq.Config{KeyPrefix: "mutt", Partitions: 1, Durability: mode}, Logger: log, Now: time.Now})
	if err == nil {
		t.Cleanup(func() { _ = d.Close() })
	}
	return d, err
}

func TestOpenChecksRedis(t *testing.T) {
	t.Parallel()
	kept := testkit.Redis(t, testkit.RedisOptions{AOF: "everysec"})
	volatile := testkit.Redis(t, testkit.RedisOptions{})
	evicting := testkit.Redis(t, testkit.RedisOptions{AOF: "always", Settings: []string{"maxmemory-policy allkeys-lru"}})
	for name, c := range map[string]struct {
		server *testkit.RedisServer
		mode   redisq.Durability
		code   fault.Code
		warns  string
	}{
		"everysec":         {kept, redisq.Everysec, "", "everysec"},
		"strict":           {kept, redisq.Strict, fault.QueueNotDurable, ""},
		"without a file":   {volatile, redisq.Everysec, fault.QueueNotDurable, ""},
		"memory":           {volatile, redisq.Memory, "", "memory"},
		"evicting":         {evicting, redisq.Everysec, fault.QueueEvicts, ""},
		"evicting, memory": {evicting, redisq.Memory, fault.QueueEvicts, ""},
	} {
		core, logs := observer.New(zap.WarnLevel)
		d, err := inMode(t, c.server, c.mode, zap.New(core))
		if fault.CodeOf(err) != c.code {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil {
			continue
		}
		if w := d.Warnings(); len(w) != 1 || !strings.Contains(w[0], "queue.durability is "+c.warns) || logs.FilterMessage(w[0]).Len() != 1 || !slices.Equal(d.Notes(), w) {
			t.Errorf("%s: warnings %q, %d lines", name, w, logs.Len())
		}
	}
}

// TestManagedRedis refuses CONFIG; then INFO says most of it, and a warning the rest.
func TestManagedRedis(t *testing.T) {
	t.Parallel()
	s := testkit.Redis(t, testkit.RedisOptions{AOF: "always"})
	s.Do("ACL", "SETUSER", s.User, "-config|get")
	d, err := inMode(t, s, redisq.Strict, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	if w := d.Warnings(); len(w) != 1 || !strings.Contains(w[0], "its settings appendfsync:") {
		t.Errorf("warnings %q", w)
	}
	s.Do("ACL", "SETUSER", s.User, "-info")
	if d, err = inMode(t, s, redisq.Everysec, zap.NewNop()); err != nil {
		t.Fatal(err)
	}
	if w := d.Warnings(); !slices.ContainsFunc(w, func(w string) bool {
		return strings.Contains(w, "its settings appendonly, appendfsync, maxmemory-policy:")
	}) {
		t.Errorf("warnings %q", w)
	}
}
