package unhandled

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/store"
)

// metaSeverity is that of every meta-alert, on the destination's scale: warning.
const metaSeverity = 2

// maxSample is how much of a sample message is kept, in bytes.
const maxSample = 1024

// Window is a counter that passed the threshold and whose meta-alert was not sent yet.
type Window struct {
	store.Counter
	Name string // the host as the events of the entry that was counted last spell it
	Team string // of the host
}

// ID names the meta-alert of a window: the same in every process and for every repeat.
func (w *Window) ID() event.ID {
	sum := w.hash(true)
	var id event.ID
	copy(id[:], sum[:])
	id[6] = id[6]&0x0f | 0x80 // version 8 and the RFC variant (RFC 9562 section 5.8)
	id[8] = id[8]&0x3f | 0x80
	return id
}

// Signature is stable over windows: the destination folds them into one situation.
func (w *Window) Signature() string {
	sum := w.hash(false)
	return w.Host + "::unhandled::" + hex.EncodeToString(sum[:4])
}

func (w *Window) hash(withStart bool) [sha256.Size]byte {
	b := make([]byte, 0, len(w.Host)+len(w.Mask)+17)
	b = append(append(b, w.Host...), 0)
	b = append(append(b, w.Mask...), 0)
	if withStart {
		b = binary.BigEndian.AppendUint64(b, uint64(event.Micros(w.WindowStart)))
	}
	return sha256.Sum256(b)
}

// Alert words the meta-alert. defaultTeam serves hosts without a team.
func (w *Window) Alert(now time.Time, defaultTeam string) event.Alert {
	id, team := w.ID(), w.Team
	if team == "" {
		team = defaultTeam
	}
	return event.Alert{
		Event: event.Event{
			ID: id, ReceivedAt: event.Micros(now), Timestamp: event.Micros(now), Source: event.SourceMeta,
			Severity: 4, Facility: event.Absent, Hostname: w.Name, CorrelationID: id.String(), Fields: w.fields(),
			Message: fmt.Sprintf("%d events that no rule matches since %s, like: %s (for example: %s)",
				w.N, w.WindowStart.UTC().Format(time.RFC3339), w.Mask, w.Sample),
		},
		Decision: event.Decision{
			Fate: event.FateForwarded, Handling: event.TicketOnly, Severity: metaSeverity,
			RuleName: "unhandled", Team: team, Signature: w.Signature(),
		},
	}
}

// fields gives the same facts to machines.
func (w *Window) fields() string {
	b := strconv.AppendInt([]byte(`{"unhandled_count":`), w.N, 10)
	b = event.AppendJSONString(append(b, `,"template":`...), w.Mask)
	b = event.AppendJSONString(append(b, `,"sample":`...), w.Sample)
	b = event.AppendJSONString(append(b, `,"window_start":`...), w.WindowStart.UTC().Format(time.RFC3339Nano))
	return string(append(b, '}'))
}

// clip cuts a text to maxSample bytes at a character's boundary.
func clip(s string) string {
	if len(s) > maxSample {
		end := maxSample
		for end > maxSample-utf8.UTFMax && !utf8.RuneStart(s[end]) {
			end--
		}
		s = s[:end]
	}
	return s
}
