package rotate_test

import (
	"testing"

	"github.com/muttproject/mutt/app"
	"github.com/muttproject/mutt/app/rotate"
	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/rotation"
	"github.com/muttproject/mutt/platform/testkit"
)

// TestServersRefused: an administrator who is the one that is rotated, or may do too little, and a Redis that would forget the new password are
// refused before anything is changed; each says what to do.
func TestServersRefused(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.Postgres.SQL("postgres", "CREATE ROLE helper LOGIN PASSWORD 'helps'")
	s.Redis.Do("ACL", "SETUSER", "helper", "on", ">helps", "+@connection", "+info")
	own := s.Values("")
	for name, c := range map[string]struct {
		subject rotation.Subject
		admins  app.Administrators
		code    fault.Code
	}{
		"PostgreSQL, the role itself": {rotation.Postgres, app.Administrators{DSN: s.Postgres.DSN(testkit.PostgresUser, secretOf(own["DB_PASS_CURRENT"].(string)), s.Database)}, fault.ConfigInvalid},
		"PostgreSQL, too few rights":  {rotation.Postgres, app.Administrators{DSN: s.Postgres.DSN("helper", secretOf("helps"), s.Database)}, fault.Forbidden},
		"PostgreSQL, wrong password":  {rotation.Postgres, app.Administrators{DSN: s.Postgres.DSN("helper", secretOf("wrong"), s.Database)}, fault.Forbidden},
		"PostgreSQL, nobody":          {rotation.Postgres, app.Administrators{}, fault.ConfigInvalid},
		"Redis, the user itself":      {rotation.Redis, app.Administrators{RedisUser: testkit.RedisUser, RedisPassword: secretOf(own["REDIS_PASS_CURRENT"].(string))}, fault.ConfigInvalid},
		"Redis, too few rights":       {rotation.Redis, app.Administrators{RedisUser: "helper", RedisPassword: secretOf("helps")}, fault.Forbidden},
		"Redis, wrong password":       {rotation.Redis, app.Administrators{RedisUser: "helper", RedisPassword: secretOf("wrong")}, fault.Forbidden},
		"Redis, nobody":               {rotation.Redis, app.Administrators{}, fault.ConfigInvalid},
	} {
		s.refusedBy(name, c.subject, c.admins, c.code)
	}
	s.Redis.KeepNothing()
	s.refusedBy("Redis, without a file", rotation.Redis, s.Admins, fault.ConfigInvalid)

	s.Redis.User, s.Redis.Password = testkit.RedisUser, secretOf(own["REDIS_PASS_CURRENT"].(string)) // which it still is
	s.Redis.Do("PING")
	if now := s.Values(""); now["DB_PASS_NEXT"] != nil || now["REDIS_PASS_NEXT"] != nil || !s.Accepts(s, rotation.Postgres, own["DB_PASS_CURRENT"].(string)) {
		t.Error("something was changed")
	}
	var all apiclient.Rotations
	if s.api.Get(&all, nil, "secrets", "rotations"); len(all.Rotations) > 0 {
		t.Errorf("a rotation was noted: %+v", all)
	}
}

// refusedBy sees that a rotation by these administrators is refused, with what to do.
func (s *site) refusedBy(name string, subject rotation.Subject, admins app.Administrators, code fault.Code) {
	s.Helper()
	c := s.config()
	v, err := c.RotationVault(s.Operator)
	if err != nil {
		s.Fatal(err)
	}
	server, err := c.RotationServer(s.Context(), subject, v, admins)
	if err == nil {
		err = s.rotation(subject, func(o *rotate.Options) { o.Server = server }).Run(s.Context())
	}
	if f, ok := fault.As(err); !ok || f.Code != code || f.Remedy == "" {
		s.Errorf("%s: %v, not %s with what to do", name, err, code)
	} else {
		s.Logf("%s: %s (%s)", name, f.Message, f.Remedy)
	}
}
