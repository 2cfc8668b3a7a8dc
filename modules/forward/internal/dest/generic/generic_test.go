package generic

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/muttproject/mutt/modules/forward/internal/dest/desttest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConforms(t *testing.T) {
	t.Parallel()
	desttest.Run(t, &Encoder{List: true})
}

func TestPayload(t *testing.T) {
	t.Parallel()
	var got map[string]any
	if err := json.Unmarshal((&Encoder{}).AppendBody(nil, desttest.Alerts()[:1]), &got); err != nil {
		t.Fatal(err)
	}
	whole, _ := got["event"].(map[string]any)
	if whole["message"] == nil || whole["id"] != got["external_id"] {
		t.Errorf("the whole event: %v", whole)
	}
	delete(got, "event")
	want := map[string]any{"external_id": "01020300-0000-0000-0000-000000000000", "signature": "core-1/bgp", "severity": 4.0,
		"team": "NOC", "environment": "dev", "fate": "forwarded", "handling": "Page_and_ticket",
		"rule": map[string]any{"id": 42.0, "name": "bgp", "ruleset_version": 7.0}}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestList(t *testing.T) {
	t.Parallel()
	var got struct{ Events []map[string]any }
	if err := json.Unmarshal((&Encoder{}).AppendBody(nil, desttest.Alerts()), &got); err != nil || len(got.Events) != 2 {
		t.Fatalf("%d, %v", len(got.Events), err)
	}
}
