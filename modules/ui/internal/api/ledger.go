package api

import (
	"context"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/queue"
	"github.com/muttproject/mutt/platform/store"
)

// ledgerTries is how often the books are read until they agree: store and queue are not read at one instant.
const ledgerTries = 3

// ledger shows the two books.
func (a *API) ledger(c echo.Context) error {
	var out apiclient.Ledger
	for range ledgerTries {
		var err error
		if out, err = a.books(c.Request().Context()); err != nil {
			return err
		}
		if out.Judging.Balanced && out.Delivery.Balanced {
			break
		}
	}
	return answer(c, http.StatusOK, out)
}

func (a *API) books(ctx context.Context) (out apiclient.Ledger, err error) {
	ingest, err := a.Queues.Depth(ctx, queue.Ingest)
	if err != nil {
		return out, err
	}
	alert, err := a.Queues.Depth(ctx, queue.Alert)
	if err != nil {
		return out, err
	}
	if err := a.Fold(ctx); err != nil {
		return out, err
	}
	b, err := a.Store.Books(ctx)
	if err != nil {
		return out, err
	}
	return apiclient.Ledger{Judging: judging(b, ingest), Delivery: delivery(b, alert),
		Beside: apiclient.BesideBooks{Refused: b.Kinds[queue.CountRefused], Rejected: b.Kinds[queue.CountRejected]}}, nil
}

// judging: received = judged + in flight. A claimed batch may be in both or in neither at this moment.
func judging(b store.Books, d queue.Depth) apiclient.JudgingBook {
	out := apiclient.JudgingBook{Received: b.Kinds[queue.CountReceived], ByFate: map[string]int64{}, InFlight: d.Live()}
	for _, f := range event.Fates() {
		out.ByFate[f.String()] = b.Fates[f]
		out.Judged += b.Fates[f]
	}
	out.Difference = out.Received - out.Judged - out.InFlight
	out.Balanced = within(out.Difference, d.Claimed)
	return out
}

// delivery: forwardable = delivered + discarded + parked + in flight. Meta-alerts count as forwardable. Parked is
// what lies in the dead letters, so that the counters are checked against storage.
func delivery(b store.Books, d queue.Depth) apiclient.DeliveryBook {
	out := apiclient.DeliveryBook{
		Forwardable: b.Fates[event.FateForwarded] + b.Fates[event.FateShed] + b.Kinds[queue.CountMeta],
		Delivered:   b.Kinds[queue.CountDelivered], Discarded: b.Kinds[queue.CountDiscarded],
		Parked: d.Dead, InFlight: d.Live(),
	}
	out.Difference = out.Forwardable - out.Delivered - out.Discarded - out.Parked - out.InFlight
	out.Balanced = within(out.Difference, d.Claimed)
	return out
}

func within(n, bound int64) bool { return -bound <= n && n <= bound }
