package rotate

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/fault"
)

// askEvery is how often the processes are asked.
const askEvery = 500 * time.Millisecond

// Process is a live process with the secret that is rotated.
type Process apiclient.ProcessSecret

// versionOf reads "vault:7".
func versionOf(text string) (provider string, n int64) {
	provider, number, _ := strings.Cut(text, ":")
	n, _ = strconv.ParseInt(number, 10, 64) // 0 when it is none, which is older than all
	return provider, n
}

// lacks says why a process does not have a key in a version or a later one; "" when it does.
func (p Process) lacks(key string, version int64) string {
	for _, l := range p.Loaded {
		if l.Key != key {
			continue
		}
		if from, n := versionOf(l.Version); from != "vault" || n < version {
			return fmt.Sprintf("it has %s %s, not yet vault:%d", key, l.Version, version)
		}
		return ""
	}
	return fmt.Sprintf("it has no %s yet", key)
}

// hasLoggedIn says why a process did not log in with the next password; "" when it did.
func (r *Rotation) hasLoggedIn(p Process) string {
	_, name := r.o.Subject.Keys()
	if why := p.lacks(name, r.state.Staged); why != "" {
		return why
	}
	for _, l := range p.Loaded {
		if l.Key == name && !l.Accepted {
			return "it has not logged in with " + name + " yet"
		}
	}
	return ""
}

// holds says why a process does not work by the current secret alone; "" when it does.
func (p Process) holds(key string, version int64) string {
	if why := p.lacks(key, version); why != "" {
		return why
	}
	if !p.SafeToRetire {
		return p.Reason
	}
	return ""
}

// wait returns when no process has a reason against it. Which has is said when that changes.
func (r *Rotation) wait(ctx context.Context, against func(Process) string) error {
	timeout, cancel := context.WithTimeout(ctx, r.o.Wait)
	defer cancel()
	said := ""
	for {
		why, err := r.against(timeout, against)
		switch {
		case err == nil && why == "":
			return nil
		case err != nil:
			why = "the server cannot be asked: " + err.Error()
		}
		if why != said {
			r.say("waiting", "%s", why)
			said = why
		}
		timer := time.NewTimer(askEvery)
		select {
		case <-timer.C:
		case <-timeout.Done():
			timer.Stop()
			if errors.Is(timeout.Err(), context.DeadlineExceeded) && ctx.Err() == nil {
				return fault.New(fault.Conflict, "after %s it is not so everywhere: %s", r.o.Wait, said).
					WithRemedy("look at that process, or stop it; then run this command again: it goes on here")
			}
			return context.Cause(ctx)
		}
	}
}

func (r *Rotation) against(ctx context.Context, why func(Process) string) (string, error) {
	all, err := r.o.API.Processes(ctx, r.o.Subject)
	if err != nil {
		return "", err
	}
	var reasons []string
	for _, p := range all {
		if reason := why(p); reason != "" {
			reasons = append(reasons, p.Name+": "+reason)
		}
	}
	return strings.Join(reasons, "; "), nil
}
