package rotate_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/muttproject/mutt/app"
	"github.com/muttproject/mutt/app/apptest"
	"github.com/muttproject/mutt/app/rotate"
	"github.com/muttproject/mutt/platform/connect/redis"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/rotation"
	"github.com/muttproject/mutt/platform/testkit"
)

// TestManyNodes rotates the password of a Redis of several servers under a running MUTT, by commands that are killed when the first node
// was changed and others were not. At the end every node refuses the old one, and what the servers do as MUTT's user goes on.
func TestManyNodes(t *testing.T) {
	t.Parallel()
	t.Run("sentinel", func(t *testing.T) {
		t.Parallel()
		r := testkit.RedisSentinel(t, testkit.RedisOptions{AOF: "everysec"})
		n := newNodes(t, map[string]string{"REDIS_SENTINELS": strings.Join(r.Addrs(), ","), "REDIS_SENTINEL_MASTER": r.Master}, r.Servers, r.Sentinels)
		n.rotate()
		n.loggedInAnew()
	})
	t.Run("cluster", func(t *testing.T) {
		t.Parallel()
		r := testkit.RedisCluster(t, testkit.RedisOptions{AOF: "everysec"})
		for _, s := range r.Nodes { // what a replica would follow its primary with
			s.Do("CONFIG", "SET", "masteruser", testkit.RedisUser, "masterauth", s.Password.Reveal())
		}
		newNodes(t, map[string]string{"REDIS_CLUSTER": r.Nodes[0].Addr()}, r.Nodes, nil).rotate()
	})
}

// nodes is a MUTT of one process on a Redis of several servers.
type nodes struct {
	*site
	servers, sentinels []*testkit.RedisServer
	sent               int
}

func newNodes(t *testing.T, form map[string]string, servers, sentinels []*testkit.RedisServer) *nodes {
	t.Helper()
	form["REDIS_HOST"], form["REDIS_PORT"] = "", ""
	n := &nodes{site: &site{T: t, Vaulted: apptest.NewVaulted(t, "everysec"), form: form}, servers: servers, sentinels: sentinels}
	n.put(n.Values(""), "REDIS_PASS_CURRENT", servers[0].Password.Reveal())
	for _, s := range n.all() {
		s.Do("ACL", "SETUSER", n.Admins.RedisUser, "on", ">"+n.Admins.RedisPassword.Reveal(), "~*", "&*", "+@all")
		s.User, s.Password = n.Admins.RedisUser, n.Admins.RedisPassword
	}
	n.api = n.start("api", n.Env(), app.Roles()...)
	return n
}

func (n *nodes) all() []*testkit.RedisServer {
	return append(n.servers[:len(n.servers):len(n.servers)], n.sentinels...)
}

// rotate runs commands until one comes to the end. One that finds a server or Sentinel busy is run again, as an operator would.
func (n *nodes) rotate() {
	n.Helper()
	old := n.Values("")["REDIS_PASS_CURRENT"].(string)
	kills := map[string]bool{"after a server was changed at add": true, "after a server was changed at remove": true}
	apptest.EventuallyWithin(n, 3*time.Minute, "the password is rotated", func() (bool, any) {
		ctx, cancel := context.WithCancel(n.Context())
		defer cancel()
		err := n.rotation(rotation.Redis, func(o *rotate.Options) {
			o.Fault = func(point string) error {
				if n.sent < 150 { // one page of the audit shows them all; a Sentinel in TILT takes many commands
					n.send()
				}
				if !kills[point] {
					return nil
				}
				delete(kills, point)
				cancel() // and the next node is not reached
				return errKilled
			}
		}).Run(ctx)
		if err != nil && !errors.Is(err, errKilled) && !fault.Is(err, fault.QueueUnavailable) {
			n.Fatal(err)
		}
		return err == nil, err
	})
	if len(kills) > 0 {
		n.Errorf("it was not killed %v", kills)
	}
	next := n.Values("")["REDIS_PASS_CURRENT"].(string)
	n.accept(next, true)
	n.accept(old, false)
	for _, s := range n.servers {
		if got := strings.Fields(s.Do("CONFIG", "GET", "masterauth")); len(got) != 2 || got[1] != next {
			n.Errorf("%s follows others with another password than the new one", s.Addr())
		}
	}
	n.send()
	n.api.ExpectAudit(n.sent, url.Values{"hostname": {"sw1"}, "limit": {"200"}})
	n.api.ExpectBalanced()
}

// send has an event accepted, once. On a busy machine the Sentinels may think that a failover is needed; that is waited for.
func (n *nodes) send() {
	n.Helper()
	n.sent++
	event := []byte(fmt.Sprintf(`{"id":%q,"hostname":"sw1","timestamp":%q,"message":"link down"}`, uuid.NewString(), time.Now().UTC().Format(time.RFC3339)))
	apptest.Eventually(n, "the event is accepted", func() (bool, any) {
		a := n.api.Post("/api/v2/ingest", event)
		return a.Status == http.StatusOK, a
	})
}

// accept sees that every node accepts a password of MUTT's user, or that none does.
func (n *nodes) accept(password string, want bool) {
	n.Helper()
	for i, s := range n.all() {
		a, err := redis.NewAdministrator(redis.Config{Addrs: []string{s.Addr()}}, testkit.RedisUser)
		if err != nil {
			n.Fatal(err)
		}
		node := redis.Node{Addr: s.Addr(), Sentinel: i >= len(n.servers)}
		if got, err := a.Accepts(n.Context(), node, secretOf(password)); err != nil || got != want {
			n.Errorf("%+v accepts the password: %v, %v; want %v", node, got, err, want)
		}
	}
}

// loggedInAnew ends what servers and Sentinels have open as MUTT's user: they come back with the new password, and so does MUTT.
func (n *nodes) loggedInAnew() {
	n.Helper()
	for _, s := range n.all() {
		s.Do("CLIENT", "KILL", "USER", testkit.RedisUser)
	}
	apptest.Eventually(n, "the replica follows, and the Sentinels watch", func() (bool, any) {
		for _, s := range n.servers {
			watching := 0
			for line := range strings.Lines(s.Do("CLIENT", "LIST")) {
				if strings.Contains(line, " name=sentinel-") && strings.Contains(line, "-cmd ") && strings.Contains(line, " user="+testkit.RedisUser+" ") {
					watching++
				}
			}
			if watching < len(n.sentinels) {
				return false, s.Do("CLIENT", "LIST")
			}
		}
		first, second := n.servers[0].Do("INFO", "replication"), n.servers[1].Do("INFO", "replication")
		return strings.Contains(first+second, "master_link_status:up"), first + second
	})
	apptest.Eventually(n, "MUTT is well", func() (bool, any) {
		status, h := n.health(n.api)
		return status == http.StatusOK, h
	})
	n.send()
	n.api.ExpectAudit(n.sent, url.Values{"hostname": {"sw1"}, "limit": {"200"}})
}
