package event

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var update = flag.Bool("update", false, "write the golden files anew")

func wireEvent() Event {
	return Event{
		ID: ID{0x01, 0x93, 0x5a, 0x7b, 15: 0x42}, ReceivedAt: 1_790_000_000_123_456, Timestamp: 1_789_999_999_000_000,
		Source: SourceSyslog, Severity: 3, Facility: Absent, Hostname: "core-sw-01", Message: "%LINK-3-UPDOWN: Interface Gi0/1, changed state to down",
		CorrelationID: "c-1", SenderID: "", SourceType: "cisco", SourceIP: "192.0.2.7", AppName: "ios", ProcID: "77", MsgID: "LINK",
		TrapOID: "1.3.6.1.6.3.1.1.5.3", Variables: []Variable{{"1.3.6.1.2.1.2.2.1.1", "int", "7"}, {"1.3.6.1.2.1.2.2.1.2", "string", "Gi0/1"}},
		Fields: `{"site":"ams","n":1.50}`, TraceParent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
	}
}

func wireAlert() Alert {
	return Alert{Event: wireEvent(), Decision: Decision{Fate: FateForwarded, Handling: PageOnly, Dev: true, Severity: 5, RuleID: 42,
		RuleName: "link down", Team: "NETO", Signature: "core-sw-01::link down", RulesetVersion: 9}}
}

// TestGolden holds the format: these bytes were written by version 1 and must stay readable for ever.
func TestGolden(t *testing.T) {
	t.Parallel()
	var many []Event
	for range 20 {
		many = append(many, wireEvent())
	}
	for name, batch := range map[string][]byte{
		"v1-event.bin": EncodeEvents([]Event{wireEvent()}), "v1-alert.bin": EncodeAlerts([]Alert{wireAlert()}),
		"v1-empty.bin": EncodeEvents(nil), "v1-packed.bin": EncodeEvents(many),
	} {
		path := filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(path, batch, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		// Compressed bytes may differ between releases of the compressor; what they hold may not.
		if name != "v1-packed.bin" && !bytes.Equal(want, batch) {
			t.Errorf("%s: the format changed; a new version number is due", name)
		}
		if strings.Contains(name, "alert") {
			got, err := DecodeAlerts(nil, want)
			if d := cmp.Diff([]Alert{wireAlert()}, got); err != nil || d != "" {
				t.Errorf("%s: %v %s", name, err, d)
			}
			continue
		}
		got, err := DecodeEvents(nil, want)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for i := range got {
			if d := cmp.Diff(wireEvent(), got[i]); d != "" {
				t.Errorf("%s: %s", name, d)
			}
		}
		if n, err := Count(want); err != nil || n != len(got) {
			t.Errorf("%s: count %d, %v", name, n, err)
		}
	}
}

func genEvent(t *rapid.T) Event {
	text := rapid.StringOf(rapid.Rune())
	e := Event{
		ReceivedAt: rapid.Int64Range(-1<<52, 1<<52).Draw(t, "received"), Timestamp: rapid.Int64Range(-1<<52, 1<<52).Draw(t, "ts"),
		Source: Source(rapid.IntRange(0, 5).Draw(t, "source")), Severity: int8(rapid.IntRange(-1, 7).Draw(t, "sev")),
		Facility: int8(rapid.IntRange(-1, 23).Draw(t, "fac")), Hostname: text.Draw(t, "host"), Message: text.Draw(t, "msg"),
		CorrelationID: text.Draw(t, "corr"), SenderID: text.Draw(t, "sender"), SourceIP: text.Draw(t, "ip"),
		TrapOID: text.Draw(t, "oid"), Fields: text.Draw(t, "fields"), TraceParent: text.Draw(t, "tp"),
	}
	copy(e.ID[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "id"))
	for range rapid.IntRange(0, 3).Draw(t, "vars") {
		e.Variables = append(e.Variables, Variable{text.Draw(t, "o"), text.Draw(t, "t"), text.Draw(t, "v")})
	}
	return e
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		events := rapid.SliceOfN(rapid.Custom(genEvent), 0, 30).Draw(t, "events")
		got, err := DecodeEvents(nil, EncodeEvents(events))
		if err != nil || len(got) != len(events) {
			t.Fatalf("%d of %d events, %v", len(got), len(events), err)
		}
		alerts := make([]Alert, len(events))
		for i := range events {
			if d := cmp.Diff(events[i], got[i]); d != "" {
				t.Fatal(d)
			}
			alerts[i] = Alert{Event: events[i], Decision: wireAlert().Decision}
		}
		back, err := DecodeAlerts(nil, EncodeAlerts(alerts))
		if err != nil || len(back) != len(alerts) {
			t.Fatalf("%d of %d alerts, %v", len(back), len(alerts), err)
		}
		for i := range alerts {
			if d := cmp.Diff(alerts[i], back[i]); d != "" {
				t.Fatal(d)
			}
		}
	})
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	good := EncodeEvents([]Event{wireEvent(), wireEvent(), wireEvent()})
	newer := bytes.Clone(good)
	newer[2]++
	if _, err := DecodeEvents(nil, newer); !errors.Is(err, ErrNewerVersion) {
		t.Errorf("a newer version is told apart: %v", err)
	}
	if _, err := DecodeAlerts(nil, good); !errors.Is(err, ErrCorrupt) {
		t.Errorf("events are no alerts: %v", err)
	}
	for n := range good {
		if _, err := DecodeEvents(nil, good[:n]); err == nil {
			t.Errorf("a batch cut at %d was accepted", n)
		}
	}
	if _, err := DecodeEvents(nil, append(EncodeEvents(nil), 'x')); !errors.Is(err, ErrCorrupt) {
		t.Errorf("trailing bytes: %v", err)
	}
	// A short batch that claims much must not cost memory.
	bomb := []byte{'M', 'T', 1, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}
	if _, err := DecodeEvents(nil, bomb); !errors.Is(err, ErrCorrupt) {
		t.Errorf("bomb: %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(EncodeEvents([]Event{wireEvent()}))
	f.Add(EncodeAlerts([]Alert{wireAlert()}))
	f.Add(EncodeEvents(nil))
	f.Add([]byte("MT\x01\x00\x01\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if events, err := DecodeEvents(nil, b); err == nil {
			again, err := DecodeEvents(nil, EncodeEvents(events))
			if err != nil || len(again) != len(events) {
				t.Fatalf("what decodes must encode: %v", err)
			}
			for i := range events {
				if d := cmp.Diff(events[i], again[i]); d != "" {
					t.Fatal(d)
				}
			}
		}
		if _, err := DecodeAlerts(nil, b); err == nil {
			if _, err := Count(b); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestNames(t *testing.T) {
	t.Parallel()
	for _, s := range Sources() {
		if got, ok := ParseSource(s.String()); !ok || got != s {
			t.Errorf("source %v", s)
		}
	}
	for _, f := range Fates() {
		if got, ok := ParseFate(f.String()); !ok || got != f {
			t.Errorf("fate %v", f)
		}
	}
	for _, h := range Handlings() {
		if got, ok := ParseHandling(strings.ToUpper(h.String())); !ok || got != h {
			t.Errorf("handling %v", h)
		}
		if h.Forwards() != (h.Fate() == FateForwarded) {
			t.Errorf("%v: forwarding and fate disagree", h)
		}
	}
	if _, ok := ParseHandling(""); ok {
		t.Error("no handling is no handling")
	}
}

func BenchmarkEncode500(b *testing.B) {
	events := make([]Event, 500)
	for i := range events {
		events[i] = wireEvent()
	}
	b.ReportAllocs()
	for b.Loop() {
		EncodeEvents(events)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/500, "ns/event")
}

func BenchmarkDecode500(b *testing.B) {
	events := make([]Event, 500)
	for i := range events {
		events[i] = wireEvent()
	}
	batch := EncodeEvents(events)
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if events, err = DecodeEvents(events[:0], batch); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/500, "ns/event")
}
