package acceptance

import (
	"net/url"
	"strings"
	"testing"
)

// TestJoinedLines: with the setting a traceback that comes line by line is one event of its host.
func TestJoinedLines(t *testing.T) { inBothModes(t, joinedLines) }

func joinedLines(t *testing.T, in mode) {
	t.Parallel()
	m := in.start(t, map[string]string{"MUTT_SYSLOG_JOIN_LINES": "true"})
	const trace = "Traceback\n  at one\n  at two"
	m.SendSyslog("tcp", "<11>Nov 30 08:00:00 t6-1 app: "+trace+"\n<11>Nov 30 08:00:00 t6-1 app: next\n")
	for _, row := range m.ExpectAudit(2, url.Values{"hostname": {"t6-1"}}) {
		if text := string(row.RawMessage); !strings.Contains(text, `"message":"Traceback\n  at one\n  at two"`) && !strings.Contains(text, `"message":"next"`) {
			t.Errorf("the row is %s", text)
		}
	}
	if others := m.Audit(url.Values{"hostname": {"127.0.0.1"}}); len(others) > 0 {
		t.Errorf("lines are events of their own: %s", others[0].RawMessage)
	}
}
