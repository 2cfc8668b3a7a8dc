package rotate_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/muttproject/mutt/app/apptest"
	"github.com/muttproject/mutt/app/rotate"
	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/rotation"
	"github.com/muttproject/mutt/platform/testkit"
)

// said is what the status and /health say of a secret in every process, from the moment a step is noted. CURRENT and NEXT stand for the
// keys, v for the version of the path; docs/guides/secrets.md has the same for operators.
type said struct {
	steps   string
	loaded  string
	uses    string // what every open connection logged in with; "" for what is read at each use
	safe    bool
	because string
	warns   string // of the processes that use it; "" for nothing about passwords
}

// statusOf gives the table of a subject.
func statusOf(subject rotation.Subject) []said {
	const beside, all = "NEXT v is loaded too: promote it, or take it out first", "every connection uses CURRENT v"
	switch subject {
	case rotation.Postgres: // the old one ends in the middle
		return []said{
			{"stage", "CURRENT v accepted", "CURRENT v", true, all, ""},
			{"wait alter", "CURRENT v accepted, NEXT v", "CURRENT v", false, beside, ""},
			{"check promote", "CURRENT v refused, NEXT v accepted", "NEXT v", false, "the server refused CURRENT v",
				"PostgreSQL refused CURRENT v, NEXT v is in use: a rotation is under way and has to be finished, or CURRENT v is wrong and has to be corrected"},
			{"recycle verify done", "CURRENT v accepted", "CURRENT v", true, all, ""},
		}
	case rotation.Redis: // it is accepted until the end
		return []said{
			{"stage", "CURRENT v accepted", "CURRENT v", true, all, ""},
			{"wait add promote", "CURRENT v accepted, NEXT v", "CURRENT v", false, beside, ""},
			{"recycle remove verify done", "CURRENT v accepted", "CURRENT v", true, all, ""},
		}
	default:
		return []said{
			{"stage", "CURRENT v", "", true, "CURRENT v is in force; it is read at each use", ""},
			{"wait senders promote", "CURRENT v, NEXT v", "", false, beside, ""},
			{"recycle verify done", "CURRENT v", "", true, "CURRENT v is in force; it is read at each use", ""},
		}
	}
}

// TestWhatIsSaidAtEachStep rotates a key and both passwords, then makes both passwords wrong at the server.
func TestWhatIsSaidAtEachStep(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	both, storing := []*apptest.MUTT{s.api, s.edge}, []*apptest.MUTT{s.api}
	for _, c := range []struct {
		subject rotation.Subject
		server  string
		uses    []*apptest.MUTT
	}{{rotation.IngestKey, "", both}, {rotation.Postgres, "PostgreSQL", storing}, {rotation.Redis, "Redis", both}} {
		t.Run(string(c.subject), func(t *testing.T) {
			s := s.in(t)
			s.says(c.subject, c.uses)
			if c.server != "" {
				s.refused(c.subject, c.server, c.uses)
			}
		})
	}
}

// says rotates a secret, and waits at each step until what is said is what should be, in the processes that use it and in the others.
func (s *site) says(subject rotation.Subject, uses []*apptest.MUTT) {
	s.Helper()
	var names []string
	for _, m := range uses {
		names = append(names, s.name(m))
	}
	seen := 0
	if err := s.rotation(subject, func(o *rotate.Options) {
		o.UnusedFor = 0
		o.Fault = func(point string) error {
			step, ok := strings.CutPrefix(point, "at ")
			if !ok {
				return nil
			}
			table := statusOf(subject)
			i := slices.IndexFunc(table, func(w said) bool { return slices.Contains(strings.Fields(w.steps), step) })
			if i < 0 {
				s.Fatalf("the step %s is not in the table", step)
			}
			seen++
			want := table[i].of(subject, s.version(subject))
			s.expect(subject, step, want, names)
			for _, m := range []*apptest.MUTT{s.api, s.edge} {
				warns := want.warns
				if !slices.Contains(uses, m) {
					warns = ""
				}
				s.warned(m, warns)
			}
			return nil
		}
	}).Run(s.Context()); err != nil {
		s.Fatal(err)
	}
	if seen != len(subject.Steps()) {
		s.Errorf("%d steps were looked at", seen)
	}
}

// version gives that of the path which is in force at the present step.
func (s *site) version(subject rotation.Subject) int64 {
	s.Helper()
	r := s.state(subject)
	return max(r.Base, r.Staged, r.Promoted)
}

// of puts the names of a subject and a version into the words.
func (w said) of(subject rotation.Subject, version int64) said {
	current, next := subject.Keys()
	for text, v := range map[*string]string{&w.loaded: fmt.Sprint(" vault:", version), &w.uses: fmt.Sprint(" vault:", version),
		&w.because: fmt.Sprintf(" from version %d of vault secret/mutt/prod", version), &w.warns: fmt.Sprintf(" from version %d of vault secret/mutt/prod", version)} {
		*text = strings.NewReplacer("CURRENT", current, "NEXT", next, " v", v).Replace(*text)
	}
	return w
}

// expect waits until the status of every process that uses a secret is as wanted. Whatever is seen on the way, nothing is said to be safe
// while a process has another version, or a next one, or a connection of something else.
func (s *site) expect(subject rotation.Subject, step string, want said, names []string) {
	s.Helper()
	apptest.Eventually(s, fmt.Sprintf("at the step %s the status of %s is %+v", step, subject, want), func() (bool, any) {
		got := s.status(subject)
		if got.SafeToRetire && !alike(got.Processes) {
			s.Fatalf("at the step %s it is said to be safe: %+v", step, got)
		}
		var have []string
		for _, p := range got.Processes {
			have = append(have, p.Name)
			if now := (said{want.steps, loadedOf(p), usesOf(p), p.SafeToRetire, p.Reason, want.warns}); now != want {
				return false, now
			}
		}
		slices.Sort(have)
		return slices.Equal(have, names) && got.SafeToRetire == want.safe && strings.Contains(got.Reason, want.because), got
	})
}

// alike reports whether every process has one password alone, the same one, and no connection of another.
func alike(all []apiclient.ProcessSecret) bool {
	for _, p := range all {
		used := usesOf(p) == "" || usesOf(p)+" accepted" == loadedOf(p)
		if loadedOf(p) != loadedOf(all[0]) || len(p.Loaded) != 1 || !used {
			return false
		}
	}
	return true
}

func loadedOf(p apiclient.ProcessSecret) string {
	var out []string
	for _, l := range p.Loaded {
		text := l.Key + " " + l.Version
		if l.Accepted {
			text += " accepted"
		}
		if l.Refused {
			text += " refused"
		}
		out = append(out, text)
	}
	return strings.Join(out, ", ")
}

func usesOf(p apiclient.ProcessSecret) string {
	var out []string
	for _, u := range p.InUse {
		text := u.Key + " " + u.Version
		if u.Withdrawn {
			text += " withdrawn"
		}
		out = append(out, text)
	}
	return strings.Join(out, ", ")
}

// name is what a process of the site is called.
func (s *site) name(m *apptest.MUTT) string {
	if m == s.edge {
		return "edge"
	}
	return "api"
}

// warned waits until a process is well, and /health warns of this about passwords and of nothing else.
func (s *site) warned(m *apptest.MUTT, words string) {
	s.Helper()
	apptest.Eventually(s, fmt.Sprintf("/health of %s warns: %q", s.name(m), words), func() (bool, any) {
		status, h := s.health(m)
		about := slices.DeleteFunc(slices.Clone(h.Warnings), func(w string) bool { return !strings.Contains(w, "_PASS_") })
		_, got, _ := strings.Cut(strings.Join(about, "; "), ": ") // after the component
		return status == http.StatusOK && h.Status == "healthy" && len(h.Errors) == 0 && got == words, h
	})
}

// refused makes the only password that the processes know wrong at the server and ends their connections. That is an error of those that use
// it, which names the secret and the server; they are well again once the secret is right, without a restart.
func (s *site) refused(subject rotation.Subject, server string, uses []*apptest.MUTT) {
	s.Helper()
	const other = "what-somebody-set-at-the-server"
	if subject == rotation.Postgres {
		pg := s.Postgres
		pg.SQL("postgres", "ALTER ROLE "+testkit.PostgresUser+" PASSWORD '"+other+"'")
		pg.SQL("postgres", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '"+testkit.PostgresUser+"'")
	} else {
		s.Redis.Do("ACL", "SETUSER", testkit.RedisUser, "resetpass", ">"+other)
		s.Redis.Do("CLIENT", "KILL", "USER", testkit.RedisUser)
	}
	key, _ := subject.Keys()
	for _, m := range uses {
		apptest.Eventually(s, "/health of "+s.name(m)+" says that "+server+" refuses the password", func() (bool, any) {
			status, h := s.health(m)
			said := strings.Join(append(h.Errors, h.Warnings...), "; ")
			return status == http.StatusServiceUnavailable && len(h.Errors) > 0 && strings.Contains(said, server+" refuses "+key+" from version ") &&
				strings.Contains(said, "correct the secrets, or the passwords of "+server), h
		})
	}
	s.put(s.Values(""), key, other)
	for _, m := range uses {
		s.warned(m, "")
	}
}

type health struct {
	Status           string
	Errors, Warnings []string
}

func (s *site) health(m *apptest.MUTT) (status int, h health) {
	s.Helper()
	a := m.Do(http.MethodGet, m.OpsURL+"/health", nil)
	if err := json.Unmarshal(a.Body, &h); err != nil {
		s.Fatalf("/health: %v in %s", err, a.Body)
	}
	return a.Status, h
}
