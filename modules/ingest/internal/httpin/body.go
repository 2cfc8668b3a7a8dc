package httpin

import (
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
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
	// firstBuffer is what a body of unknown or large size begins with, in bytes.
	firstBuffer = 8 << 10
	// small is the size that a body may reach without waiting its turn.
	small = 1 << 20
	// turns is how many bodies above small are in memory at once: it bounds what a crowd of bombs can cost.
	turns = 4
	// maxWindow is the largest zstd window that a sender may ask for (RFC 9659 section 3).
	maxWindow = 8 << 20
)

// bodyReader reads bodies, plain or compressed, within limits.
type bodyReader struct {
	maxBody, maxDecoded int64
	turn                chan struct{}
	gzips, zstds        *sync.Pool
}

func newBodyReader(maxBody, maxDecoded int64) bodyReader {
	return bodyReader{maxBody: maxBody, maxDecoded: maxDecoded, turn: make(chan struct{}, turns),
		gzips: &sync.Pool{}, zstds: &sync.Pool{}}
}

// errWire ends the reading of a body that is too long.
var errWire = errors.New("body over the limit")

// wire lets at most left bytes through.
type wire struct {
	r    io.Reader
	left int64
	over bool
}

func (w *wire) Read(p []byte) (int, error) {
	if int64(len(p)) > w.left+1 {
		p = p[:w.left+1]
	}
	n, err := w.r.Read(p)
	if w.left -= int64(n); w.left < 0 {
		w.over = true
		return 0, errWire
	}
	return n, err
}

// read appends the request's decoded body to buf. done must be called when the body is no longer needed.
func (b *bodyReader) read(req *http.Request, buf []byte) (body []byte, done func(), err error) {
	done = func() {}
	if req.ContentLength > b.maxBody {
		return buf, done, b.tooLong()
	}
	w := &wire{r: req.Body, left: b.maxBody}
	plain, limit, closer, err := b.decoder(req, w)
	if err == nil {
		if need := int(req.ContentLength) + 1; need > cap(buf) && need <= small {
			buf = make([]byte, 0, need)
		}
		buf, done, err = b.fill(req.Context(), plain, buf, limit)
		closer()
	}
	switch {
	case err == nil:
		return buf, done, nil
	case w.over:
		return buf, done, b.tooLong()
	}
	if _, ok := fault.As(err); ok {
		return buf, done, err
	}
	if req.Context().Err() != nil || errors.Is(err, io.ErrUnexpectedEOF) {
		return buf, done, fault.Wrap(fault.BadRequest, err, "the body ended too early")
	}
	return buf, done, fault.Wrap(fault.BadRequest, err, "the body cannot be read or decompressed")
}

func (b *bodyReader) tooLong() error {
	return fault.New(fault.TooLarge, "the body is over %d bytes", b.maxBody)
}

// decoder undoes the Content-Encoding. closer gives what was borrowed back.
func (b *bodyReader) decoder(req *http.Request, w *wire) (r io.Reader, limit int64, closer func(), err error) {
	switch encoding := strings.ToLower(strings.TrimSpace(req.Header.Get("Content-Encoding"))); encoding {
	case "", "identity":
		return w, b.maxBody, func() {}, nil
	case "gzip", "x-gzip":
		z, _ := b.gzips.Get().(*gzip.Reader)
		if z == nil {
			z = new(gzip.Reader)
		}
		return z, b.maxDecoded, func() { b.gzips.Put(z) }, z.Reset(w)
	case "zstd":
		z, _ := b.zstds.Get().(*zstd.Decoder)
		if z == nil {
			// Concurrency 1 decodes in the caller's goroutine, so a pooled decoder that is dropped leaks nothing.
			z, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
				zstd.WithDecoderMaxWindow(maxWindow))
			if err != nil {
				return nil, 0, nil, err
			}
		}
		return z, b.maxDecoded, func() { b.zstds.Put(z) }, z.Reset(w)
	default:
		return nil, 0, nil, fault.New(fault.UnsupportedType, "the Content-Encoding %.40q is not understood", encoding)
	}
}

// fill reads to the end, growing with what comes. A body above small waits for its turn.
func (b *bodyReader) fill(ctx context.Context, r io.Reader, buf []byte, limit int64) (body []byte, done func(), err error) {
	done = func() {}
	waited := false
	for {
		if len(buf) == cap(buf) {
			if len(buf) >= small && !waited {
				select {
				case b.turn <- struct{}{}:
					waited, done = true, func() { <-b.turn }
				case <-ctx.Done():
					return buf, done, ctx.Err()
				}
			}
			grown := make([]byte, len(buf), min(max(2*cap(buf), firstBuffer), int(limit)+1))
			copy(grown, buf)
			buf = grown
		}
		n, err := r.Read(buf[len(buf):cap(buf)])
		if buf = buf[:len(buf)+n]; int64(len(buf)) > limit {
			return buf, done, fault.New(fault.TooLarge, "the body is over %d bytes when it is decompressed", limit)
		}
		if err == io.EOF {
			return buf, done, nil
		}
		if err != nil {
			return buf, done, err
		}
	}
}
