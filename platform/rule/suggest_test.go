package rule

import (
	"strings"
	"testing"
	"time"

	"github.com/muttproject/mutt/platform/event"
)

func TestSuggest(t *testing.T) {
	t.Parallel()
	for message, want := range map[string]string{
		"%BGP-5-ADJCHANGE: neighbor 203.0.113.10 Down":                                                      "%BGP-5-ADJCHANGE",
		"Nov 30 03:12:44 mx rpd[1234]: RPD_BGP_NEIGHBOR_STATE_CHANGED: BGP peer 198.51.100.9 changed state": "RPD_BGP_NEIGHBOR_STATE_CHANGED",
		"Power supply 2 in chassis 17 has failed its self test":                                             "has failed its self test",
		"disk full":                     "disk full",
		"12 34":                         "12 34",
		"fan failed\nsecond line \x1b[": "fan failed",
		strings.Repeat("ä", 2000):       strings.Repeat("ä", suggestedMatch/2),
	} {
		e := event.Event{Message: message, Hostname: "h", Severity: event.Absent}
		r := Suggest(&e)
		if r.MatchString != want || r.MatchType != Contains || r.HostPattern != "" || r.TrapOID != "" {
			t.Errorf("%.40q: %+v, want %.40q", message, r, want)
		}
		holds(t, r, &e)
	}
	trap := event.Event{TrapOID: ".1.3.6.1.6.3.1.1.5.3", Message: "linkDown", Source: event.SourceTrap}
	if r := Suggest(&trap); r.MatchType != OIDPrefix || r.TrapOID != "1.3.6.1.6.3.1.1.5.3" || r.MatchString != "" {
		t.Errorf("a trap: %+v", r)
	} else {
		holds(t, r, &trap)
	}
}

// holds fails unless the suggestion is a rule that matches its event and whose examples hold, once it has a team.
func holds(t *testing.T, r Rule, e *event.Event) {
	t.Helper()
	r.TeamAssignment = "T"
	set, err := Compile([]Rule{r}, Tables{})
	if err != nil {
		t.Fatalf("%.40q: %v", e.Message, err)
	}
	if _, ok := set.Match(e, time.Now().UnixMicro(), set.NewScratch()); !ok {
		t.Errorf("%.40q is not matched by its suggestion %+v", e.Message, r)
	}
	if err := CheckExamples(t.Context(), []Rule{r}); err != nil {
		t.Errorf("%.40q: %v", e.Message, err)
	}
}

func FuzzSuggest(f *testing.F) {
	f.Add("%LINK-3-UPDOWN: Interface Gi0/1", "")
	f.Add("", "1.3.6")
	f.Fuzz(func(t *testing.T, message, oid string) {
		e := event.Event{Message: strings.ToValidUTF8(message, ""), TrapOID: oid}
		r := Suggest(&e)
		if r.MatchString == "" && r.TrapOID == "" || strings.ContainsRune(r.MatchString, 0) || len(message) > MaxExample {
			return
		}
		holds(t, r, &e)
	})
}
