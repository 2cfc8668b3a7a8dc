package acceptance

import (
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/muttproject/mutt/app/apptest"
)

// TestHostileNames: names that are far too long, and names with characters that steer a terminal, stall nothing and are
// shown clean, by whatever way they came. What they were is kept.
func TestHostileNames(t *testing.T) { inBothModes(t, hostileNames) }

func hostileNames(t *testing.T, in mode) {
	t.Parallel()
	m := in.start(t, nil)
	random := rand.New(rand.NewPCG(1, 1))
	const each = 30
	for i := range each { // no database index takes a name like this, because it does not compress
		var name strings.Builder
		for name.Len() < 3000 {
			fmt.Fprintf(&name, "%016x", random.Uint64())
		}
		m.SendSyslog("udp", fmt.Sprintf("<187>1 %s %s link - - - %s", time.Now().UTC().Format(time.RFC3339), name.String(), down(fmt.Sprint("long", i))))
	}
	sent := time.Now()
	const spoof = "core\x1b]0;x\x07-\u202esw\u009b1"
	m.SendSyslog("udp", "<187>1 - "+spoof+" li\x08nk - - - "+down("\x1b[2Jspoof"))
	m.Send([]byte(`{"hostname":"core\u001b]0;x\u0007-\u202esw\u009b1","timestamp":"` + time.Now().UTC().Format(time.RFC3339) + `","message":"` + down("http") + `"}`))

	for _, row := range m.ExpectAudit(2, url.Values{"hostname": {"core]0;x-sw1"}}) {
		text := string(row.RawMessage)
		if !strings.Contains(text, `"hostname":"core\u001b]0;x\u0007-\u202esw\u009b1"`) || strings.ContainsAny(text, "\u202e\u009b") {
			t.Errorf("the row is %q", text)
		}
		if strings.Contains(text, "spoof") && !strings.Contains(text, "Interface ␛[2Jspoof") {
			t.Errorf("the row is %q", text)
		}
	}
	if took := time.Since(sent); took > 10*time.Second {
		t.Errorf("a long name held up the events behind it for %v", took)
	}
	apptest.Eventually(t, "events with long names are judged", func() (bool, any) {
		n := 0
		for _, row := range m.Audit(url.Values{"limit": {"200"}}) {
			if len(row.Hostname) == 255 && strings.Contains(string(row.RawMessage), row.Hostname+`",`) {
				n++
			}
		}
		return n == each, n
	})
	if dead := m.DeadLetters("ingest"); len(dead) > 0 {
		t.Errorf("%d dead letters, the first is %+v", len(dead), dead[0])
	}
}
