package redis_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/muttproject/mutt/platform/connect/redis"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/testkit"
)

func TestServerAway(t *testing.T) {
	t.Parallel()
	r := testkit.Redis(t, testkit.RedisOptions{})
	client := open(t, config(r))
	r.Stop()
	mustFail(t, ping(t.Context(), client), fault.QueueUnavailable, "ping")
	_, err := redis.Open(t.Context(), config(r))
	if f := mustFail(t, err, fault.QueueUnavailable, "cannot be reached"); f.RetryAfter == 0 {
		t.Fatal("it does not say when to try again")
	}
	r.Start()
	if err := ping(t.Context(), client); err != nil {
		t.Fatalf("the first call after the start: %v", err)
	}
}

func TestServerRefuses(t *testing.T) {
	t.Parallel()
	for words, spoil := range map[string][]string{
		"is a replica":     {"REPLICAOF", "127.0.0.1", "1"},
		"no memory left":   {"CONFIG", "SET", "maxmemory", "1"},
		"may not do this":  {"ACL", "SETUSER", testkit.RedisUser, "-set"},
		"accepts no write": {"CONFIG", "SET", "min-replicas-to-write", "1"},
	} {
		t.Run(words, func(t *testing.T) {
			t.Parallel()
			r := testkit.Redis(t, testkit.RedisOptions{})
			client := open(t, config(r))
			r.Do(spoil...)
			mustFail(t, set(t.Context(), client, "a", "1"), fault.QueueUnavailable, words)
		})
	}
	t.Run("connections", func(t *testing.T) {
		t.Parallel()
		r := testkit.Redis(t, testkit.RedisOptions{})
		r.Do("CONFIG", "SET", "maxclients", "1")
		open(t, config(r))
		_, err := redis.Open(t.Context(), config(r))
		mustFail(t, err, fault.QueueUnavailable, "too many connections")
	})
}

// TestServerRestarted has deadlines, with which the library would otherwise not read connections that nobody waits for.
func TestServerRestarted(t *testing.T) {
	t.Parallel()
	r := testkit.Redis(t, testkit.RedisOptions{})
	client := open(t, config(r))
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	wait := func() error {
		err := client.Do(ctx, client.B().Blpop().Key("none").Timeout(0.01).Build()).Error()
		if rueidis.IsRedisNil(err) {
			return nil
		}
		return redis.Fault(err, "wait")
	}
	for name, restart := range map[string]func(){"nothing": func() {}, "stop": r.Stop, "kill": r.Kill} {
		restart()
		if name != "nothing" {
			endsAreRead(t, r)
		}
		r.Start()
		if err := ping(ctx, client); err != nil {
			t.Errorf("the first call after %s: %v", name, err)
		}
		if err := wait(); err != nil {
			t.Errorf("the first blocking call after %s: %v", name, err)
		}
	}
}

// endsAreRead waits until no connection to a server that has ended is left: until then the client may not know that it ended.
func endsAreRead(t *testing.T, r *testkit.RedisServer) {
	t.Helper()
	_, port, err := net.SplitHostPort(r.Addr())
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	const closeWait = "08" // of proc(5): the other end has closed, and this one has not yet
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		table, err := os.ReadFile("/proc/net/tcp")
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(table), fmt.Sprintf(" 0100007F:%04X %s ", n, closeWait)) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the client has not read in 10 s that its connections ended")
		}
	}
}

func TestServerSilent(t *testing.T) {
	t.Parallel()
	r := testkit.Redis(t, testkit.RedisOptions{})
	client := open(t, config(r))
	r.Pause()
	began := time.Now()
	mustFail(t, ping(t.Context(), client), fault.QueueUnavailable, "ping")
	if took := time.Since(began); took > 6*time.Second {
		t.Errorf("a call without a deadline took %v", took)
	}
	began = time.Now()
	_, err := redis.Open(t.Context(), config(r))
	mustFail(t, err, fault.QueueUnavailable, "did not answer in time")
	if took := time.Since(began); took > 6*time.Second {
		t.Errorf("opening took %v", took)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	began = time.Now()
	mustFail(t, ping(ctx, client), fault.QueueUnavailable, "in time")
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("a call with a deadline of 200 ms took %v", took)
	}
	ctx, cancel = context.WithCancel(t.Context())
	cancel()
	if _, err := redis.Open(ctx, config(r)); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	r.Resume()
	eventually(t, func() error { return ping(t.Context(), client) })
}
