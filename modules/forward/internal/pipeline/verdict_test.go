package pipeline

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muttproject/mutt/modules/forward/internal/dest"
	"github.com/muttproject/mutt/modules/forward/internal/httpx"
	"github.com/muttproject/mutt/platform/coord"
	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/queue"
)

// wire is a destination in memory that speaks HTTP: what it does with the alert under test is written down byte by byte.
type wire struct {
	mu     sync.Mutex
	fault  mishap // for alert 1; the zero value takes it
	others string // the answer for other alerts
	tries  []time.Time
	open   sync.WaitGroup
}

// mishap is what happens to a request.
type mishap struct {
	refused bool   // no connection is made
	answer  string // is sent, and then
	hangs   bool   // nothing more comes, instead of an end
	keeps   bool   // the connection stays good
}

const taken = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

func (w *wire) dial(context.Context, string, string) (net.Conn, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fault.refused {
		w.tries = append(w.tries, time.Now())
		return nil, errors.New("connection refused")
	}
	client, server := net.Pipe()
	w.open.Go(func() { w.serve(server) })
	return client, nil
}

func (w *wire) serve(c net.Conn) {
	defer c.Close()
	for r := bufio.NewReader(c); ; {
		req, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return
		}
		w.mu.Lock()
		f := mishap{answer: w.others, keeps: true}
		if bytes.HasPrefix(body, []byte("1;")) {
			w.tries = append(w.tries, time.Now())
			f = w.fault
		}
		w.mu.Unlock()
		_, _ = io.WriteString(c, f.answer)
		switch {
		case f.hangs:
			_, _ = c.Read(make([]byte, 1)) // until the client ends it
			return
		case !f.keeps:
			return
		}
	}
}

// AppendBody implements dest.Encoder.
func (w *wire) AppendBody(dst []byte, alerts []*event.Alert) []byte {
	for _, a := range alerts {
		dst = fmt.Appendf(dst, "%d;", a.Event.ID[15])
	}
	return dst
}

func (w *wire) sentSince(at time.Time) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, t := range w.tries {
		if !t.Before(at) {
			n++
		}
	}
	return n
}

// verdict is what becomes of an alert that always meets the same fault.
type verdict string

const (
	verdictTaken    verdict = "delivered by the first request"
	verdictRejected verdict = "parked by the first answer"
	verdictFailure  verdict = "its own failure while others are taken, else an outage"
	verdictWaits    verdict = "waits, whatever else is taken"
)

func verdicts() map[int]verdict {
	return map[int]verdict{
		200: verdictTaken, 202: verdictTaken, 204: verdictTaken, 299: verdictTaken,
		301: verdictFailure, 302: verdictFailure, 307: verdictFailure, 400: verdictRejected, 404: verdictRejected, 413: verdictRejected, 422: verdictRejected,
		401: verdictFailure, 403: verdictFailure, 500: verdictFailure, 502: verdictFailure, 503: verdictFailure, 504: verdictFailure, 599: verdictFailure,
		407: verdictWaits, 408: verdictWaits, 425: verdictWaits, 429: verdictWaits,
	}
}

type verdictRow struct {
	name   string
	fault  mishap
	want   verdict
	reason string // part of a dead letter's reason
}

// verdictRows are all statuses with all faults of a body, and the faults without a status.
func verdictRows() []verdictRow {
	rows := []verdictRow{
		{"no connection", mishap{refused: true}, verdictWaits, "no connection"},
		{"the connection ends", mishap{}, verdictFailure, "connection broke"},
		{"no answer", mishap{hangs: true}, verdictFailure, "no answer in time"},
		{"not HTTP", mishap{answer: "220 mail.example\r\n"}, verdictFailure, "connection broke"},
		{"a status cut off", mishap{answer: "HTTP/1.1 20"}, verdictFailure, "connection broke"},
	}
	for status, want := range verdicts() {
		line := fmt.Sprintf("HTTP/1.1 %d Some Words\r\n", status)
		for body, f := range map[string]mishap{
			"whole":            {answer: line + "Content-Length: 4\r\n\r\nwhy?", keeps: true},
			"cut off":          {answer: line + "Content-Length: 400\r\n\r\nwhy?"},
			"hanging":          {answer: line + "Content-Length: 400\r\n\r\nwhy?", hangs: true},
			"chunks broken":    {answer: line + "Transfer-Encoding: chunked\r\n\r\n4\r\nwhy?\r\nzz\r\n"},
			"headers cut off":  {answer: line + "Content-Le"},
			"headers hanging":  {answer: line, hangs: true},
			"length of a fool": {answer: line + "Content-Length: -4\r\n\r\n"},
		} {
			if status == 204 && strings.Contains(f.answer, "why?") {
				continue // it has no body, and the client logs one
			}
			rows = append(rows, verdictRow{fmt.Sprintf("%d, body %s", status, body), f, want, "HTTP " + strconv.Itoa(status)})
		}
	}
	return rows
}

// TestVerdicts is the table: every status with every fault of a body, every fault of the transport, and what becomes of other alerts
// meanwhile.
func TestVerdicts(t *testing.T) {
	t.Parallel()
	for _, row := range verdictRows() {
		for meanwhile, others := range map[string]string{"nothing else": "", "others are taken": taken,
			"others are refused": "HTTP/1.1 400 No\r\nContent-Length: 0\r\n\r\n"} {
			if row.fault.refused && others == taken {
				continue // an address does not do both; see TestWhatIsNeverTheAlertsDoing
			}
			t.Run(row.name+"; "+meanwhile, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) { row.check(t, others) })
			})
		}
	}
}

func (row verdictRow) check(t *testing.T, others string) {
	w := &wire{fault: row.fault, others: others}
	c, err := httpx.New(httpx.Options{URL: "http://moog.example/", Timeout: 10 * time.Second, Connections: 32, Dial: w.dial})
	if err != nil {
		t.Fatal(err)
	}
	b := newBench(t, nil)
	b.dest = dest.NewHTTP(c, w)
	b.breaker, b.refresh = coord.BreakerSettings{Enabled: true, Threshold: 10, Timeout: 5 * time.Minute}, 5*time.Second
	b.queue.append(alert(1, "a"))
	p := b.start()
	exhausting := row.want == verdictFailure && others == taken
	for n := range 900 {
		if n >= 180 && (!exhausting || len(b.queue.letters()) > 0) {
			break
		}
		if others != "" {
			b.queue.append(alert(2+n%250, fmt.Sprint("other ", n%7)))
		}
		time.Sleep(time.Second)
	}
	d, parked := b.queue.letters()[number(1)]
	tries := w.sentSince(time.Time{})
	switch {
	case row.want == verdictTaken:
		if parked || tries != 1 {
			t.Errorf("parked %v after %d requests", parked, tries)
		}
	case row.want == verdictRejected:
		if d.Code != queue.DeadRejected || d.Attempts != 1 || tries != 1 || !strings.Contains(d.Reason, row.reason) {
			t.Errorf("%d requests, letter %+v", tries, d)
		}
	case exhausting:
		if d.Code != queue.DeadExhausted || d.Attempts != 6 || tries < 6 || tries > 12 || !strings.Contains(d.Reason, row.reason) {
			t.Errorf("%d requests, letter %+v", tries, d)
		}
	default:
		if parked || tries < 10 {
			t.Fatalf("%d requests, letter %+v", tries, d)
		}
		time.Sleep(1500 * time.Microsecond) // away from the moments at which requests begin
		w.mu.Lock()
		w.fault = mishap{answer: taken, keeps: true}
		w.mu.Unlock()
		back := time.Now()
		// A probe that hangs takes ten seconds; the breaker's distances have grown to thirty at most by now.
		time.Sleep(45 * time.Second)
		if n := w.sentSince(back); n != 1 {
			t.Errorf("%d requests after the destination was back", n)
		}
	}
	if n := b.queue.left(); n > 0 {
		t.Errorf("%d entries are left", n)
	}
	p.stop()
	c.Close()
	w.open.Wait()
}

// TestRetryAfterIsHonoured with every status that may pass: no earlier try, and no later one than the bound of a slip of a digit.
func TestRetryAfterIsHonoured(t *testing.T) {
	t.Parallel()
	for _, status := range []int{401, 403, 407, 408, 425, 429, 500, 502, 503, 504} {
		for seconds, wait := range map[int]time.Duration{40: 40 * time.Second, 400_000: dest.MaxRetryAfter} {
			t.Run(fmt.Sprint(status, " ", seconds), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					w := &wire{others: taken, fault: mishap{keeps: true,
						answer: fmt.Sprintf("HTTP/1.1 %d Later\r\nRetry-After: %d\r\nContent-Length: 0\r\n\r\n", status, seconds)}}
					c, err := httpx.New(httpx.Options{URL: "http://moog.example/", Timeout: 10 * time.Second, Connections: 32, Dial: w.dial})
					if err != nil {
						t.Fatal(err)
					}
					b := newBench(t, nil)
					b.dest = dest.NewHTTP(c, w)
					b.queue.append(alert(1, "a"))
					p := b.start()
					b.queue.append(alert(2, "b"))
					time.Sleep(wait + 5*time.Second)
					p.stop()
					c.Close()
					w.open.Wait()
					if len(w.tries) != 2 || w.tries[1].Sub(w.tries[0]) < wait {
						t.Errorf("tries %v", w.tries)
					}
				})
			})
		}
	}
}
