package syslog

import (
	"bytes"
	"io"
)

const (
	firstBuffer = 8 << 10   // of a new connection
	busyBuffer  = 128 << 10 // up to which the buffer of a busy connection grows, so that reads and batches are large
	lookahead   = 64        // bytes beyond a message that may be needed to decide where it ends
)

// dropCause says why the framer dropped bytes.
type dropCause uint8

const (
	dropPadding  dropCause = iota // a BOM or blanks before a message
	dropGarbage                   // bytes that belong to no message
	dropOversize                  // the rest of a message that is longer than the maximum
	dropCauses
)

var dropNames = [dropCauses]string{"padding", "garbage", "oversize"}

// framer cuts the bytes of one TCP connection into messages (RFC 6587). It keeps no memory of how the connection
// framed its earlier messages; every frame is decided by the bytes themselves:
//
//   - "MSG-LEN SP <PRI>" begins an octet-counted frame (section 3.4.1), and nothing less does (see weigh for a count
//     that what follows contradicts);
//   - "<PRI>" begins a line, which ends at the next LF or NUL (section 3.4.2). Those, and CR, are skipped between frames;
//   - a BOM and blanks before either are padding;
//   - other bytes are a line without a PRI when a terminator ends them. When the signature of a frame comes first,
//     they are garbage and are dropped: they cost the connection nothing of what follows.
//
// A frame over max bytes is cut and its rest skipped. At the end of the stream the last frame needs no end.
// The buffer never exceeds max plus lookahead, or busyBuffer, and no byte is scanned more than a constant number of times.
type framer struct {
	buf      []byte
	r, w     int // unread bytes are buf[r:w]
	max      int
	seen     int  // so many unread bytes are known to hold neither the end of the frame nor another signature
	unsure   bool // the line at r was found within garbage: an octet count ends it too
	skip     int  // octets of an over-long counted frame still to come
	skipLine bool // the rest of an over-long line is still to come
	unsigned bool // that line had no PRI: another line may begin within it

	counted bool // the last frame was octet-counted

	dropped [dropCauses]int // bytes; the owner takes them from here
}

func newFramer(maxMessage int) *framer {
	return &framer{buf: make([]byte, firstBuffer), max: maxMessage}
}

// fill reads once. It overwrites the frames returned before, and must be called only when next has no more.
func (f *framer) fill(r io.Reader) error {
	full := f.w == len(f.buf)
	if full || f.r >= f.w-f.r { // bytes are moved seldom, so that a peer that sends single bytes costs linear time
		f.w = copy(f.buf, f.buf[f.r:f.w])
		f.r = 0
	}
	if limit := bufferLimit(f.max); full && len(f.buf) < limit {
		grown := make([]byte, min(2*len(f.buf), limit))
		copy(grown, f.buf[:f.w])
		f.buf = grown
	}
	n, err := r.Read(f.buf[f.w:])
	f.w += n
	return err
}

func bufferLimit(maxMessage int) int { return max(busyBuffer, maxMessage+2*lookahead) }

// next returns the next frame, without its end; ok is false when more must be read first. eof says that nothing
// more comes. The frame is valid until fill.
func (f *framer) next(eof bool) (frame []byte, truncated, ok bool) {
	for {
		f.skipRest(eof)
		data := f.buf[f.r:f.w]
		if len(data) == 0 || f.skip > 0 || f.skipLine {
			return nil, false, false
		}
		if separates(data[0]) {
			f.take(1)
			continue
		}
		var count, header int
		counted, signed := no, no
		if data[0] == '<' {
			_, signed = priAt(data)
		} else if blank := padding(data); blank > 0 {
			at := begins(data, eof, false)
			if at == more {
				return nil, false, false
			}
			if at == yes {
				f.drop(dropPadding, blank)
				continue
			}
		} else {
			count, header, counted = countAt(data)
		}
		if !eof && (counted == more || signed == more) {
			return nil, false, false
		}
		var again bool
		if f.counted = counted == yes; f.counted {
			frame, truncated, ok, again = f.octets(data, header, count, eof)
		} else {
			frame, truncated, ok, again = f.line(data, signed == yes, eof)
		}
		if !again {
			return frame, truncated, ok
		}
	}
}

// take consumes n bytes, which end what was being decided.
func (f *framer) take(n int) {
	f.r += n
	f.seen = 0
	f.unsure = false
}

func (f *framer) drop(why dropCause, n int) {
	f.dropped[why] += n
	f.take(n)
}

// octets returns a counted frame, whose header of so many bytes is at the start of data; again says that bytes were
// dropped instead.
func (f *framer) octets(data []byte, header, count int, eof bool) (frame []byte, truncated, ok, again bool) {
	body := data[header:]
	if count > f.max { // the end is out of sight: another signature within the message shows that the count is wrong
		window := body[:min(len(body), f.max)]
		end, next, resume := embedded(window, max(1, f.seen))
		switch {
		case end >= 0:
			f.take(header + next)
			return body[:end], false, true, false
		case len(body) < f.max && !eof:
			f.seen = resume
			return nil, false, false, false
		}
		f.take(header + len(window))
		f.skip = count - len(window)
		return window, true, true, false
	}
	whole := len(body) >= count
	if !whole && !eof {
		return nil, false, false, false
	}
	n, after := min(count, len(body)), no
	if whole {
		after = begins(body[count:], eof, false)
	}
	if after != yes {
		garbage, end, next, doubt := weigh(data[:header], body, n, eof)
		switch {
		case doubt != no && (after == more || doubt == more):
			return nil, false, false, false
		case garbage > 0:
			f.drop(dropGarbage, garbage)
			return nil, false, false, true
		case doubt == yes:
			f.take(header + next)
			return body[:end], false, true, false
		}
	}
	f.take(header + n)
	return body[:n], !whole, true, false
}

// weigh looks for another reading of a counted frame that is not followed by the beginning of a frame: digits of
// garbage before the count, when the count without them is followed by one, or the signature of a frame within the body.
// Without either (doubt is no) the count is believed, because what follows it can only be garbage. garbage is the number
// of digits to drop; otherwise the frame ends at body[end] and the next one begins at body[next].
func weigh(header, body []byte, n int, eof bool) (garbage, end, next int, doubt verdict) {
	digits := len(header) - 1
	pri, _ := signedAt(body)
	for d := 1; d < digits; d++ {
		count := number(header[d:digits])
		if header[d] == '0' || count < pri || count > len(body) {
			continue
		}
		switch begins(body[count:], eof, true) {
		case yes:
			return d, 0, 0, yes
		case more:
			doubt = more
		}
	}
	window := body[:min(len(body), n+lookahead/2)] // the other signature may go beyond the body
	end, next, resume := embedded(window, 1)
	switch {
	case doubt == more:
	case end >= 0 && end < n:
		doubt = yes
	case end < 0 && resume < min(len(window), n) && !eof:
		doubt = more
	}
	return 0, end, next, doubt
}

// line returns a frame that ends at a terminator or, when it is not certain that a line begins here, before the
// signature of a counted frame. again says that garbage was dropped instead.
func (f *framer) line(data []byte, signed, eof bool) (frame []byte, truncated, ok, again bool) {
	var at, next int
	if signed && !f.unsure {
		at, next = lineEnd(data, f.seen)
		f.seen = len(data)
	} else {
		at, next, f.seen = nextFrame(data, max(1, f.seen), !signed, eof)
	}
	switch {
	case at >= 0 && at <= f.max && next == at && !signed:
		line := data[at] == '<'
		f.drop(dropGarbage, at)
		f.unsure = line
		return nil, false, false, true
	case at >= 0 && at <= f.max:
		f.take(next)
		return data[:at], false, true, false
	case at >= 0 || len(data) > f.max+lookahead || eof && len(data) > f.max:
		f.take(f.max)
		f.skipLine, f.unsigned = true, !signed
		return data[:f.max], true, true, false
	case eof:
		f.take(len(data))
		return data, false, true, false
	}
	return nil, false, false, false
}

// skipRest drops what is left of an over-long frame.
func (f *framer) skipRest(eof bool) {
	data := f.buf[f.r:f.w]
	switch {
	case f.skip > 0:
		window := data[:min(f.skip, len(data))]
		end, next, resume := embedded(window, max(1, f.seen))
		switch {
		case end >= 0: // the count was wrong
			f.drop(dropOversize, end)
			f.take(next - end)
			f.skip = 0
		case len(window) == f.skip || eof:
			f.drop(dropOversize, len(window))
			f.skip -= len(window)
		default:
			f.skip -= f.keepTail(resume)
		}
	case f.skipLine:
		at, next, resume := nextFrame(data, f.seen, f.unsigned, eof)
		switch {
		case at >= 0:
			line := next == at && data[at] == '<'
			f.drop(dropOversize, at)
			f.take(next - at)
			f.skipLine, f.unsure = false, line
		case eof:
			f.drop(dropOversize, len(data))
		default:
			f.keepTail(resume)
		}
	}
}

// keepTail drops what was scanned up to resume, except for an octet count that may be before it, and returns how much.
func (f *framer) keepTail(resume int) int {
	n := max(0, resume-maxCountDigits-2-len("\ufeff"))
	f.drop(dropOversize, n)
	f.seen = resume - n
	return n
}

// lineEnd returns where a line ends and where the next frame begins, or -1.
func lineEnd(data []byte, from int) (end, next int) {
	rest := data[from:]
	end = bytes.IndexByte(rest, '\n')
	if end >= 0 {
		rest = rest[:end]
	}
	if nul := bytes.IndexByte(rest, 0); nul >= 0 {
		end = nul
	}
	if end < 0 {
		return -1, -1
	}
	return from + end, from + end + 1
}
