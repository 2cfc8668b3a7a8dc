package cli

import (
	"strings"
	"testing"

	"github.com/muttproject/mutt/platform/apiclient"
)

func TestSecretsTable(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	err := writeSecrets(&out, apiclient.Secrets{Secrets: []apiclient.SecretStatus{{Secret: "postgres", Reason: "a: 2 are old", Processes: []apiclient.ProcessSecret{{
		Name: "a", Reason: "2 are old", Loaded: []apiclient.LoadedSecret{{Key: "DB_PASS_CURRENT", Version: "vault:7", Refused: true}, {Key: "DB_PASS_NEXT", Version: "vault:7", Accepted: true}},
		InUse: []apiclient.SecretUse{{Key: "DB_PASS_CURRENT", Version: "vault:6", Connections: 2, Withdrawn: true}},
	}}}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"DB_PASS_CURRENT vault:7 (refused), DB_PASS_NEXT vault:7 (accepted)", "2× DB_PASS_CURRENT vault:6 (withdrawn)", "postgres: old password safe to retire: no, because a: 2 are old"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in\n%s", want, out.String())
		}
	}
}
