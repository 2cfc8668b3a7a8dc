package decode

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/fault"
)

// testNow is the clock of these tests.
var testNow = time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)

const stampText = "2026-11-23T09:59:59Z"

func newDecoder() *Decoder {
	return New(Options{Required: []string{"hostname", "timestamp", "message"}, Aliases: testAliases(), Now: func() time.Time { return testNow },
		SaneID: func(s string) bool { return s != "" && !strings.ContainsAny(s, " \"") }})
}

// testAliases are those of the setting's default.
func testAliases() []Alias {
	aliases, err := ParseAliases(strings.Split("host=hostname,@timestamp=timestamp,time=timestamp,msg=message,log=message", ","))
	if err != nil {
		panic(err)
	}
	return aliases
}

// result is what became of one event.
type result struct {
	Event event.Event
	Field string // of the error, "" for none
	Err   string
}

// run decodes a body to its end.
func run(d *Decoder, body string, f Format) (rs []result, batch bool, err error) {
	d.Reset([]byte(body), f)
	for d.Next() {
		e, err := d.Event()
		r := result{}
		if err != nil {
			fe, _ := fault.As(err)
			r.Field, r.Err = fe.Field, fe.Message
		} else {
			r.Event = clone(e)
		}
		rs = append(rs, r)
	}
	return rs, d.Batch(), d.Err()
}

// clone makes an event outlive the decoder's next step.
func clone(e *event.Event) event.Event {
	c, err := event.DecodeEvents(nil, event.EncodeEvents([]event.Event{*e}))
	if err != nil {
		panic(err)
	}
	return c[0]
}

// doc makes an object of the required members and more, given as raw JSON after a comma.
func doc(more string) string {
	return `{"hostname":"r1","timestamp":"` + stampText + `","message":"m"` + more + `}`
}

func base(change func(*event.Event)) event.Event {
	e := event.Event{Hostname: "r1", Message: "m", Timestamp: testNow.UnixMicro() - 1e6, Severity: event.Absent, Facility: event.Absent}
	if change != nil {
		change(&e)
	}
	return e
}

func TestFields(t *testing.T) {
	t.Parallel()
	id := "0198c5b2-7d4e-7a3c-9f10-2b8d6e4f1a05"
	cases := map[string]func(*event.Event){
		`,"severity":3`:                             func(e *event.Event) { e.Severity = 3 },
		`,"syslog_severity":0,"facility":23`:        func(e *event.Event) { e.Severity, e.Facility = 0, 23 },
		`,"severity":"Error","facility":"LOCAL7"`:   func(e *event.Event) { e.Severity, e.Facility = 3, 23 },
		`,"severity":"6","facility":"16"`:           func(e *event.Event) { e.Severity, e.Facility = 6, 16 },
		`,"severity":" major "`:                     func(e *event.Event) { e.Severity = 3 },
		`,"severity":"spicy"`:                       func(e *event.Event) { e.Fields = `{"severity":"spicy"}` },
		`,"facility":"attic"`:                       func(e *event.Event) { e.Fields = `{"facility":"attic"}` },
		`,"severity":""`:                            nil,
		`,"severity":null,"id":null,"trap_oid":""`:  nil,
		`,"severity":"odd","syslog_severity":2`:     func(e *event.Event) { e.Severity, e.Fields = 2, `{"severity":"odd"}` },
		`,"trap_oid":".1.3.6.1.4.1.9"`:              func(e *event.Event) { e.TrapOID = "1.3.6.1.4.1.9" },
		`,"source_type":"snmp","source_ip":"::1"`:   func(e *event.Event) { e.SourceType, e.SourceIP = "snmp", "::1" },
		`,"app_name":"a","proc_id":"1","msg_id":""`: func(e *event.Event) { e.AppName, e.ProcID = "a", "1" },
		`,"_correlation_id":"c-1"`:                  func(e *event.Event) { e.CorrelationID = "c-1" },
		`,"_correlation_id":"not sane"`:             nil,
		`,"_correlation_id":7`:                      func(e *event.Event) { e.CorrelationID = "7" },
		`,"_correlation_id":{}`:                     nil,
		`,"severity":3.0`:                           func(e *event.Event) { e.Severity = 3 },
		`,"severity":"3.0"`:                         func(e *event.Event) { e.Severity = 3 },
		`,"severity":3e0`:                           func(e *event.Event) { e.Severity = 3 },
		`,"severity":" 30e-1 "`:                     func(e *event.Event) { e.Severity = 3 },
		`,"severity":-0.0,"facility":2.3E+1`:        func(e *event.Event) { e.Severity, e.Facility = 0, 23 },
		`,"severity":"03"`:                          func(e *event.Event) { e.Severity = 3 },
		`,"severity":"0x3"`:                         func(e *event.Event) { e.Fields = `{"severity":"0x3"}` },
		`,"severity":"1_0"`:                         func(e *event.Event) { e.Fields = `{"severity":"1_0"}` },
		`,"syslog_severity":true`:                   func(e *event.Event) { e.Fields = `{"syslog_severity":true}` },
		`,"severity":{"code": 5},"facility":[1]`:    func(e *event.Event) { e.Fields = `{"severity":{"code":5},"facility":[1]}` },
		`,"proc_id":73411,"app_name":true`:          func(e *event.Event) { e.ProcID, e.AppName = "73411", "true" },
		`,"msg_id":-1.50,"source_type":false`:       func(e *event.Event) { e.MsgID, e.SourceType = "-1.50", "false" },
		`,"app_name":["x", 1],"msg_id":{}`:          func(e *event.Event) { e.Fields = `{"app_name":["x",1],"msg_id":{}}` },
		`,"trap_oid":1.3`:                           func(e *event.Event) { e.TrapOID = "1.3" },
		`,"trap_oid":{"a":1}`:                       func(e *event.Event) { e.Fields = `{"trap_oid":{"a":1}}` },
		`,"variables":[{"oid":1.3,"type":null,"value":true},{"oid":"1.4","type":2}]`: func(e *event.Event) {
			e.Variables = []event.Variable{{OID: "1.3", Value: "true"}, {OID: "1.4", Type: "2"}}
		},
		`,"host":"other","time":"x","log":{"level":"info"}`: func(e *event.Event) { e.Fields = `{"host":"other","time":"x","log":{"level":"info"}}` },
		`,"id":"` + id + `"`:                       func(e *event.Event) { e.SenderID = id },
		`,"id":"` + strings.ToUpper(id) + `"`:      func(e *event.Event) { e.SenderID = id },
		`,"rack":"B2","n":1.50,"x":null,"y":true`:  func(e *event.Event) { e.Fields = `{"rack":"B2","n":1.50,"x":null,"y":true}` },
		`,"o":{ "a" : [1, "b c"] }`:                func(e *event.Event) { e.Fields = `{"o":{"a":[1,"b c"]}}` },
		`,"app_n\u0061me":"esc"`:                   func(e *event.Event) { e.AppName = "esc" },
		`,"app_name":"\u00e9\ud83d\ude00\ud83d\n"`: func(e *event.Event) { e.AppName = "é😀\ufffd\n" },
		`,"variables":["1.3.6=up",".1.2 = a=b"]`: func(e *event.Event) {
			e.Variables = []event.Variable{{OID: "1.3.6", Value: "up"}, {OID: "1.2", Value: "a=b"}}
		},
		`,"varbinds":[{"oid":".1.3","type":"Integer","value":5},{"value":{"a": 1},"oid":"x","more":[]}, {"oid":"y","value":null}]`: func(e *event.Event) {
			e.Variables = []event.Variable{{OID: "1.3", Type: "Integer", Value: "5"}, {OID: "x", Value: `{"a":1}`}, {OID: "y"}}
		},
		`,"variables":[]`: nil,
		`,"q\"":"a\tb"`:   func(e *event.Event) { e.Fields = `{"q\"":"a\tb"}` },
	}
	for more, change := range cases {
		rs, batch, err := run(newDecoder(), doc(more), JSON)
		if err != nil || batch || len(rs) != 1 {
			t.Errorf("%s: got %v, batch %v, %v", more, rs, batch, err)
			continue
		}
		if d := cmp.Diff(result{Event: base(change)}, rs[0]); d != "" {
			t.Errorf("%s: %s", more, d)
		}
	}
}

func TestFieldErrors(t *testing.T) {
	t.Parallel()
	cases := []struct{ body, field, message string }{
		{`{}`, "hostname", "hostname, timestamp, message"},
		{`{"hostname":"a","message":null,"timestamp":1}`, "message", "missing"},
		{`{"hostname":["r1"],"timestamp":"` + stampText + `","message":"m"}`, "hostname", "must be a string, a number or a boolean, not an array"},
		{`{"hostname":"r1","timestamp":true,"message":"m"}`, "timestamp", "not a boolean"},
		{`{"hostname":"r1","timestamp":{},"message":"m"}`, "timestamp", "not an object"},
		{`{"hostname":"r1","time":"yesterday","message":"m"}`, "time", "is not a time"},
		{`{"hostname":"r1","@timestamp":1,"message":"m"}`, "@timestamp", "outside"},
		{`{"host":" ","time":1,"message":"m"}`, "host", "not blank"},
		{`{"host":{"name":"r1"},"timestamp":1,"message":"m"}`, "hostname", "missing required fields: hostname"},
		{`{"host":"","timestamp":1,"message":"m"}`, "hostname", "missing required fields: hostname"},
		{`{"hostname":" ","timestamp":"` + stampText + `","message":"m"}`, "hostname", "not blank"},
		{`{"hostname":"\u001b\u202e","timestamp":"` + stampText + `","message":"m"}`, "hostname", "not blank"},
		{doc(`,"severity":"7.5"`), "severity", "0 to 7"},
		{doc(`,"severity":8.0`), "severity", "0 to 7"},
		{doc(`,"severity":"1e99"`), "severity", "0 to 7"},
		{doc(`,"severity":8`), "severity", "0 to 7"},
		{doc(`,"severity":-1`), "severity", "0 to 7"},
		{doc(`,"severity":"99"`), "severity", "0 to 7"},
		{doc(`,"severity":3.5`), "severity", "0 to 7"},
		{doc(`,"severity":1e999`), "severity", "0 to 7"},
		{doc(`,"facility":24`), "facility", "0 to 23"},
		{doc(`,"trap_oid":"IF-MIB::linkDown"`), "trap_oid", "dotted"},
		{doc(`,"trap_oid":"1..3"`), "trap_oid", "dotted"},
		{doc(`,"trap_oid":"1.4294967296"`), "trap_oid", "dotted"},
		{doc(`,"trap_oid":"1.03"`), "trap_oid", "dotted"},
		{doc(`,"trap_oid":13`), "trap_oid", "dotted"},
		{doc(`,"id":"x"`), "id", "UUID"},
		{doc(`,"id":7`), "id", "UUID"},
		{doc(`,"variables":{}`), "variables", "must be an array"},
		{doc(`,"variables":["a"]`), "variables[0]", "oid=value"},
		{doc(`,"variables":["a=b",7]`), "variables[1]", "not a number"},
		{doc(`,"varbinds":[{"value":1}]`), "varbinds[0]", "oid is missing"},
		{doc(`,"varbinds":[{"oid":{}}]`), "varbinds[0]", "oid must be a string"},
		{doc(`,"varbinds":[{"oid":null}]`), "varbinds[0]", "oid is missing"},
		{doc(`,"varbinds":[{"oid":"1","type":[]}]`), "varbinds[0]", "type must be a string"},
		{doc(`,"varbinds":[],"variables":[]`), "varbinds", "one of the two"},
	}
	for _, c := range cases {
		rs, _, err := run(newDecoder(), c.body, JSON)
		if err != nil || len(rs) != 1 || rs[0].Field != c.field || !strings.Contains(rs[0].Err, c.message) {
			t.Errorf("%.80s: got %+v, %v", c.body, rs, err)
		}
		rs, _, err = run(newDecoder(), "["+doc("")+","+c.body+"]", JSON)
		if err != nil || len(rs) != 2 || rs[0].Err != "" || rs[1].Field != "events[1]."+c.field {
			t.Errorf("in a batch %.80s: got %+v, %v", c.body, rs, err)
		}
	}
}

func TestRequiredIsConfigurable(t *testing.T) {
	t.Parallel()
	if err := ValidateRequired([]string{"hostname", "hots"}); err == nil || !strings.Contains(err.Error(), "hots") {
		t.Errorf("an unknown name is refused: %v", err)
	}
	if err := ValidateRequired([]string{"id", "severity"}); err != nil {
		t.Error(err)
	}
	d := New(Options{Required: []string{"message", "severity"}, Now: time.Now, SaneID: func(string) bool { return true }})
	rs, _, _ := run(d, `{"message":"m","syslog_severity":1}`, JSON)
	if len(rs) != 1 || rs[0].Err != "" || rs[0].Event.Timestamp != 0 {
		t.Errorf("got %+v", rs)
	}
	if rs, _, _ = run(d, `{"message":"m"}`, JSON); rs[0].Field != "severity" {
		t.Errorf("got %+v", rs)
	}
}

func TestUnknownWordsAreCounted(t *testing.T) {
	t.Parallel()
	d := newDecoder()
	if _, _, err := run(d, "["+doc(`,"severity":"x"`)+","+doc(`,"facility":"y"`)+","+doc(`,"severity":"z"`)+"]", JSON); err != nil {
		t.Fatal(err)
	}
	if d.Unknown() != (Unknown{Severity: 2, Facility: 1}) {
		t.Fatalf("got %+v", d.Unknown())
	}
}

// outcome writes a body's results as a word per event.
func outcome(rs []result) string {
	var words []string
	for _, r := range rs {
		if r.Err == "" {
			words = append(words, "ok")
		} else {
			words = append(words, r.Field)
		}
	}
	return strings.Join(words, " ")
}

func TestForms(t *testing.T) {
	t.Parallel()
	a := doc("")
	pretty := "{\n \"hostname\": \"r1\",\n \"timestamp\": \"" + stampText + "\",\n \"message\": \"m\", \"x\": {\n }\n}"
	cases := []struct {
		name, body string
		format     Format
		want       string
		batch      bool
		refused    string // substring of the document's error
	}{
		{"object", a, JSON, "ok", false, ""},
		{"object, spaced", " \r\n\t" + a + "\n\n", JSON, "ok", false, ""},
		{"byte order mark", "\xef\xbb\xbf" + a, JSON, "ok", false, ""},
		{"pretty object", pretty, JSON, "ok", false, ""},
		{"array", "[" + a + "," + a + "]", JSON, "ok ok", true, ""},
		{"array of one", "[ " + a + " ]\n", JSON, "ok", true, ""},
		{"mixed array", "[" + a + ",{},5,null,[]," + a + "]", JSON, "ok events[1].hostname events[2] events[3] events[4] ok", true, ""},
		{"lines under JSON", a + "\n" + a + "\n", JSON, "ok ok", true, ""},
		{"pretty documents", pretty + "\n" + pretty, JSON, "ok ok", true, ""},
		{"documents without space", a + a, JSON, "ok ok", true, ""},
		{"bad last line under JSON", a + "\n" + a[:20], JSON, "ok events[1]", true, ""},
		{"bad middle line under JSON", a + "\n{bad}\n" + a, JSON, "ok events[1] ok", true, ""},
		{"number line under JSON", a + "\n5\n" + a, JSON, "ok events[1] ok", true, ""},
		{"bad first line under JSON", "{bad}\n" + a, JSON, "events[0] ok", true, ""},
		{"incomplete first document", "{}\n" + a, JSON, "events[0].hostname ok", true, ""},
		{"lines", a + "\r\n\n" + a + "\n", NDJSON, "ok ok", true, ""},
		{"one line", a, NDJSON, "ok", true, ""},
		{"every sort of bad line", a + "\n{\n[" + a + "]\n" + a + " x\n5\n" + a, NDJSON, "ok events[1] events[2] events[3] events[4] ok", true, ""},
		{"empty", "", JSON, "", false, "empty"},
		{"blank", " \n", NDJSON, "", false, "empty"},
		{"only a mark", "\xef\xbb\xbf", JSON, "", false, "empty"},
		{"empty array", "[ ]", JSON, "", true, "no events"},
		{"text", "hello", JSON, "", false, "neither"},
		{"number", "5", JSON, "", false, "neither"},
		{"UTF-16", "\xff\xfe{\x00}\x00", JSON, "", false, "neither"},
		{"garbage after object", a + " x", JSON, "", false, "something follows"},
		{"garbage after array", "[" + a + "] x", JSON, "ok", true, "something follows"},
		{"trailing comma", "[" + a + ",]", JSON, "ok", true, "not valid JSON"},
		{"missing comma", "[" + a + " " + a + "]", JSON, "ok", true, "expected ','"},
		{"cut pretty object", pretty[:len(pretty)-2], JSON, "", false, "ends too early"},
		{"cut wrapper", "{\"events\":[\n" + a + "\n", JSON, "", false, "ends too early"},
		{"double in array", "[" + a + "," + doc(`,"x":1,"x":2`) + "," + a + "]", JSON, "ok events[1] ok", true, ""},
		{"double nested in array", "[" + doc(`,"x":[{"a":1,"a":2}]`) + "," + a + "]", JSON, "events[0] ok", true, ""},
		{"double in documents", a + doc(`,"x":1,"x":2`) + a, JSON, "ok events[1] ok", true, ""},
		{"double first of documents", doc(`,"x":1,"x":2`) + a, JSON, "events[0] ok", true, ""},
		{"large in array", "[" + doc(`,"x":"`+strings.Repeat("x", MaxText)+`"`) + "," + a + "]", JSON, "events[0] ok", true, ""},
		{"deep in array", "[" + doc(`,"x":`+strings.Repeat("[", 900)+strings.Repeat("]", 900)) + "," + a + "]", JSON, "events[0] ok", true, ""},
		{"broken in array", "[" + a + `,{"x":tru},` + a + "]", JSON, "ok", true, "cannot stand"},
		{"control character", doc(",\"x\":\"\x01\""), JSON, "", false, "not valid JSON"},
	}
	for _, c := range cases {
		rs, batch, err := run(newDecoder(), c.body, c.format)
		if c.refused != "" {
			if !fault.Is(err, fault.BadRequest) || !strings.Contains(err.Error(), c.refused) {
				t.Errorf("%s: got %v", c.name, err)
			}
			continue
		}
		if err != nil || outcome(rs) != c.want || batch != c.batch {
			t.Errorf("%s: got %q, batch %v, %v", c.name, outcome(rs), batch, err)
		}
	}
}

// TestRefusedAlone: a lone object that is JSON but not an event.
func TestRefusedAlone(t *testing.T) {
	t.Parallel()
	nest := func(n int) string { return doc(`,"x":` + strings.Repeat("[", n) + strings.Repeat("]", n)) }
	many := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `,"k%d":%d`, i, i)
		}
		return doc(b.String())
	}
	variables := func(n int) string { return doc(`,"variables":["1=1"` + strings.Repeat(`,"1=1"`, n-1) + `]`) }
	long := func(n int) string { return doc(`,"x":"` + strings.Repeat("x", n-len(doc(`,"x":""`))) + `"`) }
	for _, c := range []struct {
		body, message string
		code          fault.Code
	}{
		{doc(`,"message":"n"`), "twice", fault.BadRequest},
		{doc(`,"x":1,"x":2`), "twice", fault.BadRequest},
		{doc(`,"x":1,"\u0078":2`), "twice", fault.BadRequest},
		{doc(`,"x":{"a":1,"a":2}`), "twice", fault.BadRequest},
		{nest(MaxDepth - 1), "", ""},
		{nest(MaxDepth), "nested deeper", fault.BadRequest},
		{many(MaxMembers), "", ""},
		{many(MaxMembers + 1), "4096 members", fault.TooLarge},
		{variables(MaxVariables), "", ""},
		{variables(MaxVariables + 1), "4096 entries", fault.TooLarge},
		{long(MaxText), "", ""},
		{long(MaxText + 1), "1048576 bytes", fault.TooLarge},
		{doc(`,"x":[` + strings.Repeat(" ", MaxText) + `]`), "1048576 bytes", fault.TooLarge},
	} {
		d := newDecoder()
		if d.Reset([]byte(c.body), JSON); !d.Next() || d.Err() != nil {
			t.Errorf("%.60s: %v", c.body, d.Err())
			continue
		}
		_, err := d.Event()
		if c.message == "" && err != nil || c.message != "" && (!fault.Is(err, c.code) || !strings.Contains(err.Error(), c.message)) {
			t.Errorf("%.60s: %v", c.body, err)
		}
	}
}

func TestDepth(t *testing.T) {
	t.Parallel()
	nest := func(n int) string {
		return doc(`,"x":` + strings.Repeat("[", n) + strings.Repeat("]", n))
	}
	bodies := map[string]string{
		"[" + nest(MaxDepth-2) + "]":                           "ok",
		"[" + nest(MaxDepth-1) + "]":                           "events[0]",
		doc(`,"x":"` + strings.Repeat("[", 100_000) + `"`):     "ok",
		doc(`,"x":["` + strings.Repeat(`\"[`, 100_000) + `"]`): "ok",
		strings.Repeat("[", 100_000):                           "nested deeper",
		strings.Repeat(`{"a":`, 100_000):                       "nested deeper",
		doc(`,"x":` + strings.Repeat("[", 100_000)):            "nested deeper",
	}
	for body, want := range bodies {
		rs, _, err := run(newDecoder(), body, JSON)
		if got := outcome(rs); err == nil && got != want || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s… (%d bytes): %s, %v", body, len(body), got, err)
		}
	}
}

// TestCutAnywhere: an object or array that is cut at any byte yields an error, never a document that counts.
func TestCutAnywhere(t *testing.T) {
	t.Parallel()
	d := newDecoder()
	for _, whole := range []string{doc(`,"o":{"a":[1,2,"x\u0041"]},"n":-1.5e+3`), "[" + doc("") + ",\n" + doc(`,"severity":"warn"`) + "]"} {
		for n := range len(whole) {
			if rs, _, err := run(d, whole[:n], JSON); err == nil {
				t.Fatalf("%d bytes of %q were taken: %+v", n, whole, rs)
			}
		}
	}
	lines := doc("") + "\n" + doc(`,"x":1`) + "\n"
	for n := range len(lines) {
		rs, _, _ := run(d, lines[:n], NDJSON)
		want := strings.Count(lines[:n], "\n")
		if n == len(doc("")) || n == len(lines)-1 {
			want++ // the line is whole, its end is missing
		}
		if got := strings.Count(outcome(rs), "ok"); got != want {
			t.Fatalf("%d bytes: %d events of %d whole lines", n, got, want)
		}
	}
}

func TestManyUnknownNames(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for i := range 500 {
		fmt.Fprintf(&b, `,"k%d":%d`, i, i)
	}
	rs, _, err := run(newDecoder(), doc(b.String()), JSON)
	if err != nil || rs[0].Event.Fields != "{"+b.String()[1:]+"}" {
		t.Fatalf("got %v, %v", rs, err)
	}
	if rs, _, _ = run(newDecoder(), doc(b.String()+`,"k7":0`), JSON); !strings.Contains(rs[0].Err, "twice") {
		t.Fatal("a double name among many was taken")
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	severities := []string{"emerg emergency panic", "alert", "crit critical", "err error major", "warning warn minor", "notice",
		"info informational information", "debug"}
	facilities := []string{"kern", "user", "mail", "daemon", "auth security", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp", "ntp", "audit",
		"console", "clock", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"}
	check := func(names []string, of func(string) (int8, bool)) {
		for want, group := range names {
			for _, name := range strings.Fields(group) {
				for _, spelled := range []string{name, strings.ToUpper(name), strings.ToUpper(name[:1]) + name[1:]} {
					if n, ok := of(spelled); !ok || int(n) != want {
						t.Errorf("%s: got %d, %v", spelled, n, ok)
					}
				}
			}
		}
		for _, odd := range []string{"", "x", "local", "local8", "local77", strings.Repeat("e", 100), "err ", "érr"} {
			if n, ok := of(odd); ok {
				t.Errorf("%q: got %d", odd, n)
			}
		}
	}
	check(severities, severityOf)
	check(facilities, facilityOf)
}
