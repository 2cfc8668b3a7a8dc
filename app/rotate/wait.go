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
	"github.com/muttproject/mutt/platform/rotation"
)

// askEvery is how often the processes are asked.
const askEvery = 500 * time.Millisecond

// Process is a live process with the secret that is rotated.
type Process apiclient.ProcessSecret

// Goal is what every process has to come to. A version is the least one of the path in Vault that counts.
type Goal string

// The goals, in the order of a rotation.
const (
	Loaded   Goal = "loaded"   // it has read NEXT in that version
	Accepted Goal = "accepted" // and has logged in with it: of passwords
	Safe     Goal = "safe"     // it works by CURRENT in that version, and no connection uses another password
)

// ParseGoal reads a goal for a subject.
func ParseGoal(s rotation.Subject, text string) (Goal, error) {
	switch g := Goal(text); {
	case g == Accepted && (s == rotation.IngestKey || s == rotation.AdminKey):
		return "", fmt.Errorf("no process logs in with %s: wait for loaded or safe", s)
	case g == Loaded || g == Accepted || g == Safe:
		return g, nil
	default:
		return "", fmt.Errorf("%q is nothing to wait for: choose loaded, accepted or safe", text)
	}
}

// lacking gives why a process has not come to a goal; "" when it has.
func (g Goal) lacking(s rotation.Subject, version int64) func(Process) string {
	current, next := s.Keys()
	switch g {
	case Loaded:
		return func(p Process) string { return p.lacks(next, version) }
	case Accepted:
		return func(p Process) string { return p.notIn(next, version) }
	default:
		return func(p Process) string { return p.holds(current, version) }
	}
}

// Await returns when every live process has come to a goal, with a fault that names one that has not after the time of bound. say is
// told why it goes on waiting whenever that changes.
func (a *API) Await(ctx context.Context, s rotation.Subject, g Goal, version int64, bound time.Duration, say func(why string)) error {
	timeout, cancel := context.WithTimeout(ctx, bound)
	defer cancel()
	lacking, said := g.lacking(s, version), ""
	for {
		why, err := a.lacking(timeout, s, lacking)
		switch {
		case err == nil && why == "":
			return nil
		case err != nil && said != "" && timeout.Err() != nil:
			why = said // the time is over: what the server said last counts
		case err != nil:
			why = "the server cannot be asked: " + err.Error()
		}
		if why != said {
			say(why)
			said = why
		}
		if pause(timeout) {
			continue
		}
		if errors.Is(timeout.Err(), context.DeadlineExceeded) && ctx.Err() == nil {
			return fault.New(fault.Conflict, "after %s it is not so everywhere: %s", bound, said).
				WithRemedy("look at that process, or stop it; then run this command again: it goes on here")
		}
		return context.Cause(ctx)
	}
}

// pause waits until it is time to ask again; false when ctx ends before.
func pause(ctx context.Context) bool {
	timer := time.NewTimer(askEvery)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func (a *API) lacking(ctx context.Context, s rotation.Subject, why func(Process) string) (string, error) {
	all, err := a.Processes(ctx, s)
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

// await is Await for a step of this rotation.
func (r *Rotation) await(ctx context.Context, g Goal, version int64) error {
	return r.o.API.Await(ctx, r.o.Subject, g, version, r.o.Wait, func(why string) { r.say("waiting", "%s", why) })
}

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
			return fmt.Sprintf("it has %s, not yet version %d of Vault", apiclient.LoadedSecret(l).Label(), version)
		}
		return ""
	}
	return fmt.Sprintf("it has no %s yet", key)
}

// notIn says why a process did not log in with a key; "" when it did.
func (p Process) notIn(key string, version int64) string {
	if why := p.lacks(key, version); why != "" {
		return why
	}
	for _, l := range p.Loaded {
		if l.Key == key && !l.Accepted {
			return "it has not logged in with " + key + " yet"
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
