package rotate_test

import (
	"errors"
	"fmt"
	"testing"

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
			old := s.values("")[name].(string)
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
			now := s.values("")
			if s.accepts(subject, old) || !s.accepts(subject, now[name].(string)) || now[nextName] != nil {
				t.Errorf("the old password works, or the new one does not, or there is still a next one")
			}
			if n := s.promotions(name); n != 1 {
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

// TestRefused: what cannot be rotated is said before anything is changed.
func TestRefused(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	before := s.promotions("DB_PASS_CURRENT")
	role := s.vault.NewRole(t, secretsPath, nil)
	id := s.vault.NewSecretID(t, role)
	_, login := s.vault.Try(s.vault.Token, "POST", "auth/approle/login", map[string]any{"role_id": role.RoleID, "secret_id": id.Reveal()})
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
		values := s.values("")
		right := values[name]
		s.put(values, name, "wrong")
		refused(subject, fault.Conflict)
		s.put(values, name, right)
	}
	values := s.values("")
	s.put(values, "DB_USER_NEXT", "other")
	refused(rotation.Postgres, fault.Unprocessable)
	s.put(values, "DB_USER_NEXT", nil)
	s.put(values, "INGEST_API_KEY", nil)
	refused(rotation.IngestKey, fault.NotFound)
	if n := s.promotions("DB_PASS_CURRENT"); n != before+2 { // those of this test
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
	s.vault.PutSecrets(secretsPath, out)
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
