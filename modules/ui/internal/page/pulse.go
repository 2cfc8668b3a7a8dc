package page

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/a-h/templ"
	"github.com/labstack/echo/v4"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/queue"
)

// pulseView is the line in the top bar: how many events come in, how many wait to be judged and to be delivered, and the breaker.
type pulseView struct {
	in, judge, wait         string
	waitTone                string
	breaker, tone, sentence string
	failed                  string // why there are no figures
	partly                  bool   // those of the queues are there all the same
}

// pulse renders the pulse as of now.
func (p *Pages) pulse(c echo.Context) templ.Component {
	var l apiclient.Pipeline
	if err := p.read(c, "/pipeline", nil, &l); err != nil {
		return pulseLine(pulseView{failed: pulseProblem(err)})
	}
	return pulseLine(pulseOf(&l))
}

func pulseProblem(err error) string {
	switch {
	case fault.Is(err, fault.StoreUnavailable):
		return "Store unavailable"
	case fault.Is(err, fault.QueueUnavailable):
		return "Queue unavailable"
	}
	return "Figures cannot be read"
}

func pulseOf(l *apiclient.Pipeline) pulseView {
	v := pulseView{breaker: "closed"}
	var in float64
	for _, s := range l.Sources {
		in += s.Rate
	}
	waiting := func(name queue.Name) int64 {
		q := l.Queues[string(name)]
		return q.Ready + q.Claimed + q.Delayed
	}
	v.in, v.judge, v.wait = rate(in*60), short(waiting(queue.Ingest)), short(waiting(queue.Alert))
	if l.Missing != "" {
		v.failed, v.partly = "Store unavailable", true
	}
	for i := range l.Destinations {
		switch l.Destinations[i].Breaker.State {
		case "open":
			v.breaker, v.tone, v.waitTone = "open", "bad", "bad"
		case "half_open":
			if v.tone == "" {
				v.breaker, v.tone = "probing", "warn"
			}
		}
	}
	v.sentence = v.in + " events per second come in, "
	if v.partly {
		v.sentence = "The store is unavailable: how many events come in is not known, "
	}
	v.sentence += v.judge + " wait to be judged, " + v.wait + " alerts wait for delivery, the breaker is " + v.breaker
	return v
}

// pulsePatience is how long a page waits for its pulse.
const pulsePatience = 300 * time.Millisecond

// newestPulse returns the pulse for a page that is rendered now. Open pages keep it fresh. Without them it is read at most every few
// seconds, and no page waits long for it.
func (p *Pages) newestPulse(c echo.Context) templ.Component {
	p.hub.mu.Lock()
	f := p.hub.feeds["pulse"]
	var data []byte
	if f != nil {
		data = f.data
	}
	p.hub.mu.Unlock()
	if data == nil {
		var err error
		data, err = p.hub.reads.get(c.Request().Context(), "pulse", 5*time.Second, func() ([]byte, error) {
			ctx, cancel := context.WithTimeout(c.Request().Context(), pulsePatience)
			defer cancel()
			data, err := p.hub.rendered(ctx, &topic{name: "pulse", fragment: p.pulse})
			if err == nil {
				err = ctx.Err() // then data says that there are no figures
			}
			return data, err
		})
		if errors.Is(err, context.DeadlineExceeded) { // not a failure yet: the stream brings the figures, or says what is wrong
			return pulseLine(pulseView{in: "–", judge: "–", wait: "–", breaker: "–", sentence: "The figures come in a moment"})
		}
		if err != nil {
			return pulseLine(pulseView{failed: pulseProblem(err)})
		}
	}
	return templ.ComponentFunc(func(_ context.Context, w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}
