package dest

import (
	"context"
	"time"

	"github.com/muttproject/mutt/modules/forward/internal/httpx"
	"github.com/muttproject/mutt/platform/event"
)

// HTTP is a Destination that posts bodies of an Encoder.
type HTTP struct {
	client  *httpx.Client
	encoder Encoder
}

var _ Destination = (*HTTP)(nil)

// NewHTTP makes an HTTP destination.
func NewHTTP(c *httpx.Client, e Encoder) *HTTP { return &HTTP{client: c, encoder: e} }

// Send implements Destination.
func (d *HTTP) Send(ctx context.Context, alerts []*event.Alert) Result {
	// A buffer of its own per request: the transport may still read it when an early answer is already here.
	body := d.encoder.AppendBody(make([]byte, 0, 2048*len(alerts)), alerts)
	answer, err := d.client.Post(ctx, body)
	if err != nil {
		return FromError(err)
	}
	return FromAnswer(answer, time.Now())
}
