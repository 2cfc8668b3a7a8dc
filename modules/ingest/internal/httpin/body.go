package httpin

import (
	"bytes"
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"os"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/muttproject/mutt/modules/ingest/internal/decode"
	"github.com/muttproject/mutt/platform/fault"
)

// formatOf reads Content-Type. None means JSON; a charset other than UTF-8 is refused.
func formatOf(h http.Header) (decode.Format, error) {
	text := h.Get("Content-Type")
	switch text {
	case "", "application/json":
		return decode.JSON, nil
	case "application/x-ndjson":
		return decode.NDJSON, nil
	}
	kind, params, err := mime.ParseMediaType(text)
	if err != nil {
		return 0, fault.New(fault.UnsupportedType, "the Content-Type is malformed")
	}
	switch charset := strings.ToLower(params["charset"]); charset {
	case "", "utf-8", "utf8", "us-ascii":
	default:
		return 0, fault.New(fault.UnsupportedType, "the charset %.40q is not understood: JSON is UTF-8", charset)
	}
	switch kind {
	case "application/json":
		return decode.JSON, nil
	case "application/x-ndjson", "application/ndjson", "application/jsonl", "application/jsonlines", "application/x-jsonlines":
		return decode.NDJSON, nil
	}
	return 0, fault.New(fault.UnsupportedType, "the Content-Type %.80q is not understood", kind).
		WithRemedy("send Content-Type: application/json or application/x-ndjson (with curl: -H 'Content-Type: application/json')")
}

const (
	// firstBuffer is what a buffer begins with, in bytes.
	firstBuffer = 8 << 10
	// maxWindow is the largest zstd window that a sender may ask for (RFC 9659 section 3).
	maxWindow = 8 << 20
)

// bodyReader reads bodies, plain or compressed, within limits. A body is received as a whole and then decompressed, so that
// memory is held for bytes that are here, and not for those that a slow client may still send.
type bodyReader struct {
	maxBody, maxDecoded int64
	memory              *memory
	gzips, zstds        *sync.Pool
	buffers             *sync.Pool // of *[]byte above free, at most maxPooledBody
}

func newBodyReader(maxBody, maxDecoded, maxMemory int64) bodyReader {
	return bodyReader{maxBody: maxBody, maxDecoded: maxDecoded, memory: newMemory(maxMemory), gzips: &sync.Pool{}, zstds: &sync.Pool{}, buffers: &sync.Pool{}}
}

// body is a request's body. Its buffers serve one request after the other.
type body struct {
	received, decoded buffer
	hold              hold
	wire              wire
}

// buffer grows with what is read into it.
type buffer struct {
	bytes []byte
	start []byte // it begins with this one, which is not counted
}

// maxPooledBody is the largest buffer that is kept for other requests.
const maxPooledBody = 1 << 20

// release gives back the memory of a body, of which nothing is needed any more.
func (b *bodyReader) release(in *body) {
	b.drop(&in.hold, &in.received)
	b.drop(&in.hold, &in.decoded)
}

// drop gives back the memory of a buffer.
func (b *bodyReader) drop(h *hold, of *buffer) {
	b.retire(h, of.bytes)
	of.bytes = of.start
}

// retire gives back a buffer that is counted.
func (b *bodyReader) retire(h *hold, buf []byte) {
	n := counted(buf)
	if n > 0 && n <= maxPooledBody {
		kept := buf // the variable escapes
		b.buffers.Put(&kept)
	}
	h.give(n)
}

// read reads the request's body into in and returns it decoded. release must be called afterwards, whatever read returns.
func (b *bodyReader) read(w http.ResponseWriter, req *http.Request, identity string, in *body) ([]byte, error) {
	in.hold = hold{of: b.memory, identity: identity}
	if req.ContentLength > b.maxBody {
		return nil, b.tooLong()
	}
	decode, err := b.decoder(req)
	if err != nil {
		return nil, err
	}
	ctx := req.Context()
	in.wire = wire{r: req.Body, client: w, hold: &in.hold}
	err = in.wire.end(b.fill(ctx, &in.hold, &in.received, &in.wire, b.maxBody, req.ContentLength))
	switch {
	case errors.Is(err, errOver):
		return nil, b.tooLong()
	case err != nil:
		return nil, unread(ctx, err)
	case decode == nil:
		return in.received.bytes, nil
	}
	err = decode(bytes.NewReader(in.received.bytes), func(r io.Reader) error { return b.fill(ctx, &in.hold, &in.decoded, r, b.maxDecoded, -1) })
	b.drop(&in.hold, &in.received)
	if errors.Is(err, errOver) {
		return nil, fault.New(fault.TooLarge, "the body is over %d bytes when it is decompressed", b.maxDecoded)
	}
	return in.decoded.bytes, unread(ctx, err)
}

// unread is the answer to a body that cannot be read to its end; nil for one that was.
func unread(ctx context.Context, err error) error {
	if _, ok := fault.As(err); ok || err == nil {
		return err
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return fault.Wrap(fault.TooSlow, err, "the body did not come in time")
	}
	if ctx.Err() != nil || errors.Is(err, io.ErrUnexpectedEOF) {
		return fault.Wrap(fault.BadRequest, err, "the body ended too early")
	}
	return fault.Wrap(fault.BadRequest, err, "the body cannot be read or decompressed")
}

func (b *bodyReader) tooLong() error {
	return fault.New(fault.TooLarge, "the body is over %d bytes", b.maxBody)
}

// decoder returns what undoes the Content-Encoding and hands the plain text to read; nil when there is none to undo.
func (b *bodyReader) decoder(req *http.Request) (func(r io.Reader, read func(io.Reader) error) error, error) {
	switch encoding := strings.ToLower(strings.TrimSpace(req.Header.Get("Content-Encoding"))); encoding {
	case "", "identity":
		return nil, nil
	case "gzip", "x-gzip":
		return b.gunzip, nil
	case "zstd":
		return b.unzstd, nil
	default:
		return nil, fault.New(fault.UnsupportedType, "the Content-Encoding %.40q is not understood", encoding)
	}
}

func (b *bodyReader) gunzip(r io.Reader, read func(io.Reader) error) error {
	z, _ := b.gzips.Get().(*gzip.Reader)
	if z == nil {
		z = new(gzip.Reader)
	}
	defer b.gzips.Put(z)
	if err := z.Reset(r); err != nil {
		return err
	}
	return read(z)
}

func (b *bodyReader) unzstd(r io.Reader, read func(io.Reader) error) error {
	z, _ := b.zstds.Get().(*zstd.Decoder)
	if z == nil {
		var err error
		// Concurrency 1 decodes in the caller's goroutine, so a pooled decoder that is dropped leaks nothing.
		z, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return err
		}
	}
	defer b.zstds.Put(z)
	if err := z.Reset(r); err != nil {
		return err
	}
	return read(z)
}

// errOver ends the reading of what is longer than it may be.
var errOver = errors.New("over the limit")

// fill reads to the end. size is what was announced, or less than 0.
func (b *bodyReader) fill(ctx context.Context, h *hold, into *buffer, r io.Reader, limit, size int64) error {
	if need := size + 1; need > int64(cap(into.start)) && need <= free {
		into.start = make([]byte, 0, need)
	}
	into.bytes = into.start[:0]
	for {
		buf := into.bytes
		if len(buf) == cap(buf) {
			if err := b.grow(ctx, h, into, min(max(2*cap(buf), firstBuffer), int(limit)+1)); err != nil {
				return err
			}
			buf = into.bytes
		}
		n, err := r.Read(buf[len(buf):cap(buf)])
		if into.bytes = buf[:len(buf)+n]; int64(len(into.bytes)) > limit {
			return errOver
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// grow moves what was read to a buffer of at least size bytes. While it is copied both are counted.
func (b *bodyReader) grow(ctx context.Context, h *hold, of *buffer, size int) error {
	old := of.bytes
	if size <= free {
		of.start = append(make([]byte, 0, size), old...)
		of.bytes = of.start
		return nil
	}
	var grown []byte
	if kept, _ := b.buffers.Get().(*[]byte); kept != nil && cap(*kept) >= size {
		grown, size = *kept, cap(*kept)
	}
	if err := h.take(ctx, int64(size)); err != nil {
		return err
	}
	if grown == nil {
		grown = make([]byte, 0, size)
	}
	of.bytes = append(grown[:0], old...)
	b.retire(h, old)
	return nil
}
