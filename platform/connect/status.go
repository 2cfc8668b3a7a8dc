package connect

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Use says how many open connections logged in with a credential.
type Use struct {
	Key         string `json:"key"`
	Version     string `json:"version"`
	Source      string `json:"source,omitempty"`
	Connections int    `json:"connections"`
	// Withdrawn is set for one that the secret source does not give any more.
	Withdrawn bool `json:"withdrawn,omitempty"`
}

// Loaded is a credential that the secret source gives.
type Loaded struct {
	Key     string `json:"key"`
	Version string `json:"version"`
	Source  string `json:"source,omitempty"`
	// Accepted is set when the last login at every server was with it.
	Accepted bool `json:"accepted,omitempty"`
	// Refused is set when a server refused it and has not accepted it since.
	Refused bool `json:"refused,omitempty"`
}

// Status is what is known of the credentials of one kind of server.
type Status struct {
	Loaded []Loaded `json:"loaded,omitempty"`
	InUse  []Use    `json:"in_use,omitempty"`
	// Safe is set when every open connection uses the first credential, the servers accept it, and there is no other one: of
	// two, the first may be the old one. Reason says why, or why not. Every password but the first may then be withdrawn, as far as this
	// process is concerned.
	Safe   bool   `json:"safe"`
	Reason string `json:"reason"`
	// Shut is set while every credential is refused by some server.
	Shut bool `json:"shut,omitempty"`
}

// Status looks at the credentials and at the open connections.
func (c *Credentials) Status() Status {
	all, now := c.all(), time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	s := Status{Loaded: make([]Loaded, len(all)), InUse: c.uses(all)}
	doors, served := 0, c.served()
	accepted := make([]int, len(all)) // at how many doors
	for i, one := range all {
		s.Loaded[i] = Loaded{Key: one.Name, Version: one.Version, Source: one.Source}
	}
	for _, d := range c.doors {
		if d.gone(served) {
			continue
		}
		_, known, ok := d.preferred(all, now)
		s.Shut = s.Shut || d.failures > 0 && (!known || !ok)
		doors++
		for i, one := range all {
			if d.refusal(one) >= 0 {
				s.Loaded[i].Refused = true
			}
			if d.trusted != nil && d.trusted.equal(one) {
				accepted[i]++
			}
		}
	}
	for i, n := range accepted {
		s.Loaded[i].Accepted = n > 0 && n == doors
	}
	s.Safe, s.Reason = s.judge(all)
	return s
}

// uses counts the open connections by credential, under the name that it has now.
func (c *Credentials) uses(all []Credential) []Use {
	var out []Use
	for conn := range c.open {
		u := Use{Key: conn.one.Name, Version: conn.one.Version, Source: conn.one.Source, Withdrawn: true}
		if i := slices.IndexFunc(all, conn.one.equal); i >= 0 {
			u = Use{Key: all[i].Name, Version: all[i].Version, Source: all[i].Source}
		}
		at := slices.IndexFunc(out, func(o Use) bool { return o.Key == u.Key && o.Version == u.Version && o.Withdrawn == u.Withdrawn })
		if at < 0 {
			out, at = append(out, u), len(out)
		}
		out[at].Connections++
	}
	slices.SortFunc(out, func(a, b Use) int {
		return cmp.Or(strings.Compare(a.Key, b.Key), strings.Compare(a.Version, b.Version))
	})
	return out
}

func (s *Status) judge(all []Credential) (safe bool, reason string) {
	if len(all) == 0 {
		return true, "no password is used"
	}
	current := all[0].Label()
	if s.Shut {
		return false, "the server refuses " + strings.Join(labels(all), " and ")
	}
	if s.Loaded[0].Refused {
		return false, "the server refused " + current
	}
	for _, u := range s.InUse {
		if u.Key == all[0].Name && u.Version == all[0].Version && !u.Withdrawn {
			continue
		}
		what := Credential{Name: u.Key, Version: u.Version, Source: u.Source}.Label()
		if u.Withdrawn {
			what = "the old " + what
		}
		return false, fmt.Sprintf("open connections that still use %s: %d", what, u.Connections)
	}
	if !s.Loaded[0].Accepted {
		return false, current + " was not tried yet"
	}
	if len(all) > 1 {
		return false, all[1].Label() + " is loaded too: promote it, or take it out first"
	}
	return true, "every connection uses " + current
}

func labels(all []Credential) (out []string) {
	for _, one := range all {
		out = append(out, one.Label())
	}
	return out
}

// Warning says for health what is wrong with the credentials, "" when nothing is. name is the server's, as people call it.
func (c *Credentials) Warning(name string) string {
	s := c.Status()
	all := c.all()
	switch {
	case len(all) == 0:
		return ""
	case s.Shut:
		return name + " refuses " + strings.Join(labels(all), " and ") + ": correct the secrets, or the passwords of " + name +
			"; the right one is used as soon as it is known"
	case s.Loaded[0].Refused && len(all) > 1:
		return name + " refused " + all[0].Label() + ", " + all[1].Label() + " is in use: a rotation is under way and has to be finished, or " +
			all[0].Label() + " is wrong and has to be corrected"
	}
	return ""
}
