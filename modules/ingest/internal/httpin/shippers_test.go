package httpin

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/muttproject/mutt/platform/event"
)

// TestShippers posts what log shippers send by their documentation, each with the settings that docs/guides/senders.md shows.
// {…} in a body is the time in the form that the shipper writes.
func TestShippers(t *testing.T) {
	t.Parallel()
	at := time.Now().UTC().Add(-time.Minute).Truncate(time.Millisecond)
	const array, lines = "Content-Type: application/json", "Content-Type: application/x-ndjson"
	type want = event.Event // of which Hostname, Message, Severity, Facility, AppName, ProcID and Fields are compared
	plain := func(fields string) want {
		return want{Hostname: "r1", Message: "link down", Severity: event.Absent, Facility: event.Absent, Fields: fields}
	}
	full := func(fields string) want {
		return want{Hostname: "r1", Message: "link down", Severity: 3, Facility: 23, AppName: "ifmgr", ProcID: "73411", Fields: fields}
	}
	ecs := `{"ecs":{"version":"8.0.0"},"host":{"hostname":"r1","ip":"203.0.113.7"},"log":{"syslog":{"priority":187,"severity":{"code":3,"name":"error"}}},"event":{"original":"<187>x"},"@version":"1"}`
	for _, c := range []struct {
		name, contentType, body string
		stamp                   time.Duration // precision of the time
		want                    []want
	}{
		{"rsyslog omhttp, newline", "Content-Type: application/json; charset=utf-8",
			`{"message":"link down","host":"r1","timestamp":"{2006-01-02T15:04:05.000000+00:00}"}` + "\n" + `{"message":"link down","host":"r1","timestamp":"{2006-01-02T15:04:05.000000+00:00}"}`,
			time.Millisecond, []want{plain(""), plain("")}},
		{"rsyslog omhttp, one message", "Content-Type: application/json; charset=utf-8", `{"msg":"link down","host":"r1","timestamp":"{Jan _2 15:04:05}"}`,
			time.Second, []want{plain("")}},
		{"rsyslog omhttp, jsonarray", array, `[{"msg":"link down","host":"r1","timestamp":"{2006-01-02T15:04:05.000000+00:00}"}, {"msg":"link down","host":"r1","timestamp":"{2006-01-02T15:04:05.000000+00:00}"}]`,
			time.Millisecond, []want{plain(""), plain("")}},
		{"syslog-ng, lines", lines,
			`{"timestamp":"{2006-01-02T15:04:05+00:00}","severity":"err","proc_id":"73411","message":"link down","hostname":"r1","facility":"local7","app_name":"ifmgr"}` + "\n",
			time.Second, []want{full("")}},
		{"syslog-ng, array with types", array, `[{"timestamp":"{2006-01-02T15:04:05+00:00}","severity":3,"proc_id":73411,"message":"link down","hostname":"r1","facility":23,"app_name":"ifmgr"},
{"timestamp":{unix},"severity":"3","proc_id":73411,"message":"link down","hostname":"r1","facility":"23","app_name":"ifmgr"}]`,
			time.Second, []want{full(""), full("")}},
		{"Fluent Bit, json", array, `[{"timestamp":{float},"host":"r1","log":"link down","pri":"187"},{"timestamp":{float},"host":"r1","log":"link down","stream":"stderr"}]`,
			time.Millisecond, []want{plain(`{"pri":"187"}`), plain(`{"stream":"stderr"}`)}},
		{"Fluent Bit, json_lines", lines, `{"timestamp":"{2006-01-02T15:04:05.000000Z}","host":"r1","message":"link down"}` + "\n" + `{"timestamp":"{2006-01-02 15:04:05.000000}","host":"r1","message":"link down"}` + "\n",
			time.Millisecond, []want{plain(""), plain("")}},
		{"Fluent Bit, json_stream", array, `{"timestamp":{millis},"host":"r1","message":"link down"}{"time":{float},"host":"r1","message":"link down"}`,
			time.Millisecond, []want{plain(""), plain("")}},
		{"Vector, json", array, `[{"appname":"ifmgr","facility":"local7","host":"r1","hostname":"r1","message":"link down","msgid":"ID9","procid":73411,"severity":"err","source_type":"syslog","timestamp":"{2006-01-02T15:04:05.000Z}","version":1}]`,
			time.Millisecond, []want{{Hostname: "r1", Message: "link down", Severity: 3, Facility: 23,
				Fields: `{"appname":"ifmgr","host":"r1","msgid":"ID9","procid":73411,"version":1}`}}},
		{"Vector, json with renamed fields, newline_delimited", lines, `{"app_name":"ifmgr","facility":"local7","host":"r1","message":"link down","proc_id":73411,"severity":"err","timestamp":"{2006-01-02T15:04:05.000Z}"}` + "\n",
			time.Millisecond, []want{full("")}},
		{"Logstash, json", array, `{"@timestamp":"{2006-01-02T15:04:05.000Z}","@version":"1","host":"r1","message":"link down","severity":3,"severity_label":"Error","facility":23,"tags":["a"]}`,
			time.Millisecond, []want{{Hostname: "r1", Message: "link down", Severity: 3, Facility: 23, Fields: `{"@version":"1","severity_label":"Error","tags":["a"]}`}}},
		{"Logstash, json_batch of ECS", array, `[` + strings.Replace(ecs, "{", `{"hostname":"r1","@timestamp":"{2006-01-02T15:04:05.000Z}","message":"link down",`, 1) + `]`,
			time.Millisecond, []want{plain(ecs)}},
	} {
		r := newRig(t, nil)
		rec := r.send(t, stamped(c.body, at), c.contentType)
		got := r.stored(t)
		if rec.Code != 200 || len(got) != len(c.want) {
			t.Errorf("%s: %d %s, stored %d", c.name, rec.Code, rec.Body, len(got))
			continue
		}
		for i, e := range got {
			w := c.want[i]
			if e.Timestamp != at.Truncate(c.stamp).UnixMicro() || e.Hostname != w.Hostname || e.Message != w.Message || e.Severity != w.Severity ||
				e.Facility != w.Facility || e.AppName != w.AppName || e.ProcID != w.ProcID || e.Fields != w.Fields {
				t.Errorf("%s: event %d is %+v, want %+v", c.name, i, e, w)
			}
		}
	}
	r := newRig(t, nil)
	for format, body := range map[string]string{
		"kafkarest": `{"records":[{"value":` + good("r1", "") + `},{"value":` + good("r1", "") + `}]}`,
		"lokirest":  `{"streams":[{"stream":{"host":"r1"},"values":[["1796025600000000000","link down"]]}]}`,
	} {
		rec := r.send(t, body)
		if rec.Code != 400 || !strings.Contains(rec.Body.String(), format) || !strings.Contains(rec.Body.String(), "jsonarray") {
			t.Errorf("%s: got %d %s", format, rec.Code, rec.Body)
		}
	}
}

// stamped puts a time in the place of each {layout}, {unix}, {float} and {millis}.
func stamped(body string, at time.Time) string {
	for _, layout := range []string{"2006-01-02T15:04:05.000000+00:00", "2006-01-02T15:04:05+00:00", "2006-01-02T15:04:05.000000Z", "2006-01-02T15:04:05.000Z",
		"2006-01-02 15:04:05.000000", "Jan _2 15:04:05"} {
		body = strings.ReplaceAll(body, "{"+layout+"}", at.Format(layout))
	}
	whole, millis := strconv.FormatInt(at.Unix(), 10), at.Format(".000")
	return strings.NewReplacer("{unix}", whole, "{float}", whole+millis, "{millis}", whole+millis[1:]).Replace(body)
}
