package httpin

import (
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/muttproject/mutt/platform/fault"
)

// A body that holds memory must come at least at leastRate, which is looked at each paceWindow: others may wait for the memory.
const (
	leastRate  = 16 << 10 // bytes/s
	paceWindow = 5 * time.Second
)

// wire is a body as it comes from the client.
type wire struct {
	r      io.Reader
	client http.ResponseWriter
	hold   *hold
	pace   *pace // from the first read that is made while memory is held
}

func (w *wire) Read(buf []byte) (int, error) {
	if w.pace == nil && w.hold.bytes > 0 { // changed by this goroutine alone
		w.pace = watch(http.NewResponseController(w.client).SetReadDeadline)
	}
	if w.pace == nil {
		return w.r.Read(buf)
	}
	w.pace.begin()
	n, err := w.r.Read(buf)
	w.pace.add(n)
	return n, err
}

// end ends the watch. It returns err, or why the reading failed with it.
func (w *wire) end(err error) error {
	if w.pace == nil || !w.pace.stop() || err == nil {
		return err
	}
	return fault.Wrap(fault.TooSlow, err, "the body came at less than %d bytes/s while it held memory that others may need", leastRate)
}

// pace watches how fast a body comes. Time in which nobody reads is not the client's: its body waits for memory.
type pace struct {
	deadline func(time.Time) error // of reading from the client

	mu             sync.Mutex
	timer          *time.Timer // ends the window
	bytes          int         // that came in the window
	reading        bool
	paused         time.Time // when the last read ended
	ended, tooSlow bool
}

func watch(deadline func(time.Time) error) *pace {
	p := &pace{deadline: deadline, paused: time.Now()}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.timer = time.AfterFunc(paceWindow, p.look)
	return p
}

// begin notes that a read waits for the client.
func (p *pace) begin() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reading = true
	if time.Since(p.paused) > paceWindow/10 {
		p.another()
	}
}

// add notes what a read has brought.
func (p *pace) add(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reading, p.paused = false, time.Now()
	p.bytes += n
}

// another begins a window.
func (p *pace) another() {
	p.bytes = 0
	p.timer.Reset(paceWindow)
}

// look ends a window. Reading from a client that was too slow fails from now on.
func (p *pace) look() {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.ended || p.tooSlow:
	case p.reading && p.bytes < leastRate*int(paceWindow/time.Second):
		p.tooSlow = p.deadline(time.Unix(1, 0)) == nil
	default:
		p.another()
	}
}

// stop ends the watch and reports whether the client was too slow.
func (p *pace) stop() (tooSlow bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = true
	p.timer.Stop()
	return p.tooSlow
}
