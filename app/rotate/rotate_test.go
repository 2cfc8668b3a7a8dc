package rotate_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/muttproject/mutt/app/apptest"
	"github.com/muttproject/mutt/app/rotate"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/rotation"
)

// TestKilledAnywhere rotates both passwords by commands that are killed at each point once, before and after everything that they do.
// The next one always goes on, and in between what is said of the secrets is true.
func TestKilledAnywhere(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for _, subject := range []rotation.Subject{rotation.Postgres, rotation.Redis} {
		t.Run(string(subject), func(t *testing.T) {
			t.Parallel()
			s := s.in(t)
			name, nextName := subject.Keys()
			old := s.Values("")[name].(string)
			seen := map[string]bool{}
			for ended := false; !ended; {
				killed := ""
				err := s.rotation(subject, func(o *rotate.Options) {
					o.Fault = func(point string) error {
						if seen[point] || point == "at done" { // then it is over, and the next command begins another
							return nil
						}
						seen[point], killed = true, point
						return errKilled
					}
				}).Run(t.Context())
				if ended = err == nil; !ended && !errors.Is(err, errKilled) {
					t.Fatalf("after it was killed at %q: %v", killed, err)
				}
				s.healthy()
				s.truthful(subject)
			}
			if len(seen) < 2*len(subject.Steps())+3 {
				t.Errorf("it was killed at %d points only: %v", len(seen), seen)
			}
			now := s.Values("")
			if s.Accepts(s, subject, old) || !s.Accepts(s, subject, now[name].(string)) || now[nextName] != nil {
				t.Errorf("the old password works, or the new one does not, or there is still a next one")
			}
			if n := s.Promotions(name); n != 1 {
				t.Errorf("%d promotions", n)
			}
			if last := s.state(subject); last.Step != string(rotation.Done) || last.Open {
				t.Errorf("the last rotation: %+v", last)
			}
		})
	}
}

// in gives the site to a part of the test.
func (s *site) in(t *testing.T) *site {
	part := *s
	part.T = t
	return &part
}

// TestAborted takes rotations back, at each step where that is possible, and nothing has changed.
func TestAborted(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for _, subject := range []rotation.Subject{rotation.Postgres, rotation.Redis, rotation.IngestKey} {
		name, nextName := subject.Keys()
		old := s.Values("")[name].(string)
		for _, step := range subject.Steps() {
			if step == rotation.Done || step == rotation.Verify && subject != rotation.Redis {
				break
			}
			point := "at " + string(step)
			stop := func(o *rotate.Options) {
				o.UnusedFor = 0
				o.Fault = func(at string) error {
					if at == point {
						return errKilled
					}
					return nil
				}
			}
			if err := s.rotation(subject, stop).Run(t.Context()); !errors.Is(err, errKilled) {
				t.Fatalf("%s to %s: %v", subject, step, err)
			}
			err := s.rotation(subject).Abort(t.Context())
			if !subject.Abortable(step) {
				if !fault.Is(err, fault.Conflict) {
					t.Fatalf("%s aborted at %s: %v", subject, step, err)
				}
				break // forward only
			}
			if err != nil {
				t.Fatalf("%s aborted at %s: %v", subject, step, err)
			}
			if now := s.Values(""); now[name] != old || now[nextName] != nil {
				t.Fatalf("%s aborted at %s: Vault is not as before", subject, step)
			}
			if last := s.state(subject); last.Step != string(rotation.Aborted) {
				t.Errorf("%s aborted at %s: %+v", subject, step, last)
			}
		}
		if s.state(subject).Open {
			if err := s.rotation(subject, func(o *rotate.Options) { o.UnusedFor = 0 }).Run(t.Context()); err != nil {
				t.Errorf("%s goes on: %v", subject, err)
			}
		}
	}
}

// TestRefused: what cannot be rotated is said before anything is changed.
func TestRefused(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	before := s.Promotions("DB_PASS_CURRENT")
	role := s.Vault.NewRole(t, secretsPath, nil)
	id := s.Vault.NewSecretID(t, role)
	_, login := s.Vault.Try(s.Vault.Token, "POST", "auth/approle/login", map[string]any{"role_id": role.RoleID, "secret_id": id.Reveal()})
	runtime := login["auth"].(map[string]any)["client_token"].(string)
	refused := func(subject rotation.Subject, code fault.Code, change ...func(*rotate.Options)) {
		t.Helper()
		if err := s.rotation(subject, change...).Run(t.Context()); !fault.Is(err, code) {
			t.Errorf("%s: %v, want %s", subject, err, code)
		}
		if _, err := s.rotation(subject, change...).Plan(t.Context()); !fault.Is(err, code) {
			t.Errorf("the plan of %s: %v, want %s", subject, err, code)
		}
	}
	refused(rotation.Postgres, fault.Forbidden, func(o *rotate.Options) { o.Vault = s.vaultAs(runtime) })
	for subject, name := range map[rotation.Subject]string{rotation.Postgres: "DB_PASS_CURRENT", rotation.Redis: "REDIS_PASS_CURRENT"} {
		values := s.Values("")
		right := values[name]
		s.put(values, name, "wrong")
		refused(subject, fault.Conflict)
		s.put(values, name, right)
	}
	values := s.Values("")
	s.put(values, "DB_USER_NEXT", "other")
	refused(rotation.Postgres, fault.Unprocessable)
	s.put(values, "DB_USER_NEXT", nil)
	s.put(values, "INGEST_API_KEY", nil)
	refused(rotation.IngestKey, fault.NotFound)
	if n := s.Promotions("DB_PASS_CURRENT"); n != before+2 { // those of this test
		t.Errorf("%d promotions", n)
	}
	if got, err := (&rotate.API{Client: s.api.Client}).Last(t.Context(), rotation.Postgres); err != nil || got != nil {
		t.Errorf("a rotation was noted: %+v, %v", got, err)
	}
}

// put writes the path with one value changed; nil takes it out.
func (s *site) put(values map[string]any, name string, value any) {
	s.Helper()
	out := map[string]string{}
	values[name] = value
	for k, v := range values {
		if v != nil {
			out[k] = fmt.Sprint(v)
		}
	}
	s.Vault.PutSecrets(secretsPath, out)
}

func (s *site) vaultAs(token string) *rotate.Vault {
	s.Helper()
	c := s.config()
	v, err := c.RotationVault(secretOf(token))
	if err != nil {
		s.Fatal(err)
	}
	return v
}

// TestKeys: a key that is in use is not promoted; the command moves itself to the next admin key.
func TestKeys(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for _, subject := range []rotation.Subject{rotation.IngestKey, rotation.AdminKey} {
		name, nextName := subject.Keys()
		old := s.Values("")[name].(string)
		s.Postgres.SQL(s.Database, "UPDATE api_keys SET last_used = extract(epoch FROM now())::bigint * 1000000")
		day := func(o *rotate.Options) { o.UnusedFor = 24 * time.Hour }
		if err := s.rotation(subject, day).Run(t.Context()); !fault.Is(err, fault.Conflict) {
			t.Fatalf("%s was used a moment ago: %v", subject, err)
		}
		if now := s.Values(""); now[name] != old || s.state(subject).Step != string(rotation.Senders) {
			t.Fatalf("%s: it was promoted all the same, or is at %+v", subject, s.state(subject))
		}
		next := secretOf(s.Values("")[nextName].(string))
		if subject == rotation.AdminKey { // what the test itself uses from now on
			c, err := s.client(next)
			if err != nil {
				t.Fatal(err)
			}
			s.api.Client = c
		}
		s.Postgres.SQL(s.Database, "UPDATE api_keys SET last_used = (extract(epoch FROM now())::bigint - 2*86400) * 1000000")
		if err := s.rotation(subject, day).Run(t.Context()); err != nil {
			t.Fatalf("%s, unused for two days: %v", subject, err)
		}
		if now := s.Values(""); now[name] != next.Reveal() || now[nextName] != nil {
			t.Errorf("%s: Vault does not have the next key as the current one", subject)
		}
	}
}

// TestAnotherWriter: what somebody else writes to the path between the reading and the writing is kept, and the rotation goes on.
func TestAnotherWriter(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	var points []string
	err := s.rotation(rotation.IngestKey, func(o *rotate.Options) {
		o.UnusedFor = 0
		o.Fault = func(point string) error {
			if strings.HasPrefix(point, "before Vault is written") && !slices.Contains(points, point) {
				points = append(points, point)
				s.put(s.Values(""), "MOOG_API_KEY", point)
			}
			return nil
		}
	}).Run(t.Context())
	if now := s.Values(""); err != nil || len(points) != 2 || now["MOOG_API_KEY"] != points[1] || now["INGEST_API_KEY"] == apptest.IngestKey {
		t.Errorf("%v; written by another at %v", err, points)
	}
	if n := s.Promotions("INGEST_API_KEY"); n != 1 {
		t.Errorf("%d promotions", n)
	}
}

// TestOneAtATime: a second command waits for a while, and gives up when the first one lives.
func TestOneAtATime(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	arrived, let := make(chan struct{}), make(chan struct{})
	first := make(chan error, 1)
	go func() {
		first <- s.rotation(rotation.IngestKey, func(o *rotate.Options) {
			o.UnusedFor, o.Holder = 0, "anna@ops-1/1"
			o.Fault = func(point string) error {
				if point == "at wait" {
					close(arrived)
					<-let
				}
				return nil
			}
		}).Run(t.Context())
	}()
	<-arrived
	err := s.rotation(rotation.IngestKey, func(o *rotate.Options) { o.Holder = "bert@ops-2/2" }).Run(t.Context())
	if f, ok := fault.As(err); !ok || f.Code != fault.Conflict || f.Message != "anna@ops-1/1 works on this rotation" {
		t.Errorf("the second command: %v", err)
	}
	close(let)
	if err := <-first; err != nil {
		t.Errorf("the first command: %v", err)
	}
}
