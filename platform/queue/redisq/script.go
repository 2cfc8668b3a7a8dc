package redisq

import (
	"context"
	"embed"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/queue"
)

//go:embed script/*.lua
var scriptFiles embed.FS

// scripts are the operations.
type scripts struct {
	append, settle        *rueidis.Lua
	acquire, renew, yield *rueidis.Lua
	claim, release        *rueidis.Lua
	dead, exhume, giveUp  *rueidis.Lua
	stored, depth, purge  *rueidis.Lua
	roster, memory        *rueidis.Lua
}

func loadScripts() (*scripts, error) {
	lib, err := scriptFiles.ReadFile("script/lib.lua")
	if err != nil {
		return nil, fmt.Errorf("read the queue's scripts: %w", err)
	}
	s := &scripts{}
	for name, into := range map[string]**rueidis.Lua{"append": &s.append, "settle": &s.settle, "acquire": &s.acquire,
		"renew": &s.renew, "yield": &s.yield, "claim": &s.claim, "release": &s.release, "dead": &s.dead,
		"exhume": &s.exhume, "giveup": &s.giveUp, "stored": &s.stored, "depth": &s.depth, "purge": &s.purge, "roster": &s.roster,
		"memory": &s.memory} {
		text, err := scriptFiles.ReadFile("script/" + name + ".lua")
		if err != nil {
			return nil, fmt.Errorf("read the queue's scripts: %w", err)
		}
		// Not a retryable one: the caller decides whether a repeat after an unknown outcome is safe.
		*into = rueidis.NewLuaScript(string(lib) + string(text))
	}
	return s, nil
}

// call is one run of a script. Keys and arguments are in the order in which the script reads them.
type call struct {
	keys, args []string
}

// call begins with what all scripts read first.
func (d *Driver) call() *call {
	lease, wall := d.opts.Shift()
	return (&call{}).num(lease.Microseconds()).num(wall.Microseconds())
}

func (c *call) key(keys ...string) *call {
	c.keys = append(c.keys, keys...)
	return c
}

func (c *call) text(args ...string) *call {
	c.args = append(c.args, args...)
	return c
}

// bytes copies: what is on its way when a context ends is written later.
func (c *call) bytes(b []byte) *call { return c.text(string(b)) }

// body is an entry's, after its size.
func (c *call) body(b []byte) *call { return c.num(queue.SizeOf(b)).bytes(b) }

func (c *call) num(n int64) *call { return c.text(strconv.FormatInt(n, 10)) }

// lease says who asks, and which of its steps was done last.
func (c *call) lease(l queue.Lease, step int64) *call { return c.text(l.Owner).num(l.Token).num(step) }

// counts are given as their number and each one's minute, field and addend, with a key for each.
func (c *call) counts(k *partitionKeys, process string, counts []queue.Count) *call {
	c.num(int64(len(counts)))
	for _, n := range counts {
		c.key(k.counters(n.Minute)).num(n.Minute).text(counterField(process, n.Kind, n.Label)).num(n.N)
	}
	return c
}

// reply is a script's answer: a word, and what belongs to it.
type reply struct {
	word string
	rest []rueidis.RedisMessage
}

// run runs a script.
func (d *Driver) run(ctx context.Context, s *rueidis.Lua, doing string, c *call) (reply, error) {
	if err := d.open(); err != nil {
		return reply{}, err
	}
	if err := ctx.Err(); err != nil {
		return reply{}, err
	}
	limited, cancel := context.WithTimeout(ctx, d.opts.Timeout)
	defer cancel()
	all, err := s.Exec(limited, d.client, c.keys, c.args).ToArray()
	if err != nil {
		return reply{}, d.failed(ctx, err, doing)
	}
	if len(all) == 0 {
		return reply{}, fault.New(fault.Internal, "no answer of Redis to: %s", doing)
	}
	word, err := all[0].ToString()
	if err != nil {
		return reply{}, d.failed(ctx, err, doing)
	}
	return reply{word: word, rest: all[1:]}, nil
}

// command runs a plain command.
func (d *Driver) command(ctx context.Context, doing string, cmd rueidis.Completed) (rueidis.RedisResult, error) {
	if err := d.open(); err != nil {
		return rueidis.RedisResult{}, err
	}
	limited, cancel := context.WithTimeout(ctx, d.opts.Timeout)
	defer cancel()
	r := d.client.Do(limited, cmd)
	if err := r.Error(); err != nil && !nothing(err) {
		return r, d.failed(ctx, err, doing)
	}
	return r, nil
}

// failed says why Redis gave no answer. A context's error stays as it is.
func (d *Driver) failed(ctx context.Context, err error, doing string) error {
	if ended := ctx.Err(); ended != nil {
		return ended
	}
	if closed := d.open(); closed != nil {
		return closed
	}
	return unavailable(err, doing)
}

// refused makes an error of a word that is not OK.
func (r reply) refused(l queue.Lease) error {
	switch r.word {
	case "OK":
		return nil
	case "LOST":
		return fault.New(fault.LeaseLost, "the lease of partition %d of queue %s ended", l.Partition, l.Queue)
	case "STALE":
		return fault.New(fault.StaleReceipt, "entry %s is not claimed under this lease", r.id(0))
	case "HELD":
		owner, _ := r.rest[0].ToString() // empty when it is none, which says enough
		return fault.New(fault.LeaseHeld, "partition %d of queue %s is held by %s", l.Partition, l.Queue, owner)
	default:
		return fault.New(fault.Internal, "unknown answer %q of a script", r.word)
	}
}

// timestamp is how times are given to scripts and stored.
func timestamp(t time.Time) int64 { return t.UnixMicro() }
