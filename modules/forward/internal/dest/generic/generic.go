// Package generic writes alerts as plain JSON for any webhook: the decision's fields, and the whole event.
package generic

import (
	"strconv"

	"github.com/muttproject/mutt/modules/forward/internal/dest"
	"github.com/muttproject/mutt/platform/event"
)

// Encoder writes request bodies.
type Encoder struct {
	List bool // {"events":[…]} also for one alert; the form of batch_max above 1
}

var _ dest.Encoder = (*Encoder)(nil)

// AppendBody implements dest.Encoder.
func (e *Encoder) AppendBody(dst []byte, alerts []*event.Alert) []byte {
	if !e.List && len(alerts) == 1 {
		return appendAlert(dst, alerts[0])
	}
	dst = append(dst, `{"events":[`...)
	for i, a := range alerts {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendAlert(dst, a)
	}
	return append(dst, `]}`...)
}

func appendAlert(dst []byte, a *event.Alert) []byte {
	d := &a.Decision
	dst = text(dst, `{"external_id":`, a.Event.ID.String())
	dst = text(dst, `,"signature":`, d.Signature)
	dst = strconv.AppendInt(append(dst, `,"severity":`...), int64(d.Severity), 10)
	dst = text(dst, `,"team":`, d.Team)
	dst = text(dst, `,"environment":`, d.Environment())
	dst = text(dst, `,"fate":`, d.Fate.String())
	dst = text(dst, `,"handling":`, d.Handling.String())
	dst = strconv.AppendInt(append(dst, `,"rule":{"id":`...), d.RuleID, 10)
	dst = text(dst, `,"name":`, d.RuleName)
	dst = strconv.AppendInt(append(dst, `,"ruleset_version":`...), d.RulesetVersion, 10)
	dst = event.AppendEventJSON(append(dst, `},"event":`...), &a.Event)
	return append(dst, '}')
}

func text(dst []byte, name, value string) []byte {
	return event.AppendJSONString(append(dst, name...), value)
}
