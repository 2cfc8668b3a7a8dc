package store

import (
	"bytes"
	"encoding/binary"
	"unicode/utf8"

	"github.com/muttproject/mutt/platform/event"
)

// copyAudit takes rows in PostgreSQL's binary format (its manual, section COPY), in the order of appendCopyRow.
const copyAudit = `COPY event_audit (id, received_at, event_timestamp, ruleset_version, matched_rule_id, source, severity,
	syslog_severity, handling, fate, environment, hostname, rule_name, team, signature, correlation_id, raw_message)
	FROM STDIN BINARY`

const (
	copyHeader  = "PGCOPY\n\xff\r\n\x00\x00\x00\x00\x00\x00\x00\x00\x00"
	copyTrailer = "\xff\xff"
	copyLength  = "\x00\x00\x00\x00" // the place of a field's length
)

// copyRows is a COPY in the making; it is used again and again.
type copyRows struct {
	buf     []byte // header, rows, trailer
	ends    []int  // where each row ends
	dropped []bool // by row
	drops   int
	some    []byte // like buf, without the dropped rows
}

// encode encodes the rows of entries.
func (c *copyRows) encode(entries []JudgedEntry) {
	c.buf, c.ends = append(c.buf[:0], copyHeader...), c.ends[:0]
	for i := range entries {
		for k := range entries[i].Rows {
			c.buf = appendCopyRow(c.buf, &entries[i].Rows[k])
			c.ends = append(c.ends, len(c.buf))
		}
	}
	c.buf = append(c.buf, copyTrailer...)
	c.dropped = append(c.dropped[:0], make([]bool, len(c.ends))...)
}

func (c *copyRows) dropNone() {
	clear(c.dropped)
	c.drops = 0
}

// drop takes the rows from (inclusive) to (exclusive) out of the stream.
func (c *copyRows) drop(from, to int) {
	for i := from; i < to; i++ {
		if !c.dropped[i] {
			c.dropped[i] = true
			c.drops++
		}
	}
}

// stream gives what is sent, nothing when there is no row. It is valid until the next call of encode.
func (c *copyRows) stream() []byte {
	switch c.drops {
	case len(c.ends):
		return nil
	case 0:
		return c.buf
	}
	c.some = append(c.some[:0], copyHeader...)
	start := len(copyHeader)
	for i, end := range c.ends {
		if !c.dropped[i] {
			c.some = append(c.some, c.buf[start:end]...)
		}
		start = end
	}
	c.some = append(c.some, copyTrailer...)
	return c.some
}

// appendCopyRow encodes a row.
func appendCopyRow(b []byte, r *AuditRow) []byte {
	e, d := r.Event, r.Decision
	b = binary.BigEndian.AppendUint16(b, rowColumns)
	b = append(binary.BigEndian.AppendUint32(b, uint32(len(e.ID))), e.ID[:]...)
	b = appendCopyInt8(b, e.ReceivedAt)
	b = appendCopyInt8(b, e.Timestamp)
	b = appendCopyInt8(b, d.RulesetVersion)
	if d.RuleID == 0 {
		b = appendCopyNull(b)
	} else {
		b = appendCopyInt8(b, d.RuleID)
	}
	b = appendCopyInt2(b, int16(e.Source))
	b = appendCopyInt2(b, int16(d.Severity))
	if e.Severity == event.Absent {
		b = appendCopyNull(b)
	} else {
		b = appendCopyInt2(b, int16(e.Severity))
	}
	b = appendCopyInt2(b, int16(d.Handling))
	b = appendCopyInt2(b, int16(d.Fate))
	b = appendCopyInt2(b, int16(number(d.Dev)))
	for _, text := range [...]string{e.Hostname, d.RuleName, d.Team, d.Signature, e.CorrelationID} {
		b = append(append(b, copyLength...), text...)
		b = sealCopyText(b, len(text))
	}
	start := len(b) + len(copyLength)
	b = event.AppendEventJSON(append(b, copyLength...), e)
	return sealCopyText(b, len(b)-start)
}

// Types are named as PostgreSQL names them, by their bytes.
func appendCopyInt8(b []byte, n int64) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint32(b, 8), uint64(n))
}

func appendCopyInt2(b []byte, n int16) []byte {
	return binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint32(b, 2), uint16(n))
}

func appendCopyNull(b []byte) []byte { return append(b, 0xff, 0xff, 0xff, 0xff) }

// sealCopyText writes the length before the n bytes at the end of b. It makes valid what PostgreSQL would refuse, and the
// whole COPY with it: no text makes a row bad.
func sealCopyText(b []byte, n int) []byte {
	text := b[len(b)-n:]
	if bytes.IndexByte(text, 0) >= 0 || !utf8.Valid(text) {
		valid := bytes.ReplaceAll(bytes.ToValidUTF8(text, []byte("\uFFFD")), []byte{0}, []byte("\uFFFD"))
		b, n = append(b[:len(b)-n], valid...), len(valid)
	}
	binary.BigEndian.PutUint32(b[len(b)-n-len(copyLength):], uint32(n))
	return b
}
