package syslog

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/leodido/go-syslog/v4/rfc5424"

	"github.com/muttproject/mutt/modules/ingest/internal/cisco"
	"github.com/muttproject/mutt/modules/ingest/internal/stamp"
	"github.com/muttproject/mutt/platform/event"
)

// FuzzParse holds the parser to its promises on any bytes, and to leodido/go-syslog wherever that understands a line.
func FuzzParse(f *testing.F) {
	for _, line := range append(benchLines,
		`<34>1 2003-10-11T22:14:15.003Z m su - ID47 [a@1 b="c\"\]\\" b=""][d] x`, "<13>1 - - - - - - ", "<13>1 - - - - - [a b=\"\xff\"]",
		"<1>1 2026-11-05T10:11:60Z a b c d -", "Oct 11 22:14:15 h a[1]: m", "<13> Oct 11 22:14:15 h", "<187>123: *Mar  1 00:00:00.123: %LINK-3-UPDOWN: x",
		" \ufeff\t<13>Feb 29 00:00:00 h a: b", "30 <13>Nov  5 10:00:00 h a[1]: bc", "1 2026-11-05T10:11:12Z h a p m - x",
		"<13>Feb 29 00:00:00 h [a]: b", "<999>x", "<13>1 2026-11-05T10:11:12Z h a p m [", "\x00", "<13>2026-11-05T10:11:12+99:00 h a: m") {
		f.Add([]byte(line))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		p := NewParser(time.UTC)
		l := Line{Text: bytes.Clone(line), Peer: peer, At: received}
		var e event.Event
		format := p.Parse(&l, &e)
		if !bytes.Equal(l.Text, line) {
			t.Fatal("the line was written to")
		}
		text := strings.TrimRight(string(line), "\r\n\x00")
		if text == "" {
			if format != FormatEmpty {
				t.Fatal("an empty line became an event")
			}
			return
		}
		checkWhole(t, text, &e, format)
		checkAgainstLibrary(t, text, &e, format)
	})
}

// checkWhole holds that the message is the line or its end, that everything before it is in another field, and that
// values are in range.
func checkWhole(t *testing.T, line string, e *event.Event, format Format) {
	t.Helper()
	if e.Message == "" || e.Hostname == "" || !strings.HasSuffix(line, e.Message) && cisco.Mnemonic(e.AppName) == 0 {
		t.Fatalf("message %q of %q", e.Message, line)
	}
	if e.Severity < -1 || e.Severity > 7 || e.Facility < -1 || e.Facility > 23 {
		t.Fatalf("severity %d, facility %d", e.Severity, e.Facility)
	}
	if e.Timestamp < stamp.Earliest || e.Timestamp > received.UnixMicro()+stamp.LatestAhead {
		t.Fatalf("timestamp %d", e.Timestamp)
	}
	if e.Fields != "" && (!json.Valid([]byte(e.Fields)) || !utf8.ValidString(e.Fields) || strings.Contains(e.Fields, `\u0000`)) {
		t.Fatalf("fields %q", e.Fields)
	}
	if format != FormatRFC3164 || e.Message == line {
		return
	}
	const padding = "\ufeff \t\r\n\x00"
	head := strings.TrimLeft(strings.TrimSuffix(line, e.Message), padding)
	if count, framed, found := strings.Cut(head, " "); found && strings.Trim(count, "0123456789") == "" && strings.HasPrefix(strings.TrimLeft(framed, padding), "<") {
		head = strings.TrimLeft(framed, padding)
	}
	if _, rest, ok := cutPRI(head); ok {
		head = rest
	}
	var kept struct {
		Counter, Sequence, Origin, Node, Relay string
		DeviceTime                             string `json:"device_time"`
	}
	if e.Fields != "" && json.Unmarshal([]byte(e.Fields), &kept) != nil {
		t.Fatal(e.Fields)
	}
	for at := 0; at < len(head); at++ { // timestamps, anywhere
		if _, n, _ := stamp.Read(head[at:]+e.Message, received, time.UTC); n > 0 && at+n <= len(head) {
			head = head[:at] + " " + head[at+n:]
		}
	}
	known := strings.Join([]string{e.ProcID, e.AppName, e.MsgID, e.Hostname, kept.Counter, kept.Sequence, kept.Origin, kept.Node, kept.Relay, kept.DeviceTime,
		"Message forwarded from", "Forwarded", "1", "-"}, " ")
	for _, word := range strings.FieldsFunc(head, func(r rune) bool { return strings.ContainsRune(" :[]\t", r) }) {
		if _, rest, ok := cutPRI(word); ok { // of a line within the line
			word = rest
		}
		if !strings.Contains(known, strings.TrimPrefix(word, "*")) {
			t.Fatalf("%q of %q is lost", word, line)
		}
	}
}

// relayedLine reports whether a message may hold the header of a device's line, which is read as well.
func relayedLine(app, message string) bool {
	text := strings.TrimLeft(message, " ")
	return strings.Contains(text, "%") || strings.HasPrefix(app, "%") || strings.HasPrefix(text, "<") || strings.HasPrefix(text, "1 2") || app == "1"
}

// checkAgainstLibrary compares with the reference. It keeps the last of a parameter that comes twice, keeps a BOM, and
// has no timestamp range: there the two differ by intent.
func checkAgainstLibrary(t *testing.T, line string, e *event.Event, format Format) {
	t.Helper()
	message, err := rfc5424.NewParser().Parse([]byte(line))
	want, ok := message.(*rfc5424.SyslogMessage)
	if err != nil || !ok || want == nil {
		return
	}
	if format != FormatRFC5424 {
		t.Fatalf("%q is %v", line, format)
	}
	or := func(p *string, otherwise string) string {
		if p == nil {
			return otherwise
		}
		return *p
	}
	same := e.Severity == int8(*want.Severity) && e.Facility == int8(*want.Facility) && e.Hostname == or(want.Hostname, peer) &&
		e.AppName == or(want.Appname, "") && e.ProcID == or(want.ProcID, "") && e.MsgID == or(want.MsgID, "")
	if relayedLine(or(want.Appname, ""), or(want.Message, "")) { // the library does not look into the message
		return
	}
	if text := strings.TrimPrefix(or(want.Message, ""), "\ufeff"); text != "" {
		same = same && e.Message == text
	} else {
		same = same && e.Message == line
	}
	var fields struct {
		Stamp string                    `json:"original_timestamp"`
		Data  map[string]map[string]any `json:"structured_data"`
	}
	if e.Fields != "" {
		if err := json.Unmarshal([]byte(e.Fields), &fields); err != nil {
			t.Fatal(err)
		}
	}
	if want.Timestamp != nil && fields.Stamp == "" {
		same = same && e.Timestamp == want.Timestamp.UnixMicro()
	}
	if !same {
		t.Fatalf("%q became %+v, the library says %+v", line, e, want)
	}
	checkData(t, fields.Data, want.StructuredData)
}

func checkData(t *testing.T, got map[string]map[string]any, want *map[string]map[string]string) {
	t.Helper()
	if want == nil {
		if len(got) > 0 {
			t.Fatalf("structured data %v, the library has none", got)
		}
		return
	}
	if len(got) == 0 && len(*want) > maxElements {
		return
	}
	for id, params := range *want {
		if len(got[id]) != len(params) {
			t.Fatalf("element %q: %v, want %v", id, got[id], params)
		}
		for name, value := range params {
			have := got[id][name]
			if list, ok := have.([]any); ok {
				have = list[len(list)-1]
			}
			if have != strings.ReplaceAll(strings.ToValidUTF8(value, "\ufffd"), "\x00", "") {
				t.Fatalf("%s.%s is %q, want %q", id, name, have, value)
			}
		}
	}
}

// FuzzParseParts writes lines of RFC 3164 from parts that the fuzzer chooses, by package time and fmt, and expects the parts back. Parts
// are made of few letters, so that what each one is does not depend on the rules of the parser.
func FuzzParseParts(f *testing.F) {
	f.Add(uint8(187), int64(1795430400), "core-1", "sshd", uint16(42), uint8(1), "link is down")
	f.Add(uint8(0), int64(1795430400), "a.b", "x", uint16(0), uint8(9), "a: b [c] <13>")
	only := func(s, letters string) string {
		return strings.Map(func(r rune) rune { return rune(letters[int(r)%len(letters)]) }, s)
	}
	f.Fuzz(func(t *testing.T, pri uint8, unix int64, host, tag string, pid uint16, blanks uint8, text string) {
		host, tag = "h"+only(host, "bcdefghkx019"), "t"+only(tag, "bcdefghkx019")
		text = "is " + only(text, "abc :[]=<>019,.\"{}")
		if text = strings.TrimRight(text, " "); pri > 191 || len(host) > 64 || len(tag) > 32 {
			return
		}
		at := received.Add(-time.Duration(uint64(unix)%uint64(360*24*time.Hour/time.Second)) * time.Second).Truncate(time.Second).UTC()
		gap := strings.Repeat(" ", 1+int(blanks)%4)
		program, number := tag, ""
		if pid > 0 {
			number = strconv.Itoa(int(pid))
			program += "[" + number + "]"
		}
		line := fmt.Sprintf("<%d>%s%s%s%s%s: %s", pri, at.Format(time.Stamp), gap, host, gap, program, text)
		var e event.Event
		if format := NewParser(time.UTC).Parse(&Line{Text: []byte(line), Peer: peer, At: received}, &e); format != FormatRFC3164 {
			t.Fatalf("%q is %v", line, format)
		}
		got := []string{e.Hostname, e.AppName, e.ProcID, e.Message, time.UnixMicro(e.Timestamp).UTC().String(), fmt.Sprint(e.Facility, e.Severity)}
		want := []string{host, tag, number, text, at.String(), fmt.Sprint(pri/8, pri%8)}
		if !slices.Equal(got, want) {
			t.Fatalf("%q became %q, want %q", line, got, want)
		}
	})
}
