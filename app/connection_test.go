package app

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/muttproject/mutt/platform/secret/secrets"
)

// TestCredentialsToTry holds which user goes with which password, and in which order.
func TestCredentialsToTry(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		env  []string
		want []string
	}{
		{nil, []string{"mutt:"}},
		{[]string{"DB_PASS=legacy"}, []string{"mutt:legacy"}},
		{[]string{"DB_PASS=legacy", "DB_PASS_CURRENT=now", "DB_PASS_NEXT=next"}, []string{"mutt:now", "mutt:next"}},
		{[]string{"DB_PASS_CURRENT=now", "DB_PASS_NEXT=next", "DB_USER_NEXT=mutt_b"}, []string{"mutt:now", "mutt_b:next"}},
		{[]string{"DB_PASS_NEXT=next", "DB_USER_NEXT=mutt_b"}, []string{"mutt_b:next"}},
		{[]string{"DB_PASS_CURRENT=now", "DB_USER_NEXT=mutt_b"}, []string{"mutt:now"}},
	} {
		cfg, _, err := LoadConfig(append([]string{"DB_HOST=db", "DB_USER=mutt", "REDIS_HOST=redis"}, c.env...))
		if err != nil {
			t.Fatal(err)
		}
		set, err := secrets.NewSet(cfg.settingValues())
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, cr := range postgresCredentials(&cfg.Postgres, set) {
			got = append(got, cr.User+":"+cr.Password.Reveal())
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%v: %s", c.env, d)
		}
	}
}
