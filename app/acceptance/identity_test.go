package acceptance

import (
	"net/url"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/muttproject/mutt/app/apptest"
)

// TestOneHostWhateverItsCase sends the events of one host in several spellings. They are counted together, have one signature
// and one team, and are found by one filter; the audit and the destination show each spelling.
func TestOneHostWhateverItsCase(t *testing.T) { inBothModes(t, oneHostWhateverItsCase) }

func oneHostWhateverItsCase(t *testing.T, in mode) {
	t.Parallel()
	m := in.start(t, nil)
	m.SetConfig("unhandled_threshold", 3)
	m.Change("POST", map[string]any{"hostname": "Core-1", "team_assignment": "OWNERS"}, nil, "teams")
	for i, host := range []string{"CORE-1", "core-1", "Core-1"} {
		m.Send(apptest.Event(host, "something odd "+string(rune('1'+i))))
	}
	meta := m.ExpectAlert("meta-alert", func(a apptest.Alert) bool { return a.Type == "unhandled" })
	if meta.Class != "OWNERS" || meta.Signature[:len("core-1::")] != "core-1::" {
		t.Errorf("meta-alert %+v", meta)
	}
	for _, host := range []string{"CORE-1", "core-1"} {
		m.Send(apptest.Event(host, down("Gi0/1")))
		a := m.ExpectAlert(host, func(a apptest.Alert) bool { return a.Source == host && a.Type != "unhandled" })
		if a.Signature != "core-1::interface::Gi0/1" {
			t.Errorf("the signature of %s is %q", host, a.Signature)
		}
	}
	for _, filter := range []string{"core-1", "CORE-1"} {
		var spellings []string
		for _, l := range m.ExpectAudit(5, url.Values{"hostname": {filter}}) {
			spellings = append(spellings, l.Hostname)
		}
		slices.Sort(spellings)
		if d := cmp.Diff([]string{"CORE-1", "CORE-1", "Core-1", "core-1", "core-1"}, spellings); d != "" {
			t.Errorf("by the filter %s: %s", filter, d)
		}
	}
	m.ExpectBalanced()
}
