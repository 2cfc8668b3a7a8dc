package event

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"pgregory.net/rapid"
)

func sampleEvent() Event {
	return Event{
		ID:         uuid.MustParse("01936c2e-7b1d-7aaa-8bbb-0123456789ab"),
		ReceivedAt: time.Date(2026, 11, 3, 4, 5, 6, 7008000, time.UTC).UnixMicro(),
		Timestamp:  time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).UnixMicro(),
		Source:     SourceSyslog, Severity: 3, Facility: 23,
		Hostname: "sw1", Message: `%LINK-3-UPDOWN: "Gi0/1" \ down`,
	}
}

func TestAppendEventJSON(t *testing.T) {
	t.Parallel()
	full := sampleEvent()
	full.CorrelationID, full.SenderID, full.SourceType, full.SourceIP = "c1", "s1", "router", "192.0.2.1"
	full.AppName, full.ProcID, full.MsgID, full.TrapOID = "app", "12", "ID47", "1.3.6.1.4.1.9"
	full.Variables = []Variable{{"1.3.6.1", "int", "7"}, {"1.3.6.2", "str", "a\tb"}}
	full.Fields, full.TraceParent = `{"rack":[1,null]}`, "00-ab-cd-01"
	bare := sampleEvent()
	bare.Severity, bare.Facility = Absent, Absent

	const head = `{"id":"01936c2e-7b1d-7aaa-8bbb-0123456789ab","received_at":"2026-11-03T04:05:06.007008Z",` +
		`"timestamp":"2026-01-02T03:04:05.000000Z","source":"syslog","hostname":"sw1",` +
		`"message":"%LINK-3-UPDOWN: \"Gi0/1\" \\ down"`
	for name, tc := range map[string]struct {
		in   Event
		want string
	}{
		"bare": {bare, head + `}`},
		"severity zero is not absent": {func() Event { e := bare; e.Severity = 0; return e }(),
			head + `,"syslog_severity":0}`},
		"full": {full, head + `,"syslog_severity":3,"facility":23,"source_type":"router","source_ip":"192.0.2.1",` +
			`"app_name":"app","proc_id":"12","msg_id":"ID47","trap_oid":"1.3.6.1.4.1.9",` +
			`"variables":[{"oid":"1.3.6.1","type":"int","value":"7"},{"oid":"1.3.6.2","type":"str","value":"a\tb"}],` +
			`"fields":{"rack":[1,null]},"sender_id":"s1","_correlation_id":"c1","traceparent":"00-ab-cd-01"}`},
	} {
		if diff := cmp.Diff(tc.want, string(AppendEventJSON(nil, &tc.in))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestAppendEventJSONDoesNotAllocate(t *testing.T) {
	e, buf := sampleEvent(), make([]byte, 0, 1024)
	if n := testing.AllocsPerRun(100, func() { buf = AppendEventJSON(buf[:0], &e) }); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

func TestAppendTimeAgreesWithTheStandardLibrary(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		us := rapid.Int64Range(-62_200_000_000_000_000, 253_500_000_000_000_000).Draw(t, "us")
		want := time.UnixMicro(us).UTC().Format("2006-01-02T15:04:05.000000Z07:00")
		if got := string(appendTime(nil, us)); got != want {
			t.Fatalf("%d: got %s, want %s", us, got, want)
		}
	})
}

// FuzzAppendEventJSON holds that any text gives valid JSON that reads back as the same text.
func FuzzAppendEventJSON(f *testing.F) {
	f.Add("sw1", "plain", "")
	f.Add("\x00\x1f\x7f", `quote " backslash \ slash /`, "ä€😀")
	f.Add("bad \xff\xc3", "\u2028\u2029<&>", "\xed\xa0\x80")
	f.Fuzz(func(t *testing.T, host, message, value string) {
		e := sampleEvent()
		e.Hostname, e.Message, e.AppName = host, message, value
		e.Variables = []Variable{{OID: value, Type: host, Value: message}}
		e.Fields = string(AppendJSONString(append([]byte(nil), `{"k":`...), value)) + "}"
		text := AppendEventJSON(nil, &e)
		var got struct {
			Hostname, Message string
			AppName           string `json:"app_name"`
			Variables         []Variable
			Fields            map[string]string
		}
		if !utf8.Valid(text) {
			t.Fatalf("not UTF-8: %q", text)
		}
		if err := json.Unmarshal(text, &got); err != nil {
			t.Fatalf("%v in %s", err, text)
		}
		clean := func(s string) string {
			var b strings.Builder
			for _, r := range s {
				b.WriteRune(r)
			}
			return b.String()
		}
		want := []string{clean(host), clean(message), clean(value), clean(value), clean(message)}
		have := []string{got.Hostname, got.Message, got.AppName, got.Fields["k"], got.Variables[0].Value}
		if diff := cmp.Diff(want, have); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
	})
}

func BenchmarkAppendEventJSON(b *testing.B) {
	e, buf := sampleEvent(), make([]byte, 0, 1024)
	e.Message = strings.Repeat("interface Gi0/1 changed state to down ", 5)
	b.ReportAllocs()
	for b.Loop() {
		buf = AppendEventJSON(buf[:0], &e)
	}
}
