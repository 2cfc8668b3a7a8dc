package decode

import (
	"strings"
	"testing"
	"time"

	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/fault"
)

// decodeOne decodes a lone object with some aliases and required fields.
func decodeOne(t *testing.T, body, aliases, required string) (event.Event, error) {
	t.Helper()
	var texts []string
	if aliases != "" {
		texts = strings.Split(aliases, ",")
	}
	parsed, err := ParseAliases(texts)
	if err != nil {
		t.Fatal(err)
	}
	d := New(Options{Required: strings.Split(required, ","), Aliases: parsed, Now: func() time.Time { return testNow }, SaneID: func(string) bool { return true }})
	if d.Reset([]byte(body), JSON); !d.Next() {
		t.Fatalf("%s: %v", body, d.Err())
	}
	e, err := d.Event()
	if err != nil {
		return event.Event{}, err
	}
	return clone(e), nil
}

func TestAliases(t *testing.T) {
	t.Parallel()
	const usual, all = "host=hostname,@timestamp=timestamp,time=timestamp,msg=message,log=message", "hostname,timestamp,message"
	want := func(e event.Event, fields string) event.Event {
		e.Fields = fields
		return e
	}
	for _, c := range []struct {
		body, aliases, required string
		want                    event.Event
		err                     string // substring, "" for none
	}{
		{`{"host":"r1","@timestamp":"` + stampText + `","msg":"m"}`, usual, all, base(nil), ""},
		{`{"log":"m","time":1795427999,"host":"r1"}`, usual, all, base(nil), ""},
		{`{"log":"l","msg":"m","time":1,"@timestamp":"` + stampText + `","host":"r1"}`, usual, all, want(base(nil), `{"log":"l","time":1}`), ""},
		{`{"hostname":null,"host":"r1","timestamp":"` + stampText + `","message":"m"}`, usual, all, base(nil), ""},
		{`{"h\u006fst":"r1","timestamp":"` + stampText + `","message":"m"}`, usual, all, base(nil), ""},
		{`{"hostname":"r1","host":"other","timestamp":"` + stampText + `","message":"m"}`, usual, all, want(base(nil), `{"host":"other"}`), ""},
		{`{"host":{"name":"x"},"hostname":"r1","timestamp":"` + stampText + `","log":["m"],"msg":"m"}`, usual, all, want(base(nil), `{"host":{"name":"x"},"log":["m"]}`), ""},
		{`{"host":5,"timestamp":"` + stampText + `","msg":true,"log":"m"}`, usual, all,
			want(base(func(e *event.Event) { e.Hostname = "5" }), `{"msg":true}`), ""},
		{`{"host":"r1","timestamp":"` + stampText + `","message":"m"}`, "", all, event.Event{}, "missing required fields: hostname"},
		{`{"hostname":"r1","timestamp":"` + stampText + `","message":"m","priority":"err","appname":"a"}`, "priority=severity,appname=app_name", all,
			base(func(e *event.Event) { e.Severity, e.AppName = 3, "a" }), ""},
		{`{"hostname":"r1","timestamp":"` + stampText + `","message":"m","priority":"err","syslog_severity":2}`, "priority=severity", all,
			want(base(func(e *event.Event) { e.Severity = 2 }), `{"priority":"err"}`), ""},
		{`{"hostname":"r1","timestamp":"` + stampText + `","message":"m","priority":"odd"}`, "priority=severity", all, want(base(nil), `{"priority":"odd"}`), ""},
		{`{"hostname":"r1","timestamp":"` + stampText + `","message":"m","priority":9}`, "priority=severity", all, event.Event{}, "0 to 7"},
		// What is not required stays what it was before there were aliases.
		{`{"host":"\u0007","time":"yesterday","message":"m"}`, usual, "message",
			event.Event{Message: "m", Severity: event.Absent, Facility: event.Absent, Fields: `{"host":"\u0007","time":"yesterday"}`}, ""},
	} {
		got, err := decodeOne(t, c.body, c.aliases, c.required)
		if c.err != "" {
			if !fault.Is(err, fault.InvalidField) || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%s: %v", c.body, err)
			}
			continue
		}
		if err != nil || got.Hostname != c.want.Hostname || got.Timestamp != c.want.Timestamp || got.Message != c.want.Message ||
			got.Fields != c.want.Fields || got.Severity != c.want.Severity || got.AppName != c.want.AppName {
			t.Errorf("%s: %v, got %+v, want %+v", c.body, err, got, c.want)
		}
	}
}

func TestParseAliases(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"host": "member=field", "=hostname": "member=field", "a=hots": "which \"hots\" is not", `a"b=hostname`: "member=field",
		"source_ip=hostname": "as \"source_ip\" is", "a=hostname,a=message": "twice", strings.Repeat("a=hostname,", 33): "at most 32"} {
		if _, err := ParseAliases(strings.Split(text, ",")); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
	got, err := ParseAliases([]string{" host = hostname "})
	if err != nil || len(got) != 1 || got[0].String() != "host=hostname" {
		t.Errorf("got %v, %v", got, err)
	}
}

// TestForeignBatches: the formats of rsyslog's omhttp that wrap events are refused by their names, whatever their size.
func TestForeignBatches(t *testing.T) {
	t.Parallel()
	record := `{"value":` + doc("") + `}`
	kafka := `{"records":[` + record + `]}`
	loki := `{ "streams" : [{"stream":{"host":"r1"},"values":[["1795427999000000000","m"]]}]}`
	for body, want := range map[string]string{
		kafka: "kafkarest", loki: "lokirest", `{"records":[` + strings.Repeat(record+",", 20_000) + record + `]}`: "kafkarest",
		`{"records":5}`: "missing", `{"record":[]}`: "missing",
	} {
		_, err := decodeOne(t, body, "", "message")
		if err == nil || !strings.Contains(err.Error(), want) || fault.Is(err, fault.BadRequest) != (want != "missing") {
			t.Errorf("%.60s: %v", body, err)
		}
	}
	if _, err := decodeOne(t, doc(`,"records":[1],"streams":[]`), "", "message"); err != nil {
		t.Error(err)
	}
}
