// Package moogsoft writes alerts as the Moogsoft webhook LAM takes them (contracts.md section 9).
package moogsoft

import (
	"strconv"
	"time"

	"github.com/muttproject/mutt/modules/forward/internal/dest"
	"github.com/muttproject/mutt/platform/event"
)

// Encoder writes request bodies.
type Encoder struct {
	Version  string // of MUTT, for the field agent
	Location string // the process's name, for the field agent_location
	List     bool   // {"events":[…]} also for one alert; the form of batch_max above 1
}

var _ dest.Encoder = (*Encoder)(nil)

// clockSkew is how far a device's clock may be off before the time of receipt is the better word.
const clockSkew = 24 * time.Hour

// AppendBody implements dest.Encoder.
func (e *Encoder) AppendBody(dst []byte, alerts []*event.Alert) []byte {
	if !e.List && len(alerts) == 1 {
		return e.appendAlert(dst, alerts[0])
	}
	dst = append(dst, `{"events":[`...)
	for i, a := range alerts {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = e.appendAlert(dst, a)
	}
	return append(dst, `]}`...)
}

func (e *Encoder) appendAlert(dst []byte, a *event.Alert) []byte {
	ev, d := &a.Event, &a.Decision
	id := ev.ID.String()
	dst = text(dst, `{"signature":`, d.Signature)
	dst = text(dst, `,"source_id":`, first(ev.SourceIP, ev.Hostname))
	dst = text(dst, `,"source":`, ev.Hostname)
	dst = text(dst, `,"external_id":`, id)
	dst = append(dst, `,"manager":"MUTT"`...)
	dst = text(dst, `,"class":`, d.Team)
	dst = text(dst, `,"agent":`, "MUTT "+e.Version)
	dst = text(dst, `,"agent_location":`, e.Location)
	dst = text(dst, `,"type":`, first(d.RuleName, "unhandled"))
	dst = strconv.AppendInt(append(dst, `,"severity":`...), int64(d.Severity), 10)
	dst = text(dst, `,"description":`, ev.Message)
	dst = strconv.AppendInt(append(dst, `,"agent_time":`...), agentTime(ev), 10)
	dst = event.AppendEventJSON(append(dst, `,"custom_info":{"event":`...), ev)
	if d.RuleName != "" {
		dst = strconv.AppendInt(append(dst, `,"rule":{"id":`...), d.RuleID, 10)
		dst = append(text(dst, `,"name":`, d.RuleName), '}')
	}
	dst = text(dst, `,"environment":`, d.Environment())
	dst = text(dst, `,"handling":`, d.Handling.String())
	return append(dst, `}}`...)
}

// agentTime returns the event's time in epoch seconds, or that of its receipt when the device's clock is far off.
func agentTime(ev *event.Event) int64 {
	off := ev.Timestamp - ev.ReceivedAt
	if off > clockSkew.Microseconds() || off < -clockSkew.Microseconds() {
		return ev.ReceivedAt / 1e6
	}
	return ev.Timestamp / 1e6
}

func text(dst []byte, name, value string) []byte {
	return event.AppendJSONString(append(dst, name...), value)
}

func first(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
