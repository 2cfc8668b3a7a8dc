package acceptance

import (
	"slices"
	"testing"

	"github.com/muttproject/mutt/app"
	"github.com/muttproject/mutt/app/apptest"
	"github.com/muttproject/mutt/platform/apiclient"
)

// TestProblemsOfEveryProcess asks one process what is wrong in all. What a process finds is in the list until it stops.
func TestProblemsOfEveryProcess(t *testing.T) {
	t.Parallel()
	unset := func(p apiclient.Problem) bool { return p.Code == "forward" }
	list := func(m *apptest.MUTT) (p apiclient.Problems) { m.Get(&p, nil, "problems"); return p }
	t.Run("embedded", func(t *testing.T) {
		t.Parallel()
		got := list(apptest.Start(t, apptest.Options{NoDestination: true}))
		i := slices.IndexFunc(got.Problems, unset)
		if i < 0 || got.Problems[i].Severity != "warn" || got.Problems[i].Runbook != "destination" || !slices.Equal(got.Problems[i].Processes, []string{apptest.Process}) {
			t.Errorf("without a destination: %+v", got)
		}
	})
	t.Run("distributed", func(t *testing.T) {
		t.Parallel()
		servers := apptest.NewServers(t, "always")
		ui := apptest.Start(t, apptest.Options{Servers: servers, Roles: app.RoleSet{app.UI}, NoDestination: true, Env: map[string]string{"POD_NAME": "ui"}})
		forwarders := make([]*apptest.MUTT, 2)
		for i, name := range []string{"forwarder-1", "forwarder-2"} {
			forwarders[i] = apptest.Start(t, apptest.Options{Servers: servers, Roles: app.RoleSet{app.Forwarder}, NoDestination: true, Env: map[string]string{"POD_NAME": name}})
		}
		for _, want := range [][]string{{"forwarder-1", "forwarder-2"}, {"forwarder-2"}} {
			apptest.Eventually(t, "the problem of the forwarders is in the list of the ui", func() (bool, any) {
				got := list(ui)
				i := slices.IndexFunc(got.Problems, unset)
				return i >= 0 && slices.Equal(got.Problems[i].Processes, want), got
			})
			forwarders[0].Stop()
		}
	})
}
