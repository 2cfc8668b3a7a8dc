package terminal

import (
	"bytes"
	"io"
	"sync"
	"unicode/utf8"
)

// Writer passes text on with its hostile characters escaped, but for line feeds and tabs. It may be used by several goroutines.
type Writer struct {
	under io.Writer

	mu      sync.Mutex
	out     bytes.Buffer // what is being written
	partial []byte       // the begin of a character that goes on in the next Write
}

// NewWriter returns a Writer to another one.
func NewWriter(w io.Writer) *Writer { return &Writer{under: w} }

// Unwrap returns the writer below, for what draws on a terminal and for whether it is one.
func (w *Writer) Unwrap() io.Writer { return w.under }

// Write implements io.Writer. An error of the writer below counts nothing as written.
func (w *Writer) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	text := p
	if len(w.partial) > 0 {
		text = append(w.partial, p...)
		w.partial = nil
	}
	end := whole(text)
	if end < len(text) {
		w.partial = bytes.Clone(text[end:])
		text = text[:end]
	}
	if clean(text) {
		if _, err := w.under.Write(text); err != nil {
			return 0, err
		}
		return len(p), nil
	}
	w.out.Reset()
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		switch {
		case r == '\n' || r == '\t' || !Hostile(r):
			w.out.WriteRune(r) // an invalid byte is utf8.RuneError
		default:
			escape(&w.out, r)
		}
		text = text[n:]
	}
	if _, err := w.under.Write(w.out.Bytes()); err != nil {
		return 0, err
	}
	return len(p), nil
}

// clean reports whether a text is printable ASCII with line feeds and tabs.
func clean(text []byte) bool {
	for _, c := range text {
		if c >= 0x7f || c < ' ' && c != '\n' && c != '\t' {
			return false
		}
	}
	return true
}
