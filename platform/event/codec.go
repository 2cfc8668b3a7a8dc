package event

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/klauspost/compress/s2"
)

// The batch format, version 1:
//
//	byte 0..1  'M' 'T'
//	byte 2     version
//	byte 3     flags: bit 0 body is s2-compressed, bit 1 records are alerts
//	uvarint    number of records
//	uvarint    length of the records in bytes, uncompressed
//	rest       the records, each a uvarint length and a body
//
// An event record is: ID (16 bytes), source, severity and facility (one byte each), ReceivedAt (varint),
// Timestamp minus ReceivedAt (varint), then the texts in the order of Event, each a uvarint length and bytes,
// the variables after TrapOID preceded by their number. An alert record is a decision followed by an event.
// A later version of the format may append fields to a record: readers ignore what follows the known ones.
const (
	codecVersion   = 1
	flagCompressed = 1 << 0
	flagAlerts     = 1 << 1

	// compressAbove is the size from which s2 is worth its time.
	compressAbove = 512
	// MaxDecoded bounds the memory that a (damaged) batch can ask for, in bytes.
	MaxDecoded = 64 << 20
)

// Errors of decoding.
var (
	// ErrCorrupt says that the bytes are no batch.
	ErrCorrupt = errors.New("batch is corrupt")
	// ErrNewerVersion says that a newer MUTT wrote the batch: release it, never dead-letter it.
	ErrNewerVersion = errors.New("batch was written by a newer version")
)

// AppendRecord appends one event record, with its length, to dst.
func AppendRecord(dst []byte, e *Event) []byte {
	return framed(dst, func(b []byte) []byte { return appendEvent(b, e) })
}

// AppendAlertRecord appends one alert record, with its length, to dst.
func AppendAlertRecord(dst []byte, a *Alert) []byte {
	return framed(dst, func(b []byte) []byte { return appendEvent(appendDecision(b, &a.Decision), &a.Event) })
}

// framed leaves room for a 3-byte length (records up to 2 MiB), which a padded uvarint fills.
func framed(dst []byte, body func([]byte) []byte) []byte {
	at := len(dst)
	dst = body(append(dst, 0, 0, 0))
	n := len(dst) - at - 3
	if n >= 1<<21 {
		panic("event: record over 2 MiB") // intake bounds an event to 256 KiB long before this
	}
	dst[at], dst[at+1], dst[at+2] = byte(n)|0x80, byte(n>>7)|0x80, byte(n>>14)
	return dst
}

// Seal makes a batch of n event records (the concatenation of what AppendRecord made).
func Seal(records []byte, n int) []byte { return seal(records, n, 0) }

// SealAlerts makes a batch of n alert records.
func SealAlerts(records []byte, n int) []byte { return seal(records, n, flagAlerts) }

func seal(records []byte, n int, flags byte) []byte {
	out := make([]byte, 0, 24+s2.MaxEncodedLen(len(records)))
	out = append(out, 'M', 'T', codecVersion, flags)
	out = binary.AppendUvarint(out, uint64(n))
	out = binary.AppendUvarint(out, uint64(len(records)))
	if len(records) < compressAbove {
		return append(out, records...)
	}
	packed := s2.Encode(out[len(out):cap(out)], records)
	if len(packed) >= len(records) {
		return append(out, records...)
	}
	out[3] |= flagCompressed
	return append(out, packed...)
}

// EncodeEvents makes a batch of whole events.
func EncodeEvents(events []Event) []byte {
	var records []byte
	for i := range events {
		records = AppendRecord(records, &events[i])
	}
	return Seal(records, len(events))
}

// EncodeAlerts makes a batch of whole alerts.
func EncodeAlerts(alerts []Alert) []byte {
	var records []byte
	for i := range alerts {
		records = AppendAlertRecord(records, &alerts[i])
	}
	return SealAlerts(records, len(alerts))
}

// DecodeEvents reads a batch of events, appending to dst (which may be nil).
func DecodeEvents(dst []Event, batch []byte) ([]Event, error) {
	text, n, err := open(batch, 0)
	if err != nil {
		return dst, err
	}
	r := reader{s: text}
	for i := range n {
		rec := reader{s: r.text()}
		dst = append(dst, Event{})
		rec.event(&dst[len(dst)-1])
		if r.bad || rec.bad {
			return dst[:len(dst)-1], fmt.Errorf("record %d of %d: %w", i, n, ErrCorrupt)
		}
	}
	return dst, r.end()
}

// DecodeAlerts reads a batch of alerts, appending to dst (which may be nil).
func DecodeAlerts(dst []Alert, batch []byte) ([]Alert, error) {
	text, n, err := open(batch, flagAlerts)
	if err != nil {
		return dst, err
	}
	r := reader{s: text}
	for i := range n {
		rec := reader{s: r.text()}
		dst = append(dst, Alert{})
		a := &dst[len(dst)-1]
		rec.decision(&a.Decision)
		rec.event(&a.Event)
		if r.bad || rec.bad {
			return dst[:len(dst)-1], fmt.Errorf("record %d of %d: %w", i, n, ErrCorrupt)
		}
	}
	return dst, r.end()
}

// Count gives the number of records of a batch without decoding them.
func Count(batch []byte) (int, error) {
	_, n, _, err := header(batch)
	return n, err
}

// DecodedLen returns the size of a batch's records in bytes, uncompressed, without decoding them.
func DecodedLen(batch []byte) (int, error) {
	_, _, size, err := header(batch)
	return size, err
}

// header reads what precedes the records.
func header(batch []byte) (flags byte, n, size int, err error) {
	if len(batch) < 4 || batch[0] != 'M' || batch[1] != 'T' {
		return 0, 0, 0, ErrCorrupt
	}
	if batch[2] > codecVersion {
		return 0, 0, 0, ErrNewerVersion
	}
	r := reader{s: string(batch[4:min(len(batch), 4+2*binary.MaxVarintLen64)])}
	records, length := r.uvarint(), r.uvarint()
	// A record is at least one byte, so more records than bytes is a lie that would cost memory.
	if r.bad || batch[2] == 0 || length > MaxDecoded || records > length {
		return 0, 0, 0, ErrCorrupt
	}
	return batch[3], int(records), int(length), nil
}

// open checks the header and gives the uncompressed records.
func open(batch []byte, kind byte) (text string, n int, err error) {
	flags, n, size, err := header(batch)
	if err != nil {
		return "", 0, err
	}
	if flags&flagAlerts != kind {
		return "", 0, fmt.Errorf("events and alerts confused: %w", ErrCorrupt)
	}
	r := reader{s: string(batch[4:min(len(batch), 4+2*binary.MaxVarintLen64)])}
	r.uvarint()
	r.uvarint()
	body := batch[4+r.i:]
	if flags&flagCompressed != 0 {
		if got, err := s2.DecodedLen(body); err != nil || got != size {
			return "", 0, ErrCorrupt
		}
		if body, err = s2.Decode(make([]byte, size), body); err != nil {
			return "", 0, fmt.Errorf("%w: %w", ErrCorrupt, err)
		}
		return viewString(body), n, nil
	}
	if len(body) != size {
		return "", 0, ErrCorrupt
	}
	return string(body), n, nil
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendEvent(b []byte, e *Event) []byte {
	b = append(b, e.ID[:]...)
	b = append(b, byte(e.Source), byte(e.Severity), byte(e.Facility))
	b = binary.AppendVarint(b, e.ReceivedAt)
	b = binary.AppendVarint(b, e.Timestamp-e.ReceivedAt)
	for _, s := range [...]string{e.Hostname, e.Message, e.CorrelationID, e.SenderID, e.SourceType, e.SourceIP,
		e.AppName, e.ProcID, e.MsgID, e.TrapOID} {
		b = appendText(b, s)
	}
	b = binary.AppendUvarint(b, uint64(len(e.Variables)))
	for i := range e.Variables {
		v := &e.Variables[i]
		b = appendText(appendText(appendText(b, v.OID), v.Type), v.Value)
	}
	return appendText(appendText(b, e.Fields), e.TraceParent)
}

func appendDecision(b []byte, d *Decision) []byte {
	dev := byte(0)
	if d.Dev {
		dev = 1
	}
	b = append(b, byte(d.Fate), byte(d.Handling), dev, byte(d.Severity))
	b = binary.AppendVarint(b, d.RuleID)
	b = binary.AppendVarint(b, d.RulesetVersion)
	return appendText(appendText(appendText(b, d.RuleName), d.Team), d.Signature)
}

// reader walks over a text; after a fault it stays bad and gives zero values.
type reader struct {
	s   string
	i   int
	bad bool
}

func (r *reader) uvarint() uint64 {
	var v uint64
	for shift := 0; r.i < len(r.s) && shift < 64; shift += 7 {
		c := r.s[r.i]
		r.i++
		v |= uint64(c&0x7f) << shift
		if c < 0x80 {
			return v
		}
	}
	r.bad = true
	return 0
}

func (r *reader) varint() int64 {
	u := r.uvarint()
	return int64(u>>1) ^ -int64(u&1)
}

func (r *reader) bytes(n uint64) string {
	if r.bad || n > uint64(len(r.s)-r.i) {
		r.bad = true
		return ""
	}
	s := r.s[r.i : r.i+int(n)]
	r.i += int(n)
	return s
}

func (r *reader) byte() byte {
	if s := r.bytes(1); s != "" {
		return s[0]
	}
	return 0
}

func (r *reader) text() string { return r.bytes(r.uvarint()) }

func (r *reader) event(e *Event) {
	copy(e.ID[:], r.bytes(16))
	e.Source, e.Severity, e.Facility = Source(r.byte()), int8(r.byte()), int8(r.byte())
	e.ReceivedAt = r.varint()
	e.Timestamp = e.ReceivedAt + r.varint()
	for _, p := range [...]*string{&e.Hostname, &e.Message, &e.CorrelationID, &e.SenderID, &e.SourceType, &e.SourceIP,
		&e.AppName, &e.ProcID, &e.MsgID, &e.TrapOID} {
		*p = r.text()
	}
	n := r.uvarint()
	if n > uint64(len(r.s)-r.i)/3 { // a variable is at least three bytes
		r.bad = r.bad || n > 0
		return
	}
	if n > 0 {
		e.Variables = make([]Variable, n)
		for i := range e.Variables {
			e.Variables[i] = Variable{OID: r.text(), Type: r.text(), Value: r.text()}
		}
	}
	e.Fields, e.TraceParent = r.text(), r.text()
}

func (r *reader) decision(d *Decision) {
	d.Fate, d.Handling, d.Dev, d.Severity = Fate(r.byte()), Handling(r.byte()), r.byte() == 1, int8(r.byte())
	d.RuleID, d.RulesetVersion = r.varint(), r.varint()
	d.RuleName, d.Team, d.Signature = r.text(), r.text(), r.text()
}

func (r *reader) end() error {
	if r.bad || r.i != len(r.s) {
		return fmt.Errorf("%d bytes after the last record: %w", len(r.s)-r.i, ErrCorrupt)
	}
	return nil
}
