package acceptance

import (
	"encoding/base64"
	"testing"

	"github.com/muttproject/mutt/app/apptest"
)

// TestFormsOfTheKey has the destination take its key in each of the forms that can be set.
func TestFormsOfTheKey(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		env          map[string]string
		header, want string
	}{
		"bearer without settings": {nil, "Authorization", "Bearer " + apptest.MoogKey},
		"basic": {map[string]string{"MOOG_AUTH_SCHEME": "Basic", "MOOG_AUTH_USER": "mutt"}, "Authorization",
			"Basic " + base64.StdEncoding.EncodeToString([]byte("mutt:"+apptest.MoogKey))},
		"a header":               {map[string]string{"MOOG_AUTH_SCHEME": "header", "MOOG_AUTH_HEADER": "x-api-key"}, "X-Api-Key", apptest.MoogKey},
		"a header with a prefix": {map[string]string{"MOOG_AUTH_SCHEME": "header", "MOOG_AUTH_HEADER": "Authorization", "MOOG_AUTH_PREFIX": "GenieKey"}, "Authorization", "GenieKey " + apptest.MoogKey},
		"none":                   {map[string]string{"MOOG_AUTH_SCHEME": "none"}, "Authorization", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := mode{}.start(t, c.env)
			m.Send(apptest.Event("edge", down("Gi0/1")))
			m.ExpectBalanced()
			for _, r := range m.Destination.Requests() {
				if got := r.Header.Get(c.header); got != c.want {
					t.Errorf("%s is %q", c.header, got)
				}
				if got := r.Header.Get("Authorization"); c.header != "Authorization" && got != "" {
					t.Errorf("Authorization is %q too", got)
				}
			}
			if len(m.Destination.Requests()) == 0 {
				t.Error("nothing was delivered")
			}
		})
	}
}
