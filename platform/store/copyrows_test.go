package store

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"golang.org/x/sys/unix"

	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/testkit"
)

// BenchmarkCopy compares the hand-made COPY with the driver's, rows ready in memory: what a row costs the client.
func BenchmarkCopy(b *testing.B) {
	server := testkit.Postgres(b, testkit.PostgresOptions{Fsync: true})
	conn, err := pgx.Connect(b.Context(), fmt.Sprintf("host=%s port=%d user=%s password=%s dbname=%s", server.Host, server.Port,
		server.User, server.Password.Reveal(), server.NewDatabase(b)))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = conn.Close(context.Background()) })
	if _, err := conn.Exec(b.Context(), benchTable); err != nil {
		b.Fatal(err)
	}
	for _, n := range []int{500, 2000, 5000} {
		entries := []JudgedEntry{{Rows: benchRows(n)}}
		rows := &copyRows{}
		for name, run := range map[string]func() error{
			"hand": func() error {
				rows.encode(entries)
				rows.dropNone()
				_, err := conn.PgConn().CopyFrom(b.Context(), bytes.NewReader(rows.stream()), copyAudit)
				return err
			},
			"driver": func() error {
				_, err := conn.CopyFrom(b.Context(), pgx.Identifier{"event_audit"}, copyColumns, &driverSource{rows: entries[0].Rows})
				return err
			},
		} {
			b.Run(fmt.Sprintf("%s/rows=%d", name, n), func(b *testing.B) {
				b.ReportAllocs()
				before := processorTime(b)
				for b.Loop() {
					if err := run(); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64((processorTime(b)-before).Nanoseconds())/1000/float64(b.N*n), "cpu-µs/row")
				b.ReportMetric(float64(b.N*n)/b.Elapsed().Seconds(), "rows/s")
			})
		}
	}
}

// benchTable is event_audit without indexes: here the client is measured.
const benchTable = `CREATE TABLE event_audit (id UUID, received_at BIGINT, event_timestamp BIGINT, ruleset_version BIGINT,
	matched_rule_id BIGINT, source SMALLINT, severity SMALLINT, syslog_severity SMALLINT, handling SMALLINT, fate SMALLINT,
	environment SMALLINT, hostname TEXT, rule_name TEXT, team TEXT, signature TEXT, correlation_id TEXT, raw_message TEXT)`

var copyColumns = []string{"id", "received_at", "event_timestamp", "ruleset_version", "matched_rule_id", "source", "severity",
	"syslog_severity", "handling", "fate", "environment", "hostname", "rule_name", "team", "signature", "correlation_id", "raw_message"}

func processorTime(b *testing.B) time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func benchRows(n int) []AuditRow {
	out, now := make([]AuditRow, n), time.Now().UnixMicro()
	for i := range out {
		out[i] = AuditRow{
			Event: &event.Event{ID: uuid.Must(uuid.NewV7()), ReceivedAt: now, Timestamp: now, Source: event.SourceSyslog, Severity: 4,
				Facility: 23, Hostname: "sw-" + strconv.Itoa(i%500) + ".example.net", SourceIP: "192.0.2.17", AppName: "LINK-3-UPDOWN",
				CorrelationID: uuid.NewString(), Message: fmt.Sprintf("%%LINK-3-UPDOWN: Interface GigabitEthernet1/0/%d, changed state "+
					"to down; neighbor 198.51.100.%d lost, adjacency reset after dead timer expired, %d retries, area 0.0.0.0", i%48, i%250, i)},
			Decision: &event.Decision{Fate: event.FateUnhandled, Severity: 3, RulesetVersion: 7},
		}
	}
	return out
}

// driverSource gives rows to the driver's own CopyFrom, which asks for one at a time.
type driverSource struct {
	rows   []AuditRow
	at     int
	json   []byte
	values [rowColumns]any
}

func (s *driverSource) Next() bool { s.at++; return s.at <= len(s.rows) }
func (s *driverSource) Err() error { return nil }

func (s *driverSource) Values() ([]any, error) {
	e, d := s.rows[s.at-1].Event, s.rows[s.at-1].Decision
	s.json = event.AppendEventJSON(s.json[:0], e)
	s.values = [rowColumns]any{[16]byte(e.ID), e.ReceivedAt, e.Timestamp, d.RulesetVersion, nil, int16(e.Source), int16(d.Severity),
		int16(e.Severity), int16(d.Handling), int16(d.Fate), int16(number(d.Dev)), e.Hostname, d.RuleName, d.Team, d.Signature,
		e.CorrelationID, s.json}
	if d.RuleID != 0 {
		s.values[4] = d.RuleID
	}
	if e.Severity == event.Absent {
		s.values[7] = nil
	}
	return s.values[:], nil
}

// TestSealCopyText holds that what is sent is what PostgreSQL accepts, and else what was given.
func TestSealCopyText(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"": "", "plain": "plain", "ä€😀": "ä€😀", "a\x00b": "a\uFFFDb", "\x00": "\uFFFD", "a\xffb\xfe\xfdc": "a\uFFFDb\uFFFDc",
		"\xed\xa0\x80": "\uFFFD", // a surrogate half
	} {
		got := sealCopyText(append([]byte("before"+copyLength), in...), len(in))
		head := append([]byte("before"), 0, 0, 0, byte(len(want)))
		if diff := cmp.Diff(append(head, want...), got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", in, diff)
		}
	}
}
