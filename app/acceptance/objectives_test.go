package acceptance

import (
	"net/http"
	"testing"

	"github.com/muttproject/mutt/app"
	"github.com/muttproject/mutt/app/apptest"
	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/slo"
)

// TestRatesAndObjectives holds /metrics, /slo and what is beside the books: they add up over processes and survive
// restarts.
func TestRatesAndObjectives(t *testing.T) { inBothModes(t, ratesAndObjectives) }

func ratesAndObjectives(t *testing.T, in mode) {
	t.Parallel()
	o := apptest.Options{Roles: app.RoleSet{app.Ingestor, app.UI}, Env: map[string]string{"MAX_INGEST_QUEUE_SIZE": "10"}, Rules: []byte(rules)}
	if in.distributed {
		o.Servers = apptest.NewServers(t, "always")
	}
	m := apptest.Start(t, o)
	refused := 0
	for range 15 {
		switch a := m.Post("/api/v2/ingest", apptest.Event("slo", down("Gi0/1"))); a.Status {
		case http.StatusOK:
		case http.StatusServiceUnavailable:
			refused++
		default:
			t.Fatalf("answered with %d %s", a.Status, a.Body)
		}
	}
	if refused != 5 {
		t.Fatalf("%d of 15 were refused by a queue for 10", refused)
	}
	awaitObjective(t, m, slo.IngestAvailability, 15, 5) // what is refused is written every two seconds

	m.Restart(app.Roles()) // without the memory of the first start, and now somebody judges and delivers
	m.ExpectBalanced()
	want := 10
	if in.distributed {
		other := apptest.Start(t, apptest.Options{Roles: app.RoleSet{app.Ingestor}, Servers: o.Servers})
		for range 5 {
			other.Send(apptest.Event("slo", down("Gi0/2")))
		}
		want += 5
	}
	m.ExpectBalanced()
	awaitObjective(t, m, slo.IngestAvailability, float64(want+5), 5)
	for _, name := range []string{slo.JudgingSuccess, slo.DeliverySuccess, slo.JudgingLatency, slo.DeliveryLatency} {
		awaitObjective(t, m, name, float64(want), 0)
	}
	var rates apiclient.Metrics
	m.Get(&rates, nil, "metrics")
	if got := rates.Summary.AvgRate1h * 60; got < float64(want)-0.5 || got > float64(want)+0.5 {
		t.Errorf("%v events in the last hour, want %d", got, want)
	}
	if l := m.Ledger(); l.Beside.Refused != 5 || l.Judging.Received != int64(want) {
		t.Errorf("the books say %+v", l)
	}

	m.SetConfig("slo_ingest_availability_target", 0.5) // in force at once
	if s := objective(t, m, slo.IngestAvailability); s.Status != slo.OK {
		t.Errorf("with a target of 50 %%: %+v", s)
	}
}

func objective(t *testing.T, m *apptest.MUTT, name string) apiclient.SLO {
	t.Helper()
	var all apiclient.SLOs
	m.Get(&all, nil, "slo")
	for _, s := range all.SLOs {
		if s.Name == name {
			return s
		}
	}
	t.Fatalf("there is no objective %s: %+v", name, all)
	return apiclient.SLO{}
}

// awaitObjective waits until an objective has counted so many events, and so many bad ones.
func awaitObjective(t *testing.T, m *apptest.MUTT, name string, events, bad float64) {
	t.Helper()
	apptest.Eventually(t, name, func() (bool, any) {
		s := objective(t, m, name)
		return s.Events == events && s.BadEvents == bad, s
	})
}
