package moogsoft

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/muttproject/mutt/modules/forward/internal/dest/desttest"
	"github.com/muttproject/mutt/platform/event"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func encoder() *Encoder { return &Encoder{Version: "1.2.3", Location: "mutt-0"} }

func TestConforms(t *testing.T) {
	t.Parallel()
	desttest.Run(t, encoder())
}

// TestPayload holds the contract (contracts.md section 9), field by field.
func TestPayload(t *testing.T) {
	t.Parallel()
	alerts := desttest.Alerts()
	var got map[string]any
	if err := json.Unmarshal(encoder().AppendBody(nil, alerts[:1]), &got); err != nil {
		t.Fatal(err)
	}
	custom, _ := got["custom_info"].(map[string]any)
	whole, _ := custom["event"].(map[string]any)
	if whole["hostname"] != "core-1.example" || whole["trap_oid"] != "1.3.6.1" || whole["fields"] == nil || whole["variables"] == nil {
		t.Errorf("the whole event is in custom_info: %v", whole)
	}
	delete(custom, "event")
	want := map[string]any{
		"signature": "core-1/bgp", "source_id": "192.0.2.7", "source": "core-1.example",
		"external_id": "01020300-0000-0000-0000-000000000000", "manager": "MUTT", "class": "NOC", "agent": "MUTT 1.2.3",
		"agent_location": "mutt-0", "type": "bgp", "severity": 4.0, "description": "BGP \"down\"\n\u2028<b>é\x01",
		"agent_time":  1_699_999_999.0,
		"custom_info": map[string]any{"rule": map[string]any{"id": 42.0, "name": "bgp"}, "environment": "dev", "handling": "Page_and_ticket"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestPayloadWithoutRuleAndAddress(t *testing.T) {
	t.Parallel()
	var got map[string]any
	if err := json.Unmarshal(encoder().AppendBody(nil, desttest.Alerts()[1:]), &got); err != nil {
		t.Fatal(err)
	}
	if got["type"] != "unhandled" || got["source_id"] != "sw1" || got["agent_time"] != 1_700_000_000.0 {
		t.Errorf("got %v: a clock that is years off gives way to the time of receipt", got)
	}
	if custom := got["custom_info"].(map[string]any); custom["rule"] != nil || custom["environment"] != "prod" {
		t.Errorf("custom_info %v", custom)
	}
}

func TestClockSkewBound(t *testing.T) {
	t.Parallel()
	const received, day = int64(1_700_000_000e6), int64(86_400e6)
	for offset, want := range map[int64]int64{0: received, day: received + day, -day: received - day, day + 1e6: received, -day - 1e6: received} {
		if got := agentTime(&event.Event{ReceivedAt: received, Timestamp: received + offset}); got != want/1e6 {
			t.Errorf("%d s off: got %d", offset/1e6, got)
		}
	}
}

func TestList(t *testing.T) {
	t.Parallel()
	e := encoder()
	e.List = true
	for n := 1; n <= 2; n++ {
		var got struct{ Events []map[string]any }
		if err := json.Unmarshal(e.AppendBody(nil, desttest.Alerts()[:n]), &got); err != nil || len(got.Events) != n {
			t.Fatalf("%d alerts: %d, %v", n, len(got.Events), err)
		}
	}
}

func BenchmarkAppendBody(b *testing.B) {
	e, alerts := encoder(), desttest.Alerts()[:1]
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		dst = e.AppendBody(dst[:0], alerts)
	}
	b.SetBytes(int64(len(dst)))
}
