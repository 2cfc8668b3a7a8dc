package store

import (
	"maps"
	"slices"
	"strings"

	"github.com/muttproject/mutt/platform/event"
)

// entryList is the development hosts or the teams as a change sees them: what is stored, with what the change has made of it so
// far. It is written when the change is complete. A development host is an entry without a team.
type entryList struct {
	whole   bool                // known has all entries
	known   map[string]*Team    // by the identity of the host; nil for one without an entry
	changed map[string]bool     // identities of the entries that are to be stored
	gone    map[string]struct{} // spellings of the entries that are to be removed
}

// one returns the entry of a host, nil when there is none.
func (l *entryList) one(hostname string, stored func(identity string) (*Team, error)) (*Team, error) {
	identity := event.FoldHost(hostname)
	if e, known := l.known[identity]; known || l.whole {
		return e, nil
	}
	return stored(identity)
}

// all returns all entries in the order of their names. It reads them once.
func (l *entryList) all(stored func() ([]Team, error)) ([]Team, error) {
	if !l.whole {
		entries, err := stored()
		if err != nil {
			return nil, err
		}
		untouched := len(l.known) == 0
		if untouched {
			l.known = make(map[string]*Team, len(entries))
		}
		for i := range entries {
			identity := event.FoldHost(entries[i].Hostname)
			if _, known := l.known[identity]; !known { // the first of several spellings is in force
				l.known[identity] = &entries[i]
			}
		}
		if l.whole = true; untouched {
			return slices.Clone(entries), nil
		}
	}
	out := make([]Team, 0, len(l.known))
	for _, e := range l.known {
		if e != nil {
			out = append(out, *e)
		}
	}
	slices.SortFunc(out, byHostname)
	return out, nil
}

func byHostname(a, b Team) int { return strings.Compare(a.Hostname, b.Hostname) }

// set stores an entry in the place of the one that has the same spelling.
func (l *entryList) set(e Team) {
	if l.known == nil {
		l.known = map[string]*Team{}
	}
	if l.changed == nil {
		l.changed = map[string]bool{}
	}
	identity := event.FoldHost(e.Hostname)
	l.known[identity], l.changed[identity] = &e, true
}

// drop removes the entry with this spelling.
func (l *entryList) drop(spelling string) {
	if l.gone == nil {
		l.gone = map[string]struct{}{}
	}
	l.gone[spelling] = struct{}{}
	identity := event.FoldHost(spelling)
	if e := l.known[identity]; e != nil && e.Hostname != spelling {
		return // another spelling of the host stays
	}
	if l.known == nil {
		l.known = map[string]*Team{}
	}
	l.known[identity] = nil
	delete(l.changed, identity)
}

// put returns the entries that are to be stored, in the order of their names.
func (l *entryList) put() []Team {
	out := make([]Team, 0, len(l.changed))
	for identity := range l.changed {
		out = append(out, *l.known[identity])
	}
	slices.SortFunc(out, byHostname)
	return out
}

// dropped returns the spellings that are to be removed, in their order, as parameters.
func (l *entryList) dropped() []any {
	out := make([]any, 0, len(l.gone))
	for _, spelling := range slices.Sorted(maps.Keys(l.gone)) {
		out = append(out, spelling)
	}
	return out
}

// hostObject is a development host as the change audit shows it.
func hostObject(hostname string) object {
	return object{"hostname": jsonText(hostname)}
}

// teamObject is the team of a host as the change audit shows it.
func teamObject(t Team) object {
	return object{"hostname": jsonText(t.Hostname), "team_assignment": jsonText(t.TeamAssignment)}
}
