package redisq

import (
	"testing"

	"github.com/muttproject/mutt/platform/fault"
)

func TestDurabilityModes(t *testing.T) {
	good := keeping{aof: "yes", fsync: "everysec", eviction: "noeviction"}
	for name, c := range map[string]struct {
		mode    Durability
		change  func(*keeping)
		code    fault.Code
		unknown int
	}{
		"everysec":                  {mode: Everysec},
		"everysec, always":          {mode: Everysec, change: func(k *keeping) { k.fsync = "always" }},
		"everysec, no sync":         {mode: Everysec, change: func(k *keeping) { k.fsync = "no" }, code: fault.QueueNotDurable},
		"everysec, no file":         {mode: Everysec, change: func(k *keeping) { k.aof = "no" }, code: fault.QueueNotDurable},
		"everysec, evicting":        {mode: Everysec, change: func(k *keeping) { k.eviction = "volatile-ttl" }, code: fault.QueueEvicts},
		"everysec, nothing told":    {mode: Everysec, change: func(k *keeping) { *k = keeping{} }, unknown: 3},
		"everysec, sync not told":   {mode: Everysec, change: func(k *keeping) { k.fsync = "" }, unknown: 1},
		"strict":                    {mode: Strict, change: func(k *keeping) { k.fsync = "always" }},
		"strict, each second":       {mode: Strict, code: fault.QueueNotDurable},
		"strict, no file":           {mode: Strict, change: func(k *keeping) { k.aof = "no" }, code: fault.QueueNotDurable},
		"strict, sync not told":     {mode: Strict, change: func(k *keeping) { k.fsync = "" }, unknown: 1},
		"memory":                    {mode: Memory},
		"memory, no file":           {mode: Memory, change: func(k *keeping) { k.aof, k.fsync = "no", "no" }},
		"memory, evicting":          {mode: Memory, change: func(k *keeping) { k.eviction = "allkeys-lru" }, code: fault.QueueEvicts},
		"memory, policy not told":   {mode: Memory, change: func(k *keeping) { k.eviction = "" }, unknown: 1},
		"memory, no file, not told": {mode: Memory, change: func(k *keeping) { *k = keeping{eviction: "noeviction"} }},
	} {
		k := good
		if c.change != nil {
			c.change(&k)
		}
		unknown, err := c.mode.judge(k)
		if fault.CodeOf(err) != c.code || len(unknown) != c.unknown {
			t.Errorf("%s: %v, unknown %q", name, err, unknown)
		}
	}
}
