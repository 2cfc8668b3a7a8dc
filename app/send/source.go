package send

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Generator makes events of imaginary network gear. Message number i is the same in every run but for its time.
type Generator struct {
	count int64
	tag   string
	hosts []string
	lines [][2]string // what precedes and follows the number that varies
	next  atomic.Int64
}

// NewGenerator makes count events (0 for no end) of the given number of devices; tag precedes the sequence number
// in each message.
func NewGenerator(count int64, hosts int, tag string) *Generator {
	g := &Generator{count: count, tag: tag}
	for i := range max(hosts, 1) {
		g.hosts = append(g.hosts, "device-"+strconv.Itoa(i))
	}
	for _, t := range templates() {
		before, after, _ := strings.Cut(t, "%d")
		g.lines = append(g.lines, [2]string{before, after + " seq=" + tag})
	}
	return g
}

// templates are what the gear says; %d is a number that varies. The starter rules of configs/rules match some.
func templates() []string {
	return []string{
		"%LINK-3-UPDOWN: Interface GigabitEthernet0/%d, changed state to down",
		"%SYS-5-CONFIG_I: Configured from console by admin on vty%d (192.0.2.10)",
		"%OSPF-5-ADJCHG: Process 1, Nbr 10.0.0.%d on Vlan10 from FULL to DOWN, Neighbor Down: Dead timer expired",
		"%SEC-6-IPACCESSLOGP: list 101 denied tcp 203.0.113.7(4431%d) -> 192.0.2.80(443), 1 packet",
		"%BGP-5-ADJCHANGE: neighbor 203.0.113.%d Down BGP Notification sent",
		"%LINEPROTO-5-UPDOWN: Line protocol on Interface Vlan%d, changed state to up",
		"snmpd[812]: Connection from UDP: [192.0.2.44]:5120%d->[192.0.2.1]:161",
		"%ENVMON-2-FANFAIL: Fan tray %d failed",
		"last message repeated %d times",
		"DHCPACK on 192.0.2.%d to 00:00:5e:00:53:01 via eth0",
	}
}

// Next appends one event.
func (g *Generator) Next(dst []byte, transport string) ([]byte, bool) {
	i := g.next.Add(1) - 1
	if g.count > 0 && i >= g.count {
		return dst, false
	}
	var room [256]byte
	line := g.lines[i%int64(len(g.lines))]
	msg := append(room[:0], line[0]...)
	msg = strconv.AppendInt(msg, i%48, 10)
	msg = append(msg, line[1]...)
	msg = strconv.AppendInt(msg, i, 10)
	return appendEvent(dst, transport, g.hosts[i%int64(len(g.hosts))], msg, int(i%8), time.Now()), true
}

// appendEvent writes one event as a JSON line, or as an RFC 5424 message framed for the transport.
func appendEvent(dst []byte, transport, host string, msg []byte, severity int, now time.Time) []byte {
	if transport == "http" {
		dst = append(dst, `{"hostname":`...)
		dst = appendJSONString(dst, []byte(host))
		dst = append(dst, `,"timestamp":"`...)
		dst = now.UTC().AppendFormat(dst, time.RFC3339Nano)
		dst = append(dst, `","syslog_severity":`...)
		dst = strconv.AppendInt(dst, int64(severity), 10)
		dst = append(dst, `,"message":`...)
		dst = appendJSONString(dst, msg)
		return append(dst, "}\n"...)
	}
	var room [512]byte
	line := append(room[:0], '<')
	line = strconv.AppendInt(line, int64(16*8+severity), 10)
	line = append(line, ">1 "...)
	line = now.UTC().AppendFormat(line, "2006-01-02T15:04:05.000000Z07:00")
	line = append(append(append(line, ' '), host...), " mutt-send - - - "...)
	return appendFrame(dst, append(line, msg...))
}

// appendFrame frames a syslog line by octet counting (RFC 6587 section 3.4.1); the UDP transport cuts its
// datagrams by the same counts.
func appendFrame(dst, line []byte) []byte {
	dst = strconv.AppendInt(dst, int64(len(line)), 10)
	dst = append(dst, ' ')
	return append(dst, line...)
}

// appendJSONString quotes a text; most need no escape.
func appendJSONString(dst, s []byte) []byte {
	for _, c := range s {
		if c < ' ' || c == '"' || c == '\\' || c >= 0x80 {
			b, err := json.Marshal(string(s))
			if err != nil { // a string always marshals
				return append(dst, `""`...)
			}
			return append(dst, b...)
		}
	}
	dst = append(append(dst, '"'), s...)
	return append(dst, '"')
}

// maxLine bounds a line of a file.
const maxLine = 1 << 20

// Lines reads events from a file: each line a JSON object, or a text that becomes the message of the given host.
// Over syslog a text that begins with a priority is sent as it is.
type Lines struct {
	host string

	mu  sync.Mutex
	r   *bufio.Reader
	err error
}

// NewLines reads from r.
func NewLines(r io.Reader, host string) *Lines {
	return &Lines{host: host, r: bufio.NewReaderSize(r, 256<<10)}
}

// Next appends the next line that is not empty.
func (l *Lines) Next(dst []byte, transport string) ([]byte, bool) {
	line, ok := l.line()
	switch {
	case !ok:
		return dst, false
	case transport == "http" && line[0] == '{':
		return append(append(dst, line...), '\n'), true
	case transport != "http" && line[0] == '<':
		return appendFrame(dst, []byte(line)), true
	default:
		return appendEvent(dst, transport, l.host, []byte(line), 6, time.Now()), true
	}
}

func (l *Lines) line() (string, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.err == nil {
		text, err := l.r.ReadString('\n')
		l.err = err
		for len(text) > 0 && (text[len(text)-1] == '\n' || text[len(text)-1] == '\r') {
			text = text[:len(text)-1]
		}
		if len(text) > maxLine {
			l.err = fmt.Errorf("a line of the file is longer than %d bytes", maxLine)
			return "", false
		}
		if text != "" {
			return text, true
		}
	}
	return "", false
}

// Err gives what ended the reading, nil for the end of the file.
func (l *Lines) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if errors.Is(l.err, io.EOF) {
		return nil
	}
	return l.err
}
