package syslog

import (
	"strconv"
	"strings"
	"time"
	"unsafe"

	"github.com/muttproject/mutt/modules/ingest/internal/stamp"
	"github.com/muttproject/mutt/platform/event"
)

// Format says how a line was understood.
type Format uint8

// The formats. FormatEmpty is a line without content: there is no event in it.
const (
	FormatRFC5424 Format = iota
	FormatRFC3164
	FormatRaw
	FormatEmpty
)

var formatNames = [...]string{"rfc5424", "rfc3164", "raw", "empty"}

// String gives the value of the metrics' format label.
func (f Format) String() string { return formatNames[f] }

// Line is one framed message and who sent it.
type Line struct {
	Text      []byte
	Peer      string    // the sender's address without port
	Verified  string    // the hostname of the sender's certificate; "" without one
	At        time.Time // when it was read
	Truncated bool      // the sender's message went on
}

// Parser turns lines into events. It keeps scratch space: one per goroutine.
type Parser struct {
	loc    *time.Location // of timestamps that name no zone
	line   string         // the line being parsed
	at     time.Time
	object // the event's fields
	sd     sdScratch
	joined []byte // a message that is put together

	sources *sources // nil when all senders are read alike
	peer    string   // whose policy is in force
	origin  *origin
	origins map[string]*origin

	headed        bool // the line begins with the header of network gear
	clockReplaced bool // the last line's timestamp could not be believed
}

// NewParser makes a Parser; RFC 3164 timestamps are read in loc, which nil makes the machine's zone.
func NewParser(loc *time.Location) *Parser {
	if loc == nil {
		loc = time.Local
	}
	return &Parser{loc: loc}
}

// Parse fills e from a line, except for what the intake sets (ID, ReceivedAt, CorrelationID). The strings of e view
// l.Text and the parser's scratch space: they are valid until the next call or until l.Text changes.
func (p *Parser) Parse(l *Line, e *event.Event) Format {
	p.line, p.at = strings.TrimRight(view(l.Text), "\r\n\x00"), l.At
	p.object.reset()
	p.headed, p.clockReplaced = false, false
	if p.sources != nil && (p.origin == nil || p.peer != l.Peer) {
		p.turnTo(l.Peer)
	}
	*e = event.Event{
		Source: event.SourceSyslog, Severity: event.Absent, Facility: event.Absent,
		Timestamp: l.At.UnixMicro(), Hostname: l.Peer, SourceIP: l.Peer,
	}
	if p.line == "" {
		return FormatEmpty
	}
	format := p.parse(e)
	if e.Message == "" { // a message of structured data or a tag alone is matched by its whole line
		e.Message = p.line
	}
	if p.origin != nil || l.Verified != "" {
		p.rename(l, e)
	}
	if l.Truncated {
		p.object.key("truncated").raw("true")
	}
	e.Fields = p.object.text()
	return format
}

func (p *Parser) parse(e *event.Event) Format {
	pri, rest, ok := cutPRI(unpadded(p.line))
	if !ok && strings.HasPrefix(rest, "1 2") && p.rfc5424(rest, e) { // a template of a relay without the PRI
		p.relayed(e)
		return FormatRFC5424
	}
	if ok {
		e.Facility, e.Severity = int8(pri>>3), int8(pri&7)
		if p.rfc5424(rest, e) {
			p.relayed(e)
			return FormatRFC5424
		}
		if after, isVersion := strings.CutPrefix(rest, "1 "); isVersion { // Meraki: a version, and a number as the time
			if _, n, _ := stamp.Read(after, p.at, p.loc); n >= len("1796025600") && after[4] != '-' {
				rest = after
			}
		}
	}
	if p.rfc3164(rest, e, ok) {
		p.relayed(e)
		return FormatRFC3164
	}
	e.Message = p.line
	return FormatRaw
}

// unpadded returns a line from its PRI on: without BOMs and blanks before it, as the framer removes them from a stream, and without an
// octet count, which some senders write before a datagram, too. A count that is not that of the line is a part of it.
func unpadded(line string) string {
	if line == "" || line[0] == '<' {
		return line
	}
	s := trimPadding(line)
	n := 0
	for n < len(s) && n <= maxCountDigits && digit(s[n]) {
		n++
	}
	if n == 0 || n > maxCountDigits || n == len(s) || s[n] != ' ' {
		return s
	}
	body := s[n+1:]
	count, err := strconv.Atoi(s[:n])
	if framed := trimPadding(body); err == nil && (count == len(body) || count == len(body)+1) && strings.HasPrefix(framed, "<") { // the LF was cut off
		return framed
	}
	return s
}

// trimPadding removes the BOMs, blanks and ends of lines at the start of s.
func trimPadding(s string) string {
	for {
		rest := strings.TrimLeft(strings.TrimPrefix(s, "\ufeff"), " \t\r\n\x00")
		if len(rest) == len(s) {
			return s
		}
		s = rest
	}
}

// cutPRI takes "<n>", n being 0..191 (RFC 5424 section 6.2.1), off a line.
func cutPRI(s string) (pri int, rest string, ok bool) {
	if len(s) < 3 || s[0] != '<' {
		return 0, s, false
	}
	for i := 1; i < len(s) && i <= 4; i++ {
		switch c := s[i]; {
		case c >= '0' && c <= '9':
			pri = pri*10 + int(c-'0')
		case c == '>' && i > 1 && pri <= 191:
			return pri, s[i+1:], true
		default:
			return 0, s, false
		}
	}
	return 0, s, false
}

// stamp notes a timestamp whose text is given, if it can be believed, and keeps the text otherwise.
func (p *Parser) stamp(e *event.Event, text string, unixMicro int64, ok bool) {
	if ok && unixMicro >= stamp.Earliest && unixMicro <= p.at.UnixMicro()+stamp.LatestAhead {
		e.Timestamp = unixMicro
		return
	}
	p.clockReplaced = true
	p.object.key("original_timestamp").quoted(text)
}

// view gives b's bytes as a string without copying; the string lives as long as b is not written.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
