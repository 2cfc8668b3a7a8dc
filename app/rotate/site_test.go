package rotate_test

import (
	"errors"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/muttproject/mutt/app"
	"github.com/muttproject/mutt/app/apptest"
	"github.com/muttproject/mutt/app/rotate"
	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/rotation"
	"github.com/muttproject/mutt/platform/secret"
)

const secretsPath = apptest.SecretsPath

// site is a MUTT of two processes whose secrets are in Vault, one of them without PostgreSQL, and who may rotate them.
type site struct {
	*testing.T
	*apptest.Vaulted
	api  *apptest.MUTT     // alerter, ui, janitor
	edge *apptest.MUTT     // ingestor, forwarder
	form map[string]string // settings of another Redis than the site's one server; nil for none
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{T: t, Vaulted: apptest.NewVaulted(t, "everysec")}
	s.api = s.start("api", s.Env(), app.Alerter, app.UI, app.Janitor)
	s.edge = s.start("edge", s.RedisEnv(), app.Ingestor, app.Forwarder)
	return s
}

func (s *site) start(name string, env map[string]string, roles ...app.Role) *apptest.MUTT {
	env["POD_NAME"] = name
	maps.Copy(env, s.form)
	return apptest.Start(s, apptest.Options{Roles: roles, Env: env})
}

// config is what the command is given of the settings.
func (s *site) config() app.Config {
	s.Helper()
	var environ []string
	env := s.OperatorEnv()
	maps.Copy(env, s.form)
	for k, v := range env {
		if v != "" {
			environ = append(environ, k+"="+v)
		}
	}
	c, _, err := app.LoadConfig(environ)
	if err != nil {
		s.Fatal(err)
	}
	return c
}

// rotation makes a command. Its options are changed by what the test brings.
func (s *site) rotation(subject rotation.Subject, change ...func(*rotate.Options)) *rotate.Rotation {
	s.Helper()
	c := s.config()
	v, err := c.RotationVault(s.Operator)
	if err != nil {
		s.Fatal(err)
	}
	server, err := c.RotationServer(s.Context(), subject, v, s.Admins)
	if err != nil {
		s.Fatal(err)
	}
	o := rotate.Options{Subject: subject, Vault: v, Server: server, Wait: time.Minute, Holder: "test-" + string(subject),
		API: &rotate.API{Client: s.api.Client, WithKey: s.client, Reason: "test"},
		Report: func(p rotate.Progress) {
			s.Logf("%s %s %s: %s (%.1f s)", p.Secret, p.Step, p.Event, p.Message, p.Seconds)
		}}
	for _, f := range change {
		f(&o)
	}
	return rotate.New(o)
}

func (s *site) client(key secret.Secret) (*apiclient.Client, error) {
	return apiclient.New(apiclient.Options{BaseURL: s.api.AdminURL, Key: key.Reveal()})
}

// state gives the last rotation.
func (s *site) state(subject rotation.Subject) apiclient.Rotation {
	s.Helper()
	last, err := (&rotate.API{Client: s.api.Client}).Last(s.Context(), subject)
	if err != nil || last == nil {
		s.Fatalf("the last rotation of %s: %v, %v", subject, last, err)
	}
	return *last
}

// healthy sees that both processes say they are well.
func (s *site) healthy() {
	s.Helper()
	for _, url := range []string{s.api.OpsURL, s.edge.OpsURL} {
		req, err := http.NewRequestWithContext(s.Context(), http.MethodGet, url+"/health", nil)
		if err != nil {
			s.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			s.Fatal(err)
		}
		if resp.StatusCode != http.StatusOK {
			s.Errorf("%s/health: %s", url, resp.Status)
		}
		_ = resp.Body.Close()
	}
}

// status gives what every process says of a secret.
func (s *site) status(subject rotation.Subject) apiclient.SecretStatus {
	s.Helper()
	var all apiclient.Secrets
	s.api.Get(&all, nil, "secrets")
	for _, one := range all.Secrets {
		if one.Secret == string(subject) {
			return one
		}
	}
	return apiclient.SecretStatus{}
}

// truthful waits until nothing that is said of a secret contradicts the server: what was accepted last is accepted, what was refused is
// refused, and the old one is safe to retire only when the server accepts what is current to every process.
func (s *site) truthful(subject rotation.Subject) {
	s.Helper()
	apptest.Eventually(s, "the status of "+string(subject)+" tells the truth", func() (bool, any) {
		status := s.status(subject)
		for _, p := range status.Processes {
			for i, l := range p.Loaded {
				version, _ := strings.CutPrefix(l.Version, "vault:")
				password, _ := s.Values(version)[l.Key].(string)
				takes := s.Accepts(s, subject, password)
				if l.Accepted && !takes || l.Refused && takes || i == 0 && status.SafeToRetire && !takes {
					return false, status
				}
			}
		}
		return true, nil
	})
}

var errKilled = errors.New("killed by the test")

func secretOf(text string) secret.Secret { return secret.New(text) }
