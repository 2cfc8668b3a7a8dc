package page

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"testing"
	"time"

	"github.com/muttproject/mutt/platform/apiclient"
)

// BenchmarkEvents renders 200 judged events from what the API answers. The budget of the console is 2 ms.
func BenchmarkEvents(b *testing.B) {
	assets, err := NewAssets(os.DirFS(webFiles()))
	if err != nil {
		b.Fatal(err)
	}
	now := time.Date(2026, 11, 30, 3, 12, 44, 0, time.UTC)
	logs := make([]apiclient.AuditLog, 200)
	for i := range logs {
		logs[i] = apiclient.AuditLog{ID: fmt.Sprintf("01a22a6e-b990-7000-8000-%012d", i), ReceivedAt: now, EventTimestamp: now, Hostname: "edge-fra-1", RuleName: "BGP neighbor down",
			Fate: "forwarded", Team: "NETO", RawMessage: json.RawMessage(`{"message":"%BGP-5-ADJCHANGE: neighbor 203.0.113.10 Down BGP Notification sent","source":"syslog","syslog_severity":5}`)}
	}
	b.ReportAllocs()
	for b.Loop() {
		v := eventsView{}
		for i := range logs {
			v.rows = append(v.rows, rowOf(&logs[i], now))
		}
		if err := eventsPage(frame{Assets: assets, Name: "lena", Page: "events"}, &v).Render(b.Context(), io.Discard); err != nil {
			b.Fatal(err)
		}
	}
}
