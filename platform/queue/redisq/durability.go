package redisq

import (
	"fmt"
	"strings"

	"github.com/muttproject/mutt/platform/fault"
)

// Durability says what Redis must promise before an append counts as done.
type Durability string

// The modes.
const (
	Everysec Durability = "everysec" // an append-only file that is synced each second; a recall closes most of the gap
	Strict   Durability = "strict"   // the file is synced before Redis answers
	Memory   Durability = "memory"   // nothing: a restart of Redis may lose the queue
)

// keeping is what one Redis says about how it keeps its data; a field is empty when it does not say.
type keeping struct {
	aof      string // appendonly: yes or no
	fsync    string // appendfsync: always, everysec or no
	eviction string // maxmemory-policy
}

// judge says whether a Redis is good enough for a mode, and what could not be found out.
func (d Durability) judge(k keeping) (unknown []string, err error) {
	if k.eviction != "" && k.eviction != "noeviction" {
		return nil, fault.New(fault.QueueEvicts, "Redis has maxmemory-policy %s: it may delete events that were accepted", k.eviction)
	}
	switch {
	case d == Memory:
	case k.aof == "no":
		return nil, fault.New(fault.QueueNotDurable, "Redis has no append-only file: a restart loses events that were accepted").
			WithRemedy("set appendonly yes in Redis, or queue.durability memory to accept the loss")
	case d == Strict && k.fsync != "" && k.fsync != "always":
		return nil, fault.New(fault.QueueNotDurable, "Redis has appendfsync %s, and queue.durability is strict", k.fsync).
			WithRemedy("set appendfsync always in Redis, or queue.durability everysec")
	case k.fsync == "no":
		return nil, fault.New(fault.QueueNotDurable, "Redis has appendfsync no: a power cut can lose half a minute of accepted events").
			WithRemedy("set appendfsync everysec or always in Redis, or queue.durability memory to accept the loss")
	}
	for _, f := range []struct {
		name, value string
		matters     bool
	}{{"appendonly", k.aof, d != Memory}, {"appendfsync", k.fsync, d != Memory}, {"maxmemory-policy", k.eviction, true}} {
		if f.matters && f.value == "" {
			unknown = append(unknown, f.name)
		}
	}
	return unknown, nil
}

// promise is what a mode costs, in words for the operator; empty when nothing is to be warned of.
func (d Durability) promise() string {
	switch d {
	case Memory:
		return "queue.durability is memory: a restart of Redis can lose accepted events"
	case Everysec:
		return "queue.durability is everysec: when the host of Redis and a MUTT process fail together, " +
			"the last second of accepted events can be lost"
	default:
		return ""
	}
}

// unchecked is the warning about settings that a Redis does not tell. It names no node: anybody may read /health.
func (d Durability) unchecked(settings []string) string {
	return fmt.Sprintf("Redis does not tell its settings %s: queue.durability %s cannot be checked; "+
		"allow the user CONFIG GET, or check the settings yourself", strings.Join(settings, ", "), d)
}
