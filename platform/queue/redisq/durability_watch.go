package redisq

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/redis/rueidis"
	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/fault"
)

const (
	guardEvery = time.Minute
	guardRetry = 5 * time.Second // while Redis does not answer
)

// guard watches that Redis keeps what the durability mode promises: at the start, and from then on, as Redis may come back
// with other settings, or another Redis after a failover.
type guard struct {
	client rueidis.Client
	mode   Durability
	log    *zap.Logger

	mu       sync.Mutex
	warnings []string
}

// check asks every node. An error carries QueueNotDurable, QueueEvicts, or QueueUnavailable when no node answers.
func (g *guard) check(ctx context.Context) error {
	var warnings []string
	nodes := map[string][]string{} // that a warning is about, for the log
	if p := g.mode.promise(); p != "" {
		warnings = append(warnings, p)
	}
	var away, failed error
	answered := false
	for node, client := range g.client.Nodes() {
		k, err := ask(ctx, client)
		if err != nil {
			away = err
			continue
		}
		answered = true
		unknown, err := g.mode.judge(k)
		switch {
		case err != nil:
			failed = err
		case len(unknown) > 0:
			warning := g.mode.unchecked(unknown)
			warnings, nodes[warning] = append(warnings, warning), append(nodes[warning], node)
		}
	}
	if !answered {
		return unavailable(away, "ask Redis how it keeps data")
	}
	if failed != nil {
		warnings = append(warnings, remedied(failed))
	}
	slices.Sort(warnings)
	g.tell(slices.Compact(warnings), nodes)
	return failed
}

// tell keeps the warnings for health and logs those that are new.
func (g *guard) tell(warnings []string, nodes map[string][]string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, w := range warnings {
		if !slices.Contains(g.warnings, w) {
			g.log.Warn(w, zap.Strings("nodes", nodes[w]))
		}
	}
	g.warnings = warnings
}

func (g *guard) told() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.warnings)
}

// run checks each minute until ctx ends. What it finds is told; a process that runs is not ended for it.
func (g *guard) run(ctx context.Context) {
	next := guardEvery
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(next):
		}
		next = guardEvery
		if fault.Is(g.check(ctx), fault.QueueUnavailable) {
			next = guardRetry
		}
	}
}

// remedied is an error with what to do.
func remedied(err error) string {
	f, ok := fault.As(err)
	if !ok {
		return err.Error()
	}
	remedy := f.Remedy
	if remedy == "" {
		remedy = fault.Describe(f.Code).Remedy
	}
	return fmt.Sprintf("%s: %s; %s", f.Code, f.Message, remedy)
}

// ask reads the settings by CONFIG GET, and what managed servers that refuse it tell in INFO.
func ask(ctx context.Context, c rueidis.Client) (k keeping, err error) {
	for _, f := range []struct {
		name, section, field string
		into                 *string
	}{
		{"appendonly", "persistence", "aof_enabled", &k.aof},
		{"appendfsync", "", "", &k.fsync},
		{"maxmemory-policy", "memory", "maxmemory_policy", &k.eviction},
	} {
		values, err := c.Do(ctx, c.B().ConfigGet().Parameter(f.name).Build()).AsStrMap()
		switch {
		case err == nil && values[f.name] != "":
			*f.into = values[f.name]
			continue
		case err != nil && !refuses(err):
			return keeping{}, err
		case f.section == "":
			continue
		}
		info, err := c.Do(ctx, c.B().Info().Section(f.section).Build()).ToString()
		if err != nil && !refuses(err) {
			return keeping{}, err
		}
		*f.into = infoField(info, f.field)
	}
	switch k.aof {
	case "1":
		k.aof = "yes"
	case "0":
		k.aof = "no"
	}
	return k, nil
}

// refuses reports that Redis answered, but not to this.
func refuses(err error) bool {
	var answer *rueidis.RedisError
	if !errors.As(err, &answer) {
		return false
	}
	word, _, _ := strings.Cut(answer.Error(), " ")
	return word == "NOPERM" || word == "ERR"
}

// infoField gives a field of an INFO section, empty when it is not there.
func infoField(info, name string) string {
	for line := range strings.Lines(info) {
		if field, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok && field == name {
			return value
		}
	}
	return ""
}
