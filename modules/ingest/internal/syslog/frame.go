package syslog

import (
	"bytes"
	"io"
)

const (
	firstBuffer = 8 << 10   // of a new connection
	busyBuffer  = 128 << 10 // up to which the buffer of a busy connection grows, so that reads and batches are large

	maxCountDigits = 7                  // a longer octet count is garbage: believing it would swallow the stream
	maxCountHeader = maxCountDigits + 1 // with the space
)

// framer cuts the bytes of one TCP connection into messages (RFC 6587), frame by frame:
//
//   - digits, a space and '<' begin an octet-counted frame (section 3.4.1); once the connection has sent one, digits
//     and a space are enough;
//   - anything else ends at the next LF or NUL (section 3.4.2). Those, and CR, are skipped between frames;
//   - garbage on a connection that counts octets also ends where the next octet count with its '<' begins, so that
//     one wrong count does not spoil the connection.
//
// A frame over max bytes is cut and its rest skipped. At the end of the stream the last frame needs no end.
// The buffer never exceeds max plus a header, or busyBuffer.
type framer struct {
	buf      []byte
	r, w     int // unread bytes are buf[r:w]
	max      int
	counted  bool // the connection has sent an octet-counted frame
	skip     int  // octets of an over-long counted frame still to come
	skipLine bool // the rest of an over-long line is still to come
}

func newFramer(maxMessage int) *framer {
	return &framer{buf: make([]byte, firstBuffer), max: maxMessage}
}

// fill reads once. It overwrites the frames given before, and must be called only when next has no more.
func (f *framer) fill(r io.Reader) error {
	full := f.w == len(f.buf)
	f.w = copy(f.buf, f.buf[f.r:f.w])
	f.r = 0
	if limit := max(busyBuffer, f.max+2*maxCountHeader); full && len(f.buf) < limit {
		grown := make([]byte, min(2*len(f.buf), limit))
		copy(grown, f.buf[:f.w])
		f.buf = grown
	}
	n, err := r.Read(f.buf[f.w:])
	f.w += n
	return err
}

// next gives the next frame, without its end; ok is false when more must be read first. eof says that nothing
// more comes. The frame is valid until fill.
func (f *framer) next(eof bool) (frame []byte, truncated, ok bool) {
	for {
		f.skipRest(eof)
		data := f.buf[f.r:f.w]
		if len(data) == 0 || f.skip > 0 || f.skipLine {
			return nil, false, false
		}
		if c := data[0]; c == '\n' || c == 0 || c == '\r' {
			f.r++
			continue
		}
		count, header, more := f.octetCount(data)
		switch {
		case more && !eof:
			return nil, false, false
		case header > 0:
			return f.octets(data[header:], count, eof)
		}
		return f.line(data, eof)
	}
}

// octetCount reads "MSG-LEN SP". header is its length, 0 when data does not begin with one; more says that this
// cannot be told yet.
func (f *framer) octetCount(data []byte) (count, header int, more bool) {
	if data[0] == '0' || !digit(data[0]) {
		return 0, 0, false
	}
	i := 0
	for ; i < len(data) && digit(data[i]); i++ {
		if i == maxCountDigits {
			return 0, 0, false
		}
		count = count*10 + int(data[i]-'0')
	}
	if i == len(data) {
		return 0, 0, true
	}
	if data[i] != ' ' {
		return 0, 0, false
	}
	if !f.counted {
		if i+1 == len(data) {
			return 0, 0, true
		}
		if data[i+1] != '<' {
			return 0, 0, false
		}
	}
	return count, i + 1, false
}

// octets gives a counted frame; data begins after the count.
func (f *framer) octets(data []byte, count int, eof bool) (frame []byte, truncated, ok bool) {
	n := min(count, f.max)
	if len(data) < n {
		if !eof {
			return nil, false, false
		}
		n, count = len(data), len(data)
		truncated = true
	}
	f.counted = true
	f.r = f.w - len(data) + n
	f.skip = count - n
	return data[:n], truncated || f.skip > 0, n > 0
}

// line gives a frame that ends at a terminator.
func (f *framer) line(data []byte, eof bool) (frame []byte, truncated, ok bool) {
	resync := f.counted && data[0] != '<'
	window := data[:min(len(data), f.max+1+maxCountHeader)]
	end, next := lineEnd(window, resync)
	switch {
	case end >= 0 && end <= f.max:
		f.r += next
		return data[:end], false, true
	case len(data) > f.max && (!resync || eof || len(data) > f.max+maxCountHeader):
		f.r += f.max
		f.skipLine = true
		return data[:f.max], true, true
	case eof:
		f.r = f.w
		return data, false, true
	}
	return nil, false, false
}

// skipRest drops what is left of an over-long frame.
func (f *framer) skipRest(eof bool) {
	if n := min(f.skip, f.w-f.r); n > 0 {
		f.r += n
		f.skip -= n
	}
	if !f.skipLine {
		return
	}
	data := f.buf[f.r:f.w]
	end, next := lineEnd(data, f.counted)
	switch {
	case end >= 0:
		f.r += next
		f.skipLine = false
	case f.counted && !eof:
		f.r += max(0, len(data)-maxCountHeader) // an octet count may have begun
	default:
		f.r = f.w
	}
}

// lineEnd finds where a line ends and where the next frame begins: at a terminator or, when resync is set, before
// digits that are followed by " <". end is -1 when neither is in data.
func lineEnd(data []byte, resync bool) (end, next int) {
	end = bytes.IndexByte(data, '\n')
	if end >= 0 {
		data = data[:end]
	}
	if nul := bytes.IndexByte(data, 0); nul >= 0 {
		end, data = nul, data[:nul]
	}
	next = end + 1
	for from := 0; resync; {
		i := bytes.Index(data[from:], []byte(" <"))
		if i < 0 {
			break
		}
		i += from
		start := i
		for start > 0 && i-start < maxCountDigits && digit(data[start-1]) {
			start--
		}
		for start < i && data[start] == '0' {
			start++
		}
		if start < i {
			return start, start
		}
		from = i + 1
	}
	return end, next
}
