package decode

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/muttproject/mutt/platform/event"
)

// sample is a document and what must come of it.
type sample struct {
	members map[string]any
	want    event.Event
}

// text draws a text of all sorts of characters.
func text(t *rapid.T, label string) string {
	return rapid.OneOf(rapid.StringN(0, 30, -1), rapid.SampledFrom([]string{"", "\"", "\\", "/", "\u2028", "😀", "a\nb", "<&>", "\x7f", "\\u0041"})).Draw(t, label)
}

// drawSample makes a random valid document from the contract, without a look at the decoder.
func drawSample(t *rapid.T) sample {
	at := testNow.Add(-time.Duration(rapid.Int64Range(0, 20*365*24*3600_000_000).Draw(t, "age")) * time.Microsecond)
	host := rapid.StringMatching(`[a-z0-9.:é-]{1,40}`).Draw(t, "host")
	s := sample{want: event.Event{Hostname: host, Message: text(t, "message"), Timestamp: at.UnixMicro(), Severity: event.Absent, Facility: event.Absent}}
	s.members = map[string]any{rapid.SampledFrom([]string{"hostname", "host"}).Draw(t, "host's name"): host,
		rapid.SampledFrom([]string{"message", "msg", "log"}).Draw(t, "message's name"):             s.want.Message,
		rapid.SampledFrom([]string{"timestamp", "@timestamp", "time"}).Draw(t, "timestamp's name"): at.Format(time.RFC3339Nano)}
	if s.want.Message == "" { // an alias's empty string stands for nothing
		delete(s.members, "msg")
		delete(s.members, "log")
		s.members["message"] = ""
	}
	optional := func(name string, set func()) {
		if rapid.Bool().Draw(t, name) {
			set()
		}
	}
	for name, to := range map[string]*string{"app_name": &s.want.AppName, "proc_id": &s.want.ProcID, "msg_id": &s.want.MsgID,
		"source_type": &s.want.SourceType, "source_ip": &s.want.SourceIP} {
		optional(name, func() {
			if *to = text(t, "text"); rapid.Bool().Draw(t, "not a string") {
				*to = rapid.SampledFrom([]string{"0", "73411", "-1.50", "1e3", "12345678901234567890", "true", "false"}).Draw(t, "literal")
				s.members[name] = json.RawMessage(*to)
				return
			}
			s.members[name] = *to
		})
	}
	optional("severity", func() {
		s.want.Severity = int8(rapid.IntRange(0, 7).Draw(t, "level"))
		alias := rapid.SampledFrom([]string{"severity", "syslog_severity"}).Draw(t, "alias")
		s.members[alias] = rapid.SampledFrom([]any{s.want.Severity, number(t, s.want.Severity), string(number(t, s.want.Severity)), strconv.Itoa(int(s.want.Severity)),
			[]string{"emerg", "Alert", "CRIT", "error", "warn", "notice", "info", "debug"}[s.want.Severity]}).Draw(t, "form")
	})
	optional("facility", func() {
		s.want.Facility = int8(rapid.IntRange(0, 23).Draw(t, "facility"))
		s.members["facility"] = number(t, s.want.Facility)
	})
	optional("id", func() {
		id := uuid.UUID(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "uuid"))
		s.want.SenderID, s.members["id"] = id.String(), strings.ToUpper(id.String())
	})
	optional("trap", func() {
		s.want.TrapOID = rapid.StringMatching(`1\.3(\.[1-9][0-9]{0,6}){1,10}`).Draw(t, "oid")
		s.members["trap_oid"] = rapid.SampledFrom([]string{"", "."}).Draw(t, "dot") + s.want.TrapOID
		var vars []any
		for range rapid.IntRange(0, 3).Draw(t, "n") {
			v := event.Variable{OID: "1.3." + strconv.Itoa(len(vars)), Type: text(t, "type"), Value: text(t, "value")}
			s.want.Variables = append(s.want.Variables, v)
			vars = append(vars, map[string]any{"oid": "." + v.OID, "type": v.Type, "value": v.Value})
		}
		if vars != nil {
			s.members["varbinds"] = vars
		}
	})
	optional("field", func() {
		value := rapid.SampledFrom([]any{nil, true, 1.5, "x\"y", []any{}, map[string]any{"a": []any{1.0, "]"}}}).Draw(t, "extra")
		name := rapid.SampledFrom([]string{"rack", "é", "a\"b", "Hostname", ""}).Draw(t, "name")
		s.members[name] = value
		s.want.Fields = string(marshal(map[string]any{name: value}, ""))
	})
	return s
}

// number writes a whole number in one of the ways that JSON has.
func number(t *rapid.T, n int8) json.RawMessage {
	forms := []string{"%d", "%d.0", "%de0", "%d.000E+00", "%d0e-1"}
	if n == 0 {
		forms = forms[:4] // 00 is not a number
	}
	return json.RawMessage(fmt.Sprintf(rapid.SampledFrom(forms).Draw(t, "form"), n))
}

// marshal writes JSON as a sender might.
func marshal(v any, indent string) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", indent)
	if err := enc.Encode(v); err != nil {
		panic(err)
	}
	return bytes.TrimSpace(b.Bytes())
}

// TestEventsFollowTheContract: whatever encoding/json writes of a valid event is read back as that event.
func TestEventsFollowTheContract(t *testing.T) {
	t.Parallel()
	d := newDecoder()
	rapid.Check(t, func(t *rapid.T) {
		s := drawSample(t)
		body := string(marshal(s.members, rapid.SampledFrom([]string{"", " ", "\t"}).Draw(t, "indent")))
		rs, batch, err := run(d, body, JSON)
		if err != nil || batch || len(rs) != 1 || rs[0].Err != "" {
			t.Fatalf("%s: %+v, %v", body, rs, err)
		}
		got := rs[0].Event
		if got.Fields != "" && !json.Valid([]byte(got.Fields)) {
			t.Fatalf("Fields is no JSON: %s", got.Fields)
		}
		if got.Fields != "" { // the order and spelling of escapes is the sender's
			var v any
			if err := json.Unmarshal([]byte(got.Fields), &v); err != nil {
				t.Fatal(err)
			}
			got.Fields = string(marshal(v, ""))
		}
		if diff := cmp.Diff(s.want, got); diff != "" {
			t.Fatalf("%s: %s", body, diff)
		}
	})
}

// TestBatchesKeepTheirIndexes: in every form, each document has its own index and its own fate.
func TestBatchesKeepTheirIndexes(t *testing.T) {
	t.Parallel()
	d := newDecoder()
	kinds := map[string]string{"ok": doc(""), "events[%d].hostname": `{"x":1}`, "events[%d].severity": doc(`,"severity":9`),
		"events[%d]": `{"a":1,"a":2}`}
	broken := map[string]string{"events[%d] ": `{"hostname":`, "events[%d]  ": doc("")[:40] + "}"}
	rapid.Check(t, func(t *rapid.T) {
		lines := rapid.Bool().Draw(t, "lines")
		names := rapid.SliceOfN(rapid.SampledFrom([]string{"ok", "events[%d].hostname", "events[%d].severity", "events[%d]", "events[%d] ", "events[%d]  "}), 1, 8).
			Draw(t, "names")
		var docs, want []string
		for i, name := range names {
			text, fits := kinds[name]
			if !fits {
				if !lines {
					name, text = "ok", kinds["ok"] // a broken document would refuse the whole array
				} else {
					text = broken[name]
				}
			}
			docs = append(docs, text)
			if name = strings.TrimSpace(name); strings.Contains(name, "%d") {
				name = fmt.Sprintf(name, i)
			}
			want = append(want, name)
		}
		body, format := "["+strings.Join(docs, " ,\n")+"]", JSON
		if lines {
			body, format = strings.Join(docs, rapid.SampledFrom([]string{"\n", "\r\n", "\n\n \n"}).Draw(t, "end")), NDJSON
		}
		rs, batch, err := run(d, body, format)
		if err != nil || !batch || outcome(rs) != strings.Join(want, " ") {
			t.Fatalf("%s: got %q, want %q, %v", body, outcome(rs), want, err)
		}
	})
}

// TestScannersAgreeWithTheStandardLibrary: one string or number at a time, with what may follow it.
func TestScannersAgreeWithTheStandardLibrary(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		pieces := []string{"a", "bcdefgh", "é", "\\n", "\\u00e9", "\\", "\"", "\x1f", "\x00", "\xff", " ", "\\x", "\\u12", "!", "#", "[", "]", "\x7f"}
		s := `"` + strings.Join(rapid.SliceOfN(rapid.SampledFrom(pieces), 0, 20).Draw(t, "pieces"), "")
		naive := -1
		for i := 1; i < len(s) && s[i] >= 0x20; i++ {
			if s[i] == '"' {
				naive = i + 1
				break
			}
			if s[i] == '\\' {
				i++
			}
		}
		if naive > 0 && !json.Valid([]byte(s[:naive])) {
			naive = -1
		}
		if got := scanString([]byte(s), 1); got != naive {
			t.Fatalf("%q: ends at %d, want %d", s, got, naive)
		}
		n := rapid.StringMatching(`-?[0-9]{0,3}(\.[0-9]{0,2})?([eE][+-]?[0-9]{0,2})?`).Draw(t, "number")
		if n == "" {
			return
		}
		end := scanNumber([]byte(n), 0)
		if whole := end == len(n); whole != json.Valid([]byte(n)) {
			t.Fatalf("%q: ends at %d", n, end)
		}
	})
}

func TestOIDs(t *testing.T) {
	t.Parallel()
	long := strings.TrimSuffix(strings.Repeat("1.", 128), ".")
	for oid, ok := range map[string]bool{"1.3": true, "0.0": true, "2.999": true, "1.3.6.1.4.1.4294967295": true, long: true, long + ".1": false,
		"1": false, "3.1": false, "1.": false, ".1.3": false, "1..3": false, "1.+3": false, "1.-3": false, "1.3 ": false, "1.03": false, "": false,
		"1.4294967296": false, "a.b": false, "1.3.*": false, "1.1_0": false} {
		if validOID(oid) != ok {
			t.Errorf("%q: want %v", oid, ok)
		}
	}
}

// TestReleaseForgets: nothing of a large body stays, and the decoder works on.
func TestReleaseForgets(t *testing.T) {
	t.Parallel()
	d := newDecoder()
	many := make([]string, 2000)
	for i := range many {
		many[i] = fmt.Sprintf(`"1.%d=\u0061"`, i)
	}
	big := doc(`,"varbinds":[` + strings.Join(many, ",") + `],"o":{},"x":"` + strings.Repeat("é", 200<<10) + `"`)
	if rs, _, err := run(d, big, JSON); err != nil || len(rs[0].Event.Variables) != 2000 {
		t.Fatalf("got %v", err)
	}
	d.Release()
	if d.body != nil || d.doc.body != nil || d.event.Hostname != "" || cap(d.text)+cap(d.fields) > 256<<10 || cap(d.vars) > 1024 || d.slowBuf.Len() > 0 {
		t.Errorf("kept: %d bytes of text, %d of fields, %d variables", cap(d.text), cap(d.fields), cap(d.vars))
	}
	if d.Next() {
		t.Error("an event after the release")
	}
	if rs, _, err := run(d, doc(`,"o":{}`), JSON); err != nil || rs[0].Event.Fields != `{"o":{}}` {
		t.Errorf("got %v %v", rs, err)
	}
}
