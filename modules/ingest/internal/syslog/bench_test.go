package syslog

import (
	"testing"
	"time"

	"github.com/leodido/go-syslog/v4/rfc5424"

	"github.com/muttproject/mutt/platform/event"
)

// benchLines are usual lines of about 200 bytes.
var benchLines = []string{
	"<86>Oct 11 22:14:15 combo sshd(pam_unix)[19939]: authentication failure; logname= uid=0 euid=0 tty=NODEVssh ruser= rhost=218.188.2.4 user=root service=sshd method=password attempt=3 session=0x7f3a2b",
	"<30>2026-11-05T10:11:12.123456+01:00 web01.example.net systemd[1]: Started Session 4711 of user deploy, unit session-4711.scope, slice user-1000.slice, cgroup /user.slice/user-1000.slice/session.scope",
	"<165>1 2026-11-05T10:11:12.003Z mymachine.example.com evntslog 8710 ID47 - An application event log entry with some text that makes it about two hundred bytes long, as most messages of devices are",
	`<165>1 2026-11-05T10:11:12.003Z mymachine.example.com evntslog 8710 ID47 [exampleSDID@32473 iut="3" eventSource="Application" eventID="1011"][examplePriority@32473 class="high"] An application event log entry`,
	"<187>123: *Mar  1 00:00:00.123 UTC: %LINK-3-UPDOWN: Interface GigabitEthernet0/1, changed state to down",
}

var benchNames = []string{"3164", "3164-rfc3339", "5424", "5424-sd", "cisco"}

func BenchmarkParse(b *testing.B) {
	for i, line := range benchLines {
		for name, loc := range map[string]*time.Location{"utc": time.UTC, "zone": time.FixedZone("x", 3600)} {
			if name == "zone" && i > 0 {
				continue
			}
			b.Run(benchNames[i]+"/"+name, func(b *testing.B) {
				p, l := NewParser(loc), Line{Text: []byte(line), Peer: peer, At: received}
				var e event.Event
				b.ReportAllocs()
				for b.Loop() {
					p.Parse(&l, &e)
				}
			})
		}
	}
}

// BenchmarkParseLibrary is leodido/go-syslog on the same RFC 5424 lines, for comparison.
func BenchmarkParseLibrary(b *testing.B) {
	for i, line := range benchLines[2:4] {
		b.Run(benchNames[2+i], func(b *testing.B) {
			p, text := rfc5424.NewParser(), []byte(line)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := p.Parse(text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
