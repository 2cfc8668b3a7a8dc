package syslog

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/muttproject/mutt/platform/event"
)

// received is when the test lines arrive.
var received = time.Date(2026, 11, 5, 10, 12, 0, 123456000, time.UTC)

const peer = "192.0.2.9"

// parsed is what a line should become; zero values mean the defaults that expect fills in.
type parsed struct {
	format         Format
	sev, fac       int8
	host, app, pid string
	msgID, message string
	stamp          string // RFC 3339; "" for the receipt
	fields         string
}

func expect(want parsed) event.Event {
	e := event.Event{Source: event.SourceSyslog, Severity: want.sev, Facility: want.fac, Hostname: want.host,
		AppName: want.app, ProcID: want.pid, MsgID: want.msgID, Message: want.message, Fields: want.fields,
		SourceIP: peer, Timestamp: received.UnixMicro()}
	if e.Hostname == "" {
		e.Hostname = peer
	}
	if want.stamp != "" {
		t, err := time.Parse(time.RFC3339Nano, want.stamp)
		if err != nil {
			panic(err)
		}
		e.Timestamp = t.UnixMicro()
	}
	return e
}

func parseLine(p *Parser, line string) (event.Event, Format) {
	var e event.Event
	f := p.Parse(&Line{Text: []byte(line), Peer: peer, At: received}, &e)
	return e, f
}

func TestParse(t *testing.T) {
	t.Parallel()
	const oct = "2026-10-11T22:14:15Z"
	for name, c := range map[string]struct {
		line string
		want parsed
	}{
		// RFC 5424
		"5424 example 1": {"<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - \ufeff'su root' failed for lonvick on /dev/pts/8",
			parsed{FormatRFC5424, 2, 4, "mymachine.example.com", "su", "", "ID47", "'su root' failed for lonvick on /dev/pts/8", "2003-10-11T22:14:15.003Z", ""}},
		"5424 offset": {"<165>1 2003-08-24T05:14:15.000003-07:00 192.0.2.1 myproc 8710 - - %% It's time to make the do-nuts.",
			parsed{FormatRFC5424, 5, 20, "192.0.2.1", "myproc", "8710", "", "%% It's time to make the do-nuts.", "2003-08-24T12:14:15.000003Z", ""}},
		"5424 structured data": {`<165>1 2003-10-11T22:14:15.003Z h evntslog - ID47 [exampleSDID@32473 iut="3" eventSource="App\"lication\\x\]y"][examplePriority@32473 class="high"] An entry`,
			parsed{FormatRFC5424, 5, 20, "h", "evntslog", "", "ID47", "An entry", "2003-10-11T22:14:15.003Z",
				`{"structured_data":{"exampleSDID@32473":{"iut":"3","eventSource":"App\"lication\\x]y"},"examplePriority@32473":{"class":"high"}}}`}},
		"5424 structured data alone": {`<13>1 2026-10-11T22:14:15Z h a p m [x@1 a="1"]`,
			parsed{FormatRFC5424, 5, 1, "h", "a", "p", "m", `<13>1 2026-10-11T22:14:15Z h a p m [x@1 a="1"]`, oct, `{"structured_data":{"x@1":{"a":"1"}}}`}},
		"5424 repeated parameter": {`<13>1 - h a - - [origin ip="10.0.0.1" software="x" ip="10.0.0.2" ip=""] m`,
			parsed{FormatRFC5424, 5, 1, "h", "a", "", "", "m", "", `{"structured_data":{"origin":{"ip":["10.0.0.1","10.0.0.2",""],"software":"x"}}}`}},
		"5424 element without parameters": {`<13>1 - h a - - [x][y] m`,
			parsed{FormatRFC5424, 5, 1, "h", "a", "", "", "m", "", `{"structured_data":{"x":{},"y":{}}}`}},
		"5424 all nil": {"<0>1 - - - - - -", parsed{FormatRFC5424, 0, 0, "", "", "", "", "<0>1 - - - - - -", "", ""}},
		"5424 windows agent, 7 fraction digits": {"<14>1 2026-10-11T22:14:15.1234567+02:00 WIN-DC1 Security 4 4624 - logon",
			parsed{FormatRFC5424, 6, 1, "WIN-DC1", "Security", "4", "4624", "logon", "2026-10-11T20:14:15.123456Z", ""}},
		"5424 without structured data": {"<14>1 2026-10-11T22:14:15Z h app 7 - link down",
			parsed{FormatRFC5424, 6, 1, "h", "app", "7", "", "link down", oct, ""}},
		"5424 damaged structured data stays in the message": {`<14>1 2026-10-11T22:14:15Z h app 7 - [x a="1] link down`,
			parsed{FormatRFC5424, 6, 1, "h", "app", "7", "", `[x a="1] link down`, oct, ""}},
		"5424 double element stays in the message": {`<14>1 2026-10-11T22:14:15Z h app 7 - [x a="1"][x a="2"] m`,
			parsed{FormatRFC5424, 6, 1, "h", "app", "7", "", `[x a="1"][x a="2"] m`, oct, ""}},
		"5424 impossible date": {"<14>1 2026-02-30T22:14:15Z h app - - - m",
			parsed{FormatRFC5424, 6, 1, "h", "app", "", "", "m", "", `{"original_timestamp":"2026-02-30T22:14:15Z"}`}},
		"5424 without zone": {"<14>1 2026-10-11T22:14:15 h app - - - m",
			parsed{FormatRFC5424, 6, 1, "h", "app", "", "", "m", oct, ""}},
		"5424 clock in 1970, with data": {`<14>1 1970-01-01T00:00:00Z h app - - [t isSynced="0"] m`,
			parsed{FormatRFC5424, 6, 1, "h", "app", "", "", "m", "", `{"original_timestamp":"1970-01-01T00:00:00Z","structured_data":{"t":{"isSynced":"0"}}}`}},
		"5424 clock 25 h ahead": {"<14>1 2026-11-06T11:12:00Z h app - - - m",
			parsed{FormatRFC5424, 6, 1, "h", "app", "", "", "m", "", `{"original_timestamp":"2026-11-06T11:12:00Z"}`}},
		"5424 clock 23 h ahead": {"<14>1 2026-11-06T09:12:00Z h app - - - m",
			parsed{FormatRFC5424, 6, 1, "h", "app", "", "", "m", "2026-11-06T09:12:00Z", ""}},
		"5424 cut header": {"<14>1 2026-10-11T22:14:15Z h app", parsed{FormatRFC3164, 6, 1, "", "", "", "", "1 2026-10-11T22:14:15Z h app", "", ""}},

		// RFC 3164
		"3164 example 1": {"<34>Oct 11 22:14:15 mymachine su: 'su root' failed for lonvick on /dev/pts/8",
			parsed{FormatRFC3164, 2, 4, "mymachine", "su", "", "", "'su root' failed for lonvick on /dev/pts/8", oct, ""}},
		"3164 pid": {"<86>Oct 11 22:14:15 combo sshd(pam_unix)[19939]: authentication failure; logname= uid=0\n",
			parsed{FormatRFC3164, 6, 10, "combo", "sshd(pam_unix)", "19939", "", "authentication failure; logname= uid=0", oct, ""}},
		"3164 blank-padded day": {"<13>Nov  5 10:11:12 h cron[1]: x", parsed{FormatRFC3164, 5, 1, "h", "cron", "1", "", "x", "2026-11-05T10:11:12Z", ""}},
		"3164 zero-padded day":  {"<13>Nov 05 10:11:12 h cron[1]: x", parsed{FormatRFC3164, 5, 1, "h", "cron", "1", "", "x", "2026-11-05T10:11:12Z", ""}},
		"3164 unpadded day":     {"<13>Nov 5 10:11:12 h cron[1]: x", parsed{FormatRFC3164, 5, 1, "h", "cron", "1", "", "x", "2026-11-05T10:11:12Z", ""}},
		"3164 fraction":         {"<13>Nov  5 10:11:12.25 h cron: x", parsed{FormatRFC3164, 5, 1, "h", "cron", "", "", "x", "2026-11-05T10:11:12.25Z", ""}},
		"3164 ForwardFormat": {"<30>2026-11-05T11:12:00.5+01:00 web01 systemd[1]: Started x.",
			parsed{FormatRFC3164, 6, 3, "web01", "systemd", "1", "", "Started x.", "2026-11-05T10:12:00.5Z", ""}},
		"3164 without host (busybox)": {"<46>Oct 11 22:14:15 syslogd[12]: restart", parsed{FormatRFC3164, 6, 5, "", "syslogd", "12", "", "restart", oct, ""}},
		"3164 without PRI":            {"Oct 11 22:14:15 h app[3]: m", parsed{FormatRFC3164, -1, -1, "h", "app", "3", "", "m", oct, ""}},
		"3164 PRI and tag alone":      {"<13>app[3]: m", parsed{FormatRFC3164, 5, 1, "", "app", "3", "", "m", "", ""}},
		"3164 PRI and text alone":     {"<13>link is down", parsed{FormatRFC3164, 5, 1, "", "", "", "", "link is down", "", ""}},
		"3164 without tag":            {"<13>Oct 11 22:14:15 fw1 date=2026-10-11 devname=\"FG1\" type=traffic", parsed{FormatRFC3164, 5, 1, "fw1", "", "", "", "date=2026-10-11 devname=\"FG1\" type=traffic", oct, ""}},
		"3164 IPv6 host":              {"<13>Oct 11 22:14:15 2001:db8::7 app: m", parsed{FormatRFC3164, 5, 1, "2001:db8::7", "app", "", "", "m", oct, ""}},
		"3164 CEF": {"<13>Oct 11 22:14:15 h CEF:0|Vendor|Product|1.0|100|x|5|src=1.2.3.4",
			parsed{FormatRFC3164, 5, 1, "h", "", "", "", "CEF:0|Vendor|Product|1.0|100|x|5|src=1.2.3.4", oct, ""}},
		"3164 JSON":                           {`<13>Oct 11 22:14:15 h {"a": 1}`, parsed{FormatRFC3164, 5, 1, "h", "", "", "", `{"a": 1}`, oct, ""}},
		"3164 multiline":                      {"<13>Oct 11 22:14:15 h java: x\n\tat y", parsed{FormatRFC3164, 5, 1, "h", "java", "", "", "x\n\tat y", oct, ""}},
		"3164 slash tag":                      {"<22>Oct 11 22:14:15 h postfix/smtpd[9]: connect", parsed{FormatRFC3164, 6, 2, "h", "postfix/smtpd", "9", "", "connect", oct, ""}},
		"3164 pid without colon":              {"<22>Oct 11 22:14:15 h kernel[0] boot", parsed{FormatRFC3164, 6, 2, "h", "kernel", "0", "", "boot", oct, ""}},
		"3164 empty content":                  {"<22>Oct 11 22:14:15 h app:", parsed{FormatRFC3164, 6, 2, "h", "app", "", "", "<22>Oct 11 22:14:15 h app:", oct, ""}},
		"3164 impossible time keeps the host": {"<22>Feb 30 22:14:15 h app: m", parsed{FormatRFC3164, 6, 2, "h", "app", "", "", "m", "", `{"original_timestamp":"Feb 30 22:14:15"}`}},
		"3164 hour 25":                        {"<22>Oct 11 25:14:15 h app: m", parsed{FormatRFC3164, 6, 2, "h", "app", "", "", "m", "", `{"original_timestamp":"Oct 11 25:14:15"}`}},
		"3164 months ago":                     {"<22>Feb 11 22:14:15 h app: m", parsed{FormatRFC3164, 6, 2, "h", "app", "", "", "m", "2026-02-11T22:14:15Z", ""}},
		"3164 clock in 1999":                  {"<30>1999-12-31T23:59:59Z h app: m", parsed{FormatRFC3164, 6, 3, "h", "app", "", "", "m", "", `{"original_timestamp":"1999-12-31T23:59:59Z"}`}},
		"3164 NUL and LF at the end":          {"<13>Oct 11 22:14:15 h app: m\x00\n", parsed{FormatRFC3164, 5, 1, "h", "app", "", "", "m", oct, ""}},
		"3164 not UTF-8":                      {"<13>Oct 11 22:14:15 h app: caf\xe9", parsed{FormatRFC3164, 5, 1, "h", "app", "", "", "caf\xe9", oct, ""}},

		"3164 journal forwarder": {"<29>Nov  5 10:11:12 node-1 kubelet[812]: E1105 10:11:12.000 pod_workers.go:949] \"Error syncing pod\"",
			parsed{FormatRFC3164, 5, 3, "node-1", "kubelet", "812", "", "E1105 10:11:12.000 pod_workers.go:949] \"Error syncing pod\"", "2026-11-05T10:11:12Z", ""}},
		"3164 sudo": {"<85>Oct 11 22:14:15 db1 sudo:   deploy : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/ls",
			parsed{FormatRFC3164, 5, 10, "db1", "sudo", "", "", "  deploy : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/ls", oct, ""}},
		"3164 user session": {"<30>Oct 11 22:14:15 db1 (systemd)[44]: pam_unix(systemd-user:session): session opened",
			parsed{FormatRFC3164, 6, 3, "db1", "(systemd)", "44", "", "pam_unix(systemd-user:session): session opened", oct, ""}},
		"3164 colon inside a word": {"<13>Oct 11 22:14:15 h 10.0.0.1:514 refused", parsed{FormatRFC3164, 5, 1, "h", "", "", "", "10.0.0.1:514 refused", oct, ""}},
		"3164 tag too long": {"<13>Oct 11 22:14:15 h " + strings.Repeat("t", maxTag+1) + ": m",
			parsed{FormatRFC3164, 5, 1, "h", "", "", "", strings.Repeat("t", maxTag+1) + ": m", oct, ""}},
		"3164 pid never ends":  {"<13>Oct 11 22:14:15 h app[12: m", parsed{FormatRFC3164, 5, 1, "h", "", "", "", "app[12: m", oct, ""}},
		"3164 pid with blank":  {"<13>Oct 11 22:14:15 h app[1 2]: m", parsed{FormatRFC3164, 5, 1, "h", "", "", "", "app[1 2]: m", oct, ""}},
		"3164 one word":        {"<13>Oct 11 22:14:15 reboot", parsed{FormatRFC3164, 5, 1, "", "", "", "", "reboot", oct, ""}},
		"3164 stamp alone":     {"<13>Oct 11 22:14:15", parsed{FormatRFC3164, 5, 1, "", "", "", "", "<13>Oct 11 22:14:15", oct, ""}},
		"3164 blank after PRI": {"<13> Oct 11 22:14:15 h app: m", parsed{FormatRFC3164, 5, 1, "h", "app", "", "", "m", oct, ""}},
		"3164 host too long": {"<13>Oct 11 22:14:15 " + strings.Repeat("h", maxHost+1) + " app: m",
			parsed{FormatRFC3164, 5, 1, "", "", "", "", strings.Repeat("h", maxHost+1) + " app: m", oct, ""}},
		"3164 word that is no host":  {"<13>Oct 11 22:14:15 größe app: m", parsed{FormatRFC3164, 5, 1, "", "", "", "", "größe app: m", oct, ""}},
		"3164 highest PRI":           {"<191>m", parsed{FormatRFC3164, 7, 23, "", "", "", "", "m", "", ""}},
		"3164 version without stamp": {"<13>1 error found in slot 3 of chassis", parsed{FormatRFC3164, 5, 1, "", "", "", "", "1 error found in slot 3 of chassis", "", ""}},
		"juniper structured": {`<28>1 2026-11-05T10:11:12.345Z mx1 mgd 3046 UI_DBASE_LOGOUT_EVENT [junos@2636.1.1.1.2.18 username="user"] User 'user' exiting`,
			parsed{FormatRFC5424, 4, 3, "mx1", "mgd", "3046", "UI_DBASE_LOGOUT_EVENT", "User 'user' exiting", "2026-11-05T10:11:12.345Z",
				`{"structured_data":{"junos@2636.1.1.1.2.18":{"username":"user"}}}`}},

		// Neither.
		"raw":              {"something happened", parsed{FormatRaw, -1, -1, "", "", "", "", "something happened", "", ""}},
		"raw PRI too high": {"<192>Oct 11 22:14:15 h app: m", parsed{FormatRaw, -1, -1, "", "", "", "", "<192>Oct 11 22:14:15 h app: m", "", ""}},
		"raw PRI only":     {"<13>", parsed{FormatRFC3164, 5, 1, "", "", "", "", "<13>", "", ""}},
		"raw no PRI":       {"<>x", parsed{FormatRaw, -1, -1, "", "", "", "", "<>x", "", ""}},
		"raw open PRI":     {"<13", parsed{FormatRaw, -1, -1, "", "", "", "", "<13", "", ""}},
		"raw JSON":         {`{"host":"a"}`, parsed{FormatRaw, -1, -1, "", "", "", "", `{"host":"a"}`, "", ""}},
		"raw binary":       {"\x16\x03\x01\x00\xa5", parsed{FormatRaw, -1, -1, "", "", "", "", "\x16\x03\x01\x00\xa5", "", ""}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, format := parseLine(NewParser(time.UTC), c.line)
			if format != c.want.format {
				t.Errorf("format %v, want %v", format, c.want.format)
			}
			if d := cmp.Diff(expect(c.want), got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestEmptyLines(t *testing.T) {
	t.Parallel()
	for _, line := range []string{"", "\n", "\r\n", "\x00"} {
		if _, f := parseLine(NewParser(nil), line); f != FormatEmpty {
			t.Errorf("%q is %v", line, f)
		}
	}
}

func TestTruncatedLinesAreMarked(t *testing.T) {
	t.Parallel()
	var e event.Event
	NewParser(time.UTC).Parse(&Line{Text: []byte("<13>x"), Peer: peer, At: received, Truncated: true}, &e)
	if e.Fields != `{"truncated":true}` {
		t.Error(e.Fields)
	}
}

// Parsers are used again: nothing of a line may show in the next.
func TestParserForgets(t *testing.T) {
	t.Parallel()
	p := NewParser(time.UTC)
	parseLine(p, `<14>1 1970-01-01T00:00:00Z h app 1 id [a b="c"] m`)
	got, _ := parseLine(p, "<13>m")
	if d := cmp.Diff(expect(parsed{FormatRFC3164, 5, 1, "", "", "", "", "m", "", ""}), got); d != "" || p.clockReplaced {
		t.Error(d)
	}
}

// Structured data beyond the limits stays in the message, and the fields stay small.
func TestStructuredDataIsBounded(t *testing.T) {
	t.Parallel()
	for name, sd := range map[string]string{
		"elements": strings.Repeat("[a", maxElements+1),
		"params":   "[x" + strings.Repeat(` a="1"`, maxParams+1) + "]",
		"size":     `[x a="` + strings.Repeat("\x01", 12<<10) + `"]`,
	} {
		if name == "elements" {
			sd = ""
			for i := range maxElements + 1 {
				sd += "[a" + string(rune('0'+i/10%10)) + string(rune('0'+i%10)) + string(rune('a'+i/100)) + "]"
			}
		}
		e, _ := parseLine(NewParser(time.UTC), "<13>1 - h a - - "+sd+" m")
		if e.Message != sd+" m" || e.Fields != "" {
			t.Errorf("%s: message of %d bytes, fields of %d", name, len(e.Message), len(e.Fields))
		}
	}
}

func TestFieldsAreJSON(t *testing.T) {
	t.Parallel()
	e, _ := parseLine(NewParser(time.UTC), "<13>1 - h a - - [x a=\"q\xffé\x00\x1f\\\\n\\n\"] m")
	var got map[string]map[string]map[string]string
	if err := json.Unmarshal([]byte(e.Fields), &got); err != nil {
		t.Fatal(err, e.Fields)
	}
	if v := got["structured_data"]["x"]["a"]; v != "q\ufffdé\x1f\\n\\n" {
		t.Errorf("%q", v)
	}
}

func TestParseDoesNotAllocate(t *testing.T) {
	p := NewParser(time.UTC)
	for _, line := range benchLines {
		l := Line{Text: []byte(line), Peer: peer, At: received}
		var e event.Event
		if n := testing.AllocsPerRun(100, func() { p.Parse(&l, &e) }); n != 0 {
			t.Errorf("%v allocations for %s", n, line)
		}
	}
}

// TestPaddingBeforeThePRI: a datagram may begin with what the framer removes from a stream, and have the octet count of one.
func TestPaddingBeforeThePRI(t *testing.T) {
	t.Parallel()
	const bsd, modern = "<30>Nov  5 10:00:00 core-7 sshd[1]: x", "<30>1 2026-11-05T10:00:00Z core-7 sshd 1 - - x"
	for _, padding := range []string{"", "\ufeff", " \ufeff", "\ufeff \ufeff", "\t", "\r\n", "\x00"} {
		for _, line := range []string{padding + bsd, padding + modern, padding + "37 " + bsd, padding + "38 " + bsd + "\n", "37 " + padding + bsd,
			padding + "47 " + modern, padding + modern[len("<30>"):]} {
			e, format := parseLine(NewParser(time.UTC), line)
			want := [...]string{"core-7", "sshd", "1", "x"}
			if got := [...]string{e.Hostname, e.AppName, e.ProcID, e.Message}; padding != "" && strings.HasPrefix(line, "37 ") {
				if got[3] != line { // the count is not that of what follows
					t.Errorf("%q: %q", line, got)
				}
			} else if got != want || format == FormatRaw || strings.Contains(line, "<30>") != (e.Severity == 6 && e.Facility == 3) {
				t.Errorf("%q: %v %q severity %d", line, format, got, e.Severity)
			}
		}
	}
	for _, line := range []string{"40 " + bsd, "37" + bsd, "037x " + bsd, "12345678 " + bsd, "37 ", "37", "1 2", "5 GB left"} {
		if e, _ := parseLine(NewParser(time.UTC), line); e.Message != line || e.Hostname != peer {
			t.Errorf("%q: host %q, message %q", line, e.Hostname, e.Message)
		}
	}
}
