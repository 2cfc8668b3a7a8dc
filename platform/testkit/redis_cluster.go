package testkit

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
)

// slots is the number of hash slots of a Redis Cluster.
const slots = 16384

// RedisClusterServers are the nodes of a Cluster, all primaries. They have one password and authority.
type RedisClusterServers struct{ Nodes []*RedisServer }

// RedisCluster runs a Cluster of three nodes until the test ends, and returns when it serves all slots.
func RedisCluster(t testing.TB, o RedisOptions) *RedisClusterServers {
	t.Helper()
	const nodes = 3
	o = o.withDefaults(t)
	c := &RedisClusterServers{}
	var buses []int
	for i := range nodes {
		bus := FreePort(t)
		node := o
		node.Settings = append([]string{"cluster-enabled yes", "cluster-node-timeout 2000", "cluster-port " + strconv.Itoa(bus)}, o.Settings...)
		r := Redis(t, node)
		r.Do("CLUSTER", "ADDSLOTSRANGE", strconv.Itoa(i*slots/nodes), strconv.Itoa((i+1)*slots/nodes-1))
		r.Do("CLUSTER", "SET-CONFIG-EPOCH", strconv.Itoa(i+1))
		c.Nodes, buses = append(c.Nodes, r), append(buses, bus)
	}
	for i, r := range c.Nodes[1:] {
		c.Nodes[0].Do("CLUSTER", "MEET", "127.0.0.1", strconv.Itoa(r.port), strconv.Itoa(buses[i+1]))
	}
	for _, r := range c.Nodes {
		var info string
		if !await(patience, func() bool {
			info = r.Do("CLUSTER", "INFO")
			return strings.Contains(info, "cluster_state:ok") && strings.Contains(info, fmt.Sprintf("cluster_known_nodes:%d", nodes))
		}) {
			t.Fatalf("the nodes do not become a Cluster:\n%s", info)
		}
	}
	return c
}

// Addrs gives the addresses of the nodes.
func (c *RedisClusterServers) Addrs() []string { return addrs(c.Nodes) }
