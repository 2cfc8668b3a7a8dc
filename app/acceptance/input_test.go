package acceptance

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/muttproject/mutt/app"
	"github.com/muttproject/mutt/app/apptest"
)

// down is a message that the rule "interface down" takes.
func down(port string) string { return "Interface " + port + ", changed state to down" }

// TestAlertContent holds contracts.md section 9 for one event, field by field, and that nothing keeps running after
// an orderly stop.
func TestAlertContent(t *testing.T) { inBothModes(t, alertContent) }

func alertContent(t *testing.T, in mode) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent(), goleak.IgnoreAnyFunction("github.com/muttproject/mutt/platform/testkit.(*process).run.func1"))
	m := in.start(t, nil)
	at := time.Now().Add(-time.Minute).UTC().Truncate(time.Second)
	m.Send([]byte(`{"hostname":"sw1","timestamp":"` + at.Format(time.RFC3339) + `","message":"` + down("Gi0/1") +
		`","severity":"err","facility":"local7","source_ip":"192.0.2.7","app_name":"link","rack":{"row":7}}`))
	a := m.ExpectDescription(down("Gi0/1"))
	row := m.ExpectAudit(1, url.Values{"hostname": {"sw1"}})[0]
	info := a.CustomInfo
	a.CustomInfo = nil
	want := apptest.Alert{
		Signature: "sw1::interface::Gi0/1", SourceID: "192.0.2.7", Source: "sw1", ExternalID: row.ID, Manager: "MUTT",
		Class: "NETO", Agent: "MUTT " + app.Version, AgentLocation: apptest.Process, Type: "interface down", Severity: 4,
		Description: down("Gi0/1"), AgentTime: at.Unix(),
	}
	if d := cmp.Diff(want, a); d != "" {
		t.Errorf("the alert (-want +got): %s", d)
	}
	event, ok := info["event"].(map[string]any)
	if !ok || event["id"] != row.ID || event["app_name"] != "link" || info["environment"] != "prod" || info["handling"] != "Page_and_ticket" ||
		cmp.Diff(map[string]any{"rack": map[string]any{"row": 7.0}}, event["fields"]) != "" {
		t.Errorf("custom_info is %v", info)
	}
	if row.Fate != "forwarded" || !row.ForwardedToMoog || row.RuleName != "interface down" || row.Team != "NETO" || row.Signature != a.Signature {
		t.Errorf("the audit row is %+v", row)
	}
	for _, r := range m.Destination.Requests() {
		if r.Header.Get("Authorization") != "Bearer "+apptest.MoogKey {
			t.Errorf("the request carried %q", r.Header.Get("Authorization"))
		}
	}
	if strings.Contains(string(row.RawMessage), apptest.MoogKey) {
		t.Error("the key of the destination is in the audit")
	}
	m.ExpectBalanced()
	m.Stop()
	m.Destination.Down()
}

// TestEveryDoor sends over each listener and path; each event arrives with what that way knows of it.
func TestEveryDoor(t *testing.T) { inBothModes(t, everyDoor) }

func everyDoor(t *testing.T, in mode) {
	t.Parallel()
	m := in.start(t, nil)
	for _, path := range []string{"/ingest", "/api/v1/ingest", "/api/v2/ingest"} {
		a := m.Post(path, apptest.Event("door"+strings.ReplaceAll(path, "/", "-"), down(path)))
		if a.Status != 200 || a.Header.Get("X-API-Version") != "v2.5" || a.Header.Get("X-Correlation-ID") == "" {
			t.Fatalf("%s was answered with %d %v %s", path, a.Status, a.Header, a.Body)
		}
	}
	m.SendSyslog("udp", "<187>Oct 11 22:14:15 sw-udp link: "+down("Gi1/0/1"))
	m.SendSyslog("udp", "<187>1 2026-01-02T03:04:05Z sw-udp5424 link 12 UPDOWN [a@32473 b=\"c\"] "+down("Gi1/0/2"))
	m.SendSyslog("tcp", "<187>Oct 11 22:14:15 sw-tcp link: "+down("Gi1/0/3"))
	m.SendSyslog("tcp", "<187>1 2026-01-02T03:04:05Z sw-tcp5424 link 12 UPDOWN - "+down("Gi1/0/4"))

	for _, want := range []struct{ host, source, signature string }{
		{"door-ingest", "http", "door-ingest::interface::/ingest"},
		{"door-api-v1-ingest", "http", "door-api-v1-ingest::interface::/api/v1/ingest"},
		{"door-api-v2-ingest", "http", "door-api-v2-ingest::interface::/api/v2/ingest"},
		{"sw-udp", "syslog", "sw-udp::interface::Gi1/0/1"},
		{"sw-udp5424", "syslog", "sw-udp5424::interface::Gi1/0/2"},
		{"sw-tcp", "syslog", "sw-tcp::interface::Gi1/0/3"},
		{"sw-tcp5424", "syslog", "sw-tcp5424::interface::Gi1/0/4"},
	} {
		a := m.ExpectAlert(want.host, func(a apptest.Alert) bool { return a.Source == want.host })
		event, _ := a.CustomInfo["event"].(map[string]any)
		if a.Signature != want.signature || event["source"] != want.source {
			t.Errorf("%s arrived as %+v", want.host, a)
		}
		if want.source == "syslog" && (a.Severity != 4 || a.SourceID != "127.0.0.1" || event["app_name"] != "link") {
			t.Errorf("%s arrived as %+v", want.host, a)
		}
		m.ExpectAudit(1, url.Values{"hostname": {want.host}})
	}
	if l := m.ExpectBalanced(); l.Delivery.Delivered != 7 || l.Judging.Received != 7 {
		t.Errorf("the books say %+v", l)
	}
}

// TestBatches sends a mixed batch: the good ones are accepted, each bad one is named, in each of the forms.
func TestBatches(t *testing.T) { inBothModes(t, batches) }

func batches(t *testing.T, in mode) {
	t.Parallel()
	m := in.start(t, nil)
	good, bad := string(apptest.Event("batch", down("1"))), `{"hostname":"batch","message":"no time"}`
	for i, body := range []string{"[" + good + "," + bad + "," + good + "]", good + "\n" + bad + "\n" + good + "\n"} {
		var got struct {
			Accepted, Rejected int
			Errors             []struct {
				Index   int
				Message string
			}
		}
		a := m.Post("/api/v2/ingest", []byte(body))
		if err := a.JSON(&got); err != nil || a.Status != 200 || got.Accepted != 2 || got.Rejected != 1 || len(got.Errors) != 1 ||
			got.Errors[0].Index != 1 || !strings.Contains(got.Errors[0].Message, "timestamp") {
			t.Errorf("form %d was answered with %d %s", i, a.Status, a.Body)
		}
	}
	m.ExpectAudit(4, url.Values{"hostname": {"batch"}})
	m.ExpectBalanced()
}

// TestOrderOfOneDevice sends a device's events one after the other: they arrive in that order.
func TestOrderOfOneDevice(t *testing.T) { inBothModes(t, orderOfOneDevice) }

func orderOfOneDevice(t *testing.T, in mode) {
	t.Parallel()
	m := in.start(t, nil)
	const n = 40
	for range n {
		m.Send(apptest.Event("ordered", down("Gi0/1")+" again"))
	}
	m.ExpectBalanced()
	var last string
	alerts := m.Destination.Alerts()
	for _, a := range alerts {
		if a.ExternalID <= last { // UUIDv7 grow with the time of receipt
			t.Fatalf("%s arrived after %s", a.ExternalID, last)
		}
		last = a.ExternalID
	}
	if len(alerts) != n {
		t.Fatalf("%d alerts arrived, want %d", len(alerts), n)
	}
}

// TestFates sends one event of each handling: only the first is delivered, each has its audit row and its place in
// the books.
func TestFates(t *testing.T) { inBothModes(t, fates) }

func fates(t *testing.T, in mode) {
	t.Parallel()
	m := in.start(t, nil)
	for fate, message := range map[string]string{"forwarded": down("Gi0/1"), "recorded": "%SYS-5-CONFIG_I: by admin",
		"ignored": "last message repeated 3 times", "unhandled": "something new"} {
		m.Send(apptest.Event("fate-"+fate, message))
	}
	l := m.ExpectBalanced()
	want := map[string]int64{"forwarded": 1, "recorded": 1, "ignored": 1, "unhandled": 1, "silenced": 0, "shed": 0, "poison": 0}
	if d := cmp.Diff(want, l.Judging.ByFate); d != "" {
		t.Errorf("the fates (-want +got): %s", d)
	}
	for fate, n := range want {
		rows := m.ExpectAudit(int(n), url.Values{"fate": {fate}})
		if n == 1 && (rows[0].Hostname != "fate-"+fate || rows[0].ForwardedToMoog != (fate == "forwarded")) {
			t.Errorf("%s: the row is %+v", fate, rows[0])
		}
	}
	if got := m.Destination.Alerts(); len(got) != 1 || got[0].Source != "fate-forwarded" {
		t.Errorf("delivered was %+v", got)
	}
}

// TestRepeatsOfASender sends the same events again, by id and by Idempotency-Key: each is accepted once.
func TestRepeatsOfASender(t *testing.T) { inBothModes(t, repeatsOfASender) }

func repeatsOfASender(t *testing.T, in mode) {
	t.Parallel()
	m := in.start(t, nil)
	var e map[string]any
	if err := json.Unmarshal(apptest.Event("again", down("Gi0/1")), &e); err != nil {
		t.Fatal(err)
	}
	e["id"] = "6f1c24cc-5a0e-4f8e-9f64-0b8f3f6f5b11"
	withID, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	keyed := []byte("[" + string(apptest.Event("again", down("Gi0/2"))) + "," + string(apptest.Event("again", down("Gi0/3"))) + "]")
	for range 3 {
		m.Send(withID)
		m.Send(keyed, "Idempotency-Key", "batch-7")
	}
	if l := m.ExpectBalanced(); l.Judging.Received != 3 || l.Delivery.Delivered != 3 {
		t.Errorf("the books say %+v", l)
	}
	m.ExpectAudit(3, url.Values{"hostname": {"again"}})
}
