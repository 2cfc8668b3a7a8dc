package decode

import (
	"fmt"
	"math/bits"
	"slices"
	"strings"

	"github.com/muttproject/mutt/modules/ingest/internal/cisco"
	"github.com/muttproject/mutt/modules/ingest/internal/intake"
	"github.com/muttproject/mutt/modules/ingest/internal/stamp"
	"github.com/muttproject/mutt/platform/fault"
)

// interpret gives the members of d.doc their meaning. The error is a *fault.Error about one field.
func (d *Decoder) interpret() error {
	d.dropNulls()
	if d.aliased&^d.doc.seen != 0 {
		d.takeAliases()
	}
	if err := d.missing(); err != nil {
		return err
	}
	for _, step := range [...]func() error{d.texts, d.timestamp, d.levels, d.trap, d.identity} {
		if err := step(); err != nil {
			return err
		}
	}
	d.rest()
	return nil
}

// dropNulls makes a known field that is null an absent one.
func (d *Decoder) dropNulls() {
	for left := d.doc.seen; left != 0; left &= left - 1 {
		f := bits.TrailingZeros32(left)
		if d.body[d.doc.known[f].start] == 'n' {
			d.doc.known[f] = span{}
			d.doc.seen &^= 1 << f
		}
	}
}

// present is the set of fields that are there. Of a field with two names, either name stands for both.
func (d *Decoder) present() uint32 {
	seen := d.doc.seen
	for _, pair := range [...]uint32{1<<fSeverity | 1<<fSyslogSeverity, 1<<fVariables | 1<<fVarbinds} {
		if seen&pair != 0 {
			seen |= pair
		}
	}
	return seen
}

// missing names every required field that is not there.
func (d *Decoder) missing() error {
	if d.required&^d.doc.seen == 0 {
		return nil
	}
	lacking := d.required &^ d.present()
	if lacking == 0 {
		return nil
	}
	if err := d.foreign(); err != nil {
		return err
	}
	var names []string
	for f := range numFields {
		if lacking&(1<<f) != 0 {
			names = append(names, f.name())
		}
	}
	return d.wrong(names[0], fault.InvalidField, "missing required fields: %s", strings.Join(names, ", "))
}

// texts reads the fields that are plain texts. The intake cleans and cuts them.
func (d *Decoder) texts() error {
	e := &d.event
	for _, t := range [...]struct {
		to *string
		f  field
	}{
		{&e.Hostname, fHostname}, {&e.Message, fMessage}, {&e.SourceType, fSourceType}, {&e.SourceIP, fSourceIP},
		{&e.AppName, fAppName}, {&e.ProcID, fProcID}, {&e.MsgID, fMsgID},
	} {
		s := d.doc.known[t.f]
		if s.end == 0 {
			continue
		}
		text, ok := d.scalar(s)
		if !ok && t.f == fMessage {
			text, ok = d.anyText(s), true // its JSON, so that rules can look into it
		}
		if !ok {
			if err := d.unfit(t.f); err != nil {
				return err
			}
			continue
		}
		*t.to = text
	}
	d.relayed()
	if d.doc.known[fHostname].end > 0 && intake.IsBlank(e.Hostname) {
		return d.wrong(d.nameOf(fHostname), fault.InvalidField, "must be a name or an address, not blank")
	}
	return nil
}

// relayed makes the event of a line of Cisco's that a relay took apart, or did not read, the one of the device. What the
// device wrote before its mnemonic goes to the hostname and the fields.
func (d *Decoder) relayed() {
	e, start := &d.event, len(d.text)
	if joined, ok := cisco.AppendMessage(d.text, e.AppName, e.Message); ok {
		d.text = joined
		e.Message = view(joined[start:])
		return
	}
	if cisco.MayHaveHeader(e.AppName, e.ProcID, e.Message) {
		d.device()
	}
}

// device reads what the device wrote before its mnemonic.
func (d *Decoder) device() {
	e, start := &d.event, len(d.text)
	h, text, ok := cisco.ReadHeader(e.AppName, e.ProcID, e.Message)
	if !ok {
		return
	}
	e.Message = text
	if h.Whole { // of the device; levels of the relay's own, if it sends them, replace it
		e.Facility, e.Severity = int8(h.Priority>>3), int8(h.Priority&7)
	}
	if h.AppUsed {
		e.AppName = ""
	}
	if h.Process != "" {
		e.AppName, e.ProcID = h.Process, h.PID
	}
	if h.Host != "" && h.Host != e.Hostname {
		if e.Hostname != "" && !d.has("relay") {
			d.openField()
			s := d.doc.known[fHostname]
			d.fields = appendCompact(append(d.fields, `"relay":`...), d.body[s.start:s.end])
		}
		e.Hostname = h.Host
	}
	d.text = h.AppendTime(d.text)
	d.derive("counter", h.Counter)
	d.derive("sequence", h.Sequence)
	d.derive("origin", h.Origin)
	d.derive("node", h.Node)
	d.derive("device_time", view(d.text[start:]))
}

// derive puts a part of the message into Fields, unless the sender has a member of that name. JSON escapes none
// of its characters (cisco.Header).
func (d *Decoder) derive(name, text string) {
	if text == "" || d.has(name) {
		return
	}
	d.openField()
	d.fields = append(append(append(append(append(d.fields, '"'), name...), `":"`...), text...), '"')
}

// has reports whether the sender has a member of a name that MUTT does not know.
func (d *Decoder) has(name string) bool {
	return slices.ContainsFunc(d.doc.other, func(m member) bool { return view(d.body[m.name.start+1:m.name.end-1]) == name })
}

// scalar returns the text of a string, and of a number or a boolean as it is written; ok is false for an object or an array.
func (d *Decoder) scalar(s span) (text string, ok bool) {
	switch d.body[s.start] {
	case '"':
		return d.unquote(s), true
	case '{', '[':
		return "", false
	default:
		return view(d.body[s.start:s.end]), true
	}
}

// unfit makes a field that is an object or an array, where a text is wanted, an absent one: it is kept in Fields. It is an
// error when the field is required.
func (d *Decoder) unfit(f field) error {
	s := d.doc.known[f]
	if d.required&(1<<f) != 0 {
		return d.wrong(f.name(), fault.InvalidField, "must be a string, a number or a boolean, not %s", kindOf(d.body[s.start]))
	}
	d.keep(f)
	d.doc.known[f] = span{}
	return nil
}

func (d *Decoder) timestamp() error {
	s := d.doc.known[fTimestamp]
	if s.end == 0 {
		return nil
	}
	c := d.body[s.start]
	if c != '"' && c != '-' && (c < '0' || c > '9') {
		return d.wrong(fTimestamp.name(), fault.InvalidField, "must be a string or a number, not %s", kindOf(c))
	}
	us, ok := d.time(s)
	if !ok {
		return d.wrong(d.nameOf(fTimestamp), fault.InvalidField,
			"is not a time: use RFC 3339 (2026-11-23T10:00:00Z), a Unix time in seconds, milliseconds, microseconds or nanoseconds, or 'Nov 23 10:00:00'")
	}
	if !d.inRange(us) {
		return d.wrong(d.nameOf(fTimestamp), fault.InvalidField, "is outside of what is accepted: 2000-01-01 to 24 hours from now")
	}
	d.event.Timestamp = us
	return nil
}

// time reads a string or a number.
func (d *Decoder) time(s span) (us int64, ok bool) {
	if d.body[s.start] == '"' {
		return parseTime(d.unquote(s), d.now)
	}
	return stamp.Number(view(d.body[s.start:s.end]))
}

func (d *Decoder) inRange(us int64) bool {
	return us >= stamp.Earliest && us <= d.now+stamp.LatestAhead
}

// levels reads severity and facility.
func (d *Decoder) levels() error {
	name := fSyslogSeverity
	if d.doc.known[name].end == 0 {
		name = fSeverity
	} else if d.doc.known[fSeverity].end > 0 {
		d.keep(fSeverity) // the two may differ: the standard's word decides, the other is kept
	}
	if err := d.level(name, &d.event.Severity, 7, severityOf, &d.unknown.Severity); err != nil {
		return err
	}
	return d.level(fFacility, &d.event.Facility, 23, facilityOf, &d.unknown.Facility)
}

// level reads a number from 0 to limit, by its value, or a word. What is neither costs no event: it is kept in Fields and
// counted.
func (d *Decoder) level(f field, to *int8, limit int, word func(string) (int8, bool), unknown *int) error {
	s := d.doc.known[f]
	if s.end == 0 {
		return nil
	}
	text, isScalar := d.scalar(s)
	if text = strings.TrimSpace(text); isScalar && text == "" {
		return nil
	}
	if n, isNumber := smallInt(text); isNumber {
		if n < 0 || n > limit {
			return d.wrong(d.nameOf(f), fault.InvalidField, "must be a whole number from 0 to %d or a name", limit)
		}
		*to = int8(n)
		return nil
	}
	if n, ok := word(text); ok {
		*to = n
		return nil
	}
	*unknown++
	d.keep(f)
	return nil
}

// trap reads the OID and the variable bindings.
func (d *Decoder) trap() error {
	if s := d.doc.known[fTrapOID]; s.end > 0 {
		text, ok := d.scalar(s)
		if !ok {
			if err := d.unfit(fTrapOID); err != nil {
				return err
			}
		}
		oid := strings.TrimPrefix(text, ".")
		if oid != "" && !validOID(oid) {
			return d.wrong(d.nameOf(fTrapOID), fault.InvalidField, "is not an object identifier: use dotted numbers like 1.3.6.1.4.1.9")
		}
		d.event.TrapOID = oid
	}
	variables, varbinds := d.doc.known[fVariables], d.doc.known[fVarbinds]
	switch {
	case variables.end > 0 && varbinds.end > 0:
		return d.wrong(fVarbinds.name(), fault.InvalidField, "is another name of variables: send one of the two")
	case variables.end > 0:
		return d.variables(fVariables, variables)
	case varbinds.end > 0:
		return d.variables(fVarbinds, varbinds)
	}
	return nil
}

// identity reads the sender's own ids.
func (d *Decoder) identity() error {
	if s := d.doc.known[fCorrelation]; s.end > 0 {
		if id, ok := d.scalar(s); ok && d.opts.SaneID(id) {
			d.event.CorrelationID = id
		}
	}
	s := d.doc.known[fID]
	if s.end == 0 {
		return nil
	}
	if d.body[s.start] == '"' {
		if id, ok := uuidText(d.unquote(s)); ok {
			d.event.SenderID = id
			return nil
		}
	}
	return d.wrong(d.nameOf(fID), fault.InvalidField, "must be a UUID, for example 0198c5b2-7d4e-7a3c-9f10-2b8d6e4f1a05")
}

// keep puts a known field into Fields under the name that the sender gave it.
func (d *Decoder) keep(f field) {
	d.openField()
	d.fields = append(append(append(d.fields, '"'), d.nameOf(f)...), '"', ':')
	s := d.doc.known[f]
	d.fields = appendCompact(d.fields, d.body[s.start:s.end])
}

// rest puts every unknown member into Fields.
func (d *Decoder) rest() {
	for _, m := range d.doc.other {
		d.openField()
		d.fields = append(append(d.fields, d.body[m.name.start:m.name.end]...), ':')
		d.fields = appendCompact(d.fields, d.body[m.value.start:m.value.end])
	}
	if len(d.fields) > 0 {
		d.fields = append(d.fields, '}')
		d.event.Fields = view(d.fields)
	}
}

func (d *Decoder) openField() {
	c := byte(',')
	if len(d.fields) == 0 {
		c = '{'
	}
	d.fields = append(d.fields, c)
}

// wrong makes the error about a field of the present event; an empty name means the event itself.
func (d *Decoder) wrong(name string, code fault.Code, format string, args ...any) error {
	e := fault.Field(code, name, format, args...)
	if d.batch {
		return d.named(e)
	}
	return e
}

// named puts the event's index before an error's field.
func (d *Decoder) named(err error) error {
	e, ok := fault.As(err)
	if !ok {
		return err
	}
	at := fmt.Sprintf("events[%d]", d.index)
	if e.Field != "" {
		at += "." + e.Field
	}
	named := *e
	named.Field = at
	return &named
}

// kindOf names the kind of the JSON value that begins with c, for messages.
func kindOf(c byte) string {
	switch c {
	case '"':
		return "a string"
	case '{':
		return "an object"
	case '[':
		return "an array"
	case 't', 'f':
		return "a boolean"
	case 'n':
		return "null"
	default:
		return "a number"
	}
}
