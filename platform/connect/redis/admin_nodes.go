package redis

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/redis/rueidis"

	"github.com/muttproject/mutt/platform/fault"
)

// Nodes gives every server that has users of its own: the one of a standalone Redis; the primary and replicas that Sentinel knows, and those
// Sentinels that ask for a password; the nodes of a Cluster. One that cannot be reached is an error: it would come back with the users that
// it had.
func (a *Administrator) Nodes(ctx context.Context) ([]Node, error) {
	switch a.config.Mode {
	case Sentinel:
		return a.watched(ctx)
	case Cluster:
		return a.members(ctx)
	default:
		return []Node{{Addr: a.config.Addrs[0]}}, nil
	}
}

// first asks the configured addresses in turn until one answers.
func (a *Administrator) first(ctx context.Context, sentinel bool, ask func(context.Context, rueidis.Client) error) (err error) {
	for _, addr := range a.config.Addrs {
		if err = a.on(ctx, Node{addr, sentinel}, ask); err == nil {
			return nil
		}
	}
	return err
}

// members are the nodes that CLUSTER NODES lists: id address@bus[,hostname] flags …
func (a *Administrator) members(ctx context.Context) (out []Node, err error) {
	err = a.first(ctx, false, func(ctx context.Context, c rueidis.Client) error {
		text, err := c.Do(ctx, c.B().Arbitrary("CLUSTER", "NODES").Build()).ToString()
		if err != nil {
			return Fault(err, "list the nodes of the Cluster")
		}
		out = nil
		for line := range strings.Lines(text) {
			fields := strings.Fields(line)
			if len(fields) < 3 {
				return fault.New(fault.QueueUnavailable, "the list of the Cluster's nodes is not understood")
			}
			addr, _, _ := strings.Cut(fields[1], "@")
			flags := strings.Split(fields[2], ",")
			if slices.ContainsFunc([]string{"fail", "fail?", "handshake", "noaddr"}, func(bad string) bool { return slices.Contains(flags, bad) }) {
				return down(addr)
			}
			out = append(out, Node{Addr: addr})
		}
		return nil
	})
	return out, err
}

func down(addr string) error {
	return fault.New(fault.QueueUnavailable, "the node %s of Redis is down: it would come back with its old users", addr).
		WithRemedy("bring it back, or take it out of the Cluster or of Sentinel's list, and go on")
}

// watched are the servers that a Sentinel knows for the primary, and the Sentinels.
func (a *Administrator) watched(ctx context.Context) (out []Node, err error) {
	var sentinels []Node
	err = a.first(ctx, true, func(ctx context.Context, c rueidis.Client) error {
		out, sentinels = nil, nil
		for _, list := range []string{"MASTERS", "REPLICAS", "SENTINELS"} {
			servers, err := a.list(ctx, c, list)
			if err != nil {
				return err
			}
			for _, s := range servers {
				addr := net.JoinHostPort(s["ip"], s["port"])
				switch flags := s["flags"]; {
				case list == "MASTERS" && s["name"] != a.config.Master:
				case strings.Contains(flags, "down"), strings.Contains(flags, "disconnected"):
					return down(addr)
				case list == "SENTINELS":
					sentinels = append(sentinels, Node{addr, true})
				default:
					out = append(out, Node{Addr: addr})
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, addr := range a.config.Addrs {
		if n := (Node{addr, true}); !slices.Contains(sentinels, n) {
			sentinels = append(sentinels, n)
		}
	}
	for _, n := range sentinels {
		asks, err := a.asks(ctx, n)
		if err != nil {
			return nil, err
		}
		if asks {
			out = append(out, n)
		}
	}
	return out, nil
}

// asks reports whether a node knows the user and wants a password of it.
func (a *Administrator) asks(ctx context.Context, n Node) (yes bool, err error) {
	err = a.on(ctx, n, func(ctx context.Context, c rueidis.Client) error {
		flags, err := about(ctx, c, a.user, "flags")
		yes = err == nil && !slices.Contains(flags, "nopass")
		if fault.Is(err, fault.NotFound) {
			return nil
		}
		return err
	})
	return yes, err
}

// list asks a Sentinel for MASTERS, or for the REPLICAS or SENTINELS of the primary.
func (a *Administrator) list(ctx context.Context, c rueidis.Client, what string) ([]map[string]string, error) {
	command := c.B().Arbitrary("SENTINEL", what)
	if what != "MASTERS" {
		command = command.Args(a.config.Master)
	}
	answer, err := c.Do(ctx, command.Build()).ToArray()
	if err != nil {
		return nil, Fault(err, fmt.Sprintf("ask a Sentinel for its %s", strings.ToLower(what)))
	}
	out := make([]map[string]string, len(answer))
	for i := range answer {
		if out[i], err = answer[i].AsStrMap(); err != nil {
			return nil, Fault(err, "read the answer of a Sentinel")
		}
	}
	return out, nil
}
