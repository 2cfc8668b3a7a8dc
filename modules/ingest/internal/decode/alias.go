package decode

import (
	"fmt"
	"slices"
	"strings"

	"github.com/muttproject/mutt/modules/ingest/internal/intake"
	"github.com/muttproject/mutt/platform/fault"
)

// Alias is a member that is taken for a field where the field is absent.
type Alias struct {
	name  string
	field field
}

// String returns the alias as ParseAliases reads it.
func (a Alias) String() string { return a.name + "=" + a.field.name() }

// MaxAliases bounds the list: each is looked for among the members of an event that lacks its field.
const MaxAliases = 32

// ParseAliases reads aliases of the form member=field, for example host=hostname. Of several for one field the first that
// an event has is taken.
func ParseAliases(texts []string) ([]Alias, error) {
	if len(texts) > MaxAliases {
		return nil, fmt.Errorf("takes at most %d aliases, not %d", MaxAliases, len(texts))
	}
	aliases := make([]Alias, 0, len(texts))
	for _, text := range texts {
		name, target, found := strings.Cut(text, "=")
		name, target = strings.TrimSpace(name), strings.TrimSpace(target)
		if !found || name == "" || strings.ContainsAny(name, `"\`) {
			return nil, fmt.Errorf("takes aliases of the form member=field, such as host=hostname; %q is not one", text)
		}
		f, ok := lookup([]byte(target))
		if !ok {
			return nil, fmt.Errorf("takes fields of an event after the '=', which %q is not; they are %s", target, knownNames())
		}
		if _, ok := lookup([]byte(name)); ok {
			return nil, fmt.Errorf("takes names before the '=' that are not fields of an event themselves, as %q is", name)
		}
		if slices.ContainsFunc(aliases, func(a Alias) bool { return a.name == name }) {
			return nil, fmt.Errorf("takes each name once; %q is there twice", name)
		}
		aliases = append(aliases, Alias{name: name, field: f})
	}
	return aliases, nil
}

// takeAliases takes unknown members for the fields that are absent, in the order of the aliases.
func (d *Decoder) takeAliases() {
	for i, a := range d.opts.Aliases {
		if d.present()&(1<<a.field) != 0 {
			continue
		}
		for j, m := range d.doc.other {
			if d.unquote(m.name) != a.name {
				continue
			}
			if d.lends(a.field, m.value) {
				d.doc.known[a.field] = m.value
				d.doc.seen |= 1 << a.field
				d.lent |= 1 << a.field
				d.alias[a.field] = uint8(i)
				d.doc.other = slices.Delete(d.doc.other, j, j+1)
			}
			break
		}
	}
}

// lends reports whether a member may stand for a field: a string that is not empty, or a number. Members that happen to have
// an alias's name cost no event: for a field that is not required, what the field would refuse stays what it is.
func (d *Decoder) lends(f field, s span) bool {
	switch c := d.body[s.start]; {
	case c == '"' && s.end-s.start == 2:
		return false
	case c != '"' && c != '-' && (c < '0' || c > '9'):
		return false
	}
	if d.required&(1<<f) != 0 {
		return true
	}
	switch f {
	case fTimestamp:
		us, ok := d.time(s)
		return ok && d.inRange(us)
	case fHostname:
		text, _ := d.scalar(s)
		return !intake.IsBlank(text)
	default:
		return true
	}
}

// nameOf returns the name under which the sender gave a field.
func (d *Decoder) nameOf(f field) string {
	if d.lent&(1<<f) != 0 {
		return d.opts.Aliases[d.alias[f]].name
	}
	return f.name()
}

// foreign reports an event's object that begins as a batch in one of the formats of rsyslog's omhttp that put the events into an
// object of another program's; nil for any other.
func (d *Decoder) foreign() error {
	i := skip(d.body, d.at+1)
	for _, f := range [...]struct{ member, format string }{{`"records"`, "kafkarest"}, {`"streams"`, "lokirest"}} {
		if end := scanWord(d.body, i, f.member); end > 0 {
			if next, ok := passName(d.body, i); ok && next < len(d.body) && d.body[next] == '[' {
				return d.wrong("", fault.BadRequest,
					"this is a batch in the format %q of rsyslog's omhttp, not an event: set batch.format=\"newline\" or \"jsonarray\" there", f.format)
			}
		}
	}
	return nil
}
