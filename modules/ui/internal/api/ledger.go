package api

import (
	"context"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/queue"
	"github.com/muttproject/mutt/platform/store"
)

// ledgerTries is how often the books are read until they agree: store and queue are not read at one instant.
const ledgerTries = 3

// ledger shows the two books.
func (a *API) ledger(c echo.Context) error {
	window := time.Duration(0)
	switch c.QueryParam("window") {
	case "":
	case "1h":
		window = time.Hour
	case "24h":
		window = 24 * time.Hour
	default:
		return fault.Field(fault.InvalidField, "window", "must be 1h or 24h")
	}
	var out apiclient.Ledger
	for range ledgerTries {
		var err error
		if out, err = a.books(c.Request().Context(), window); err != nil {
			return err
		}
		if out.Judging.Balanced && out.Delivery.Balanced {
			break
		}
	}
	return answer(c, http.StatusOK, out)
}

// statement returns the books of a window that ends now, from the whole books and, of the same state, what was counted since a minute. What
// is brought forward is what the books before that minute leave, so its differences are those of the whole books.
func statement(now time.Time, from int64, whole *apiclient.Ledger, sums []store.KindSum) *apiclient.LedgerWindow {
	counts := map[string]int64{}
	for _, s := range sums {
		counts[s.Kind] += s.N
	}
	fate := func(f event.Fate) int64 { return counts[store.FatePrefix+f.String()] }
	j := apiclient.JudgingWindow{Received: counts[queue.CountReceived], ByFate: map[string]int64{}, InFlight: whole.Judging.InFlight}
	for _, f := range event.Fates() {
		j.ByFate[f.String()] = fate(f)
		j.Judged += fate(f)
	}
	j.BroughtForward = whole.Judging.Received - j.Received - (whole.Judging.Judged - j.Judged)
	j.Difference = j.BroughtForward + j.Received - j.Judged - j.InFlight
	d := apiclient.DeliveryWindow{Forwardable: fate(event.FateForwarded) + fate(event.FateShed) + counts[queue.CountMeta], Delivered: counts[queue.CountDelivered],
		Discarded: counts[queue.CountDiscarded], Parked: whole.Delivery.Parked, InFlight: whole.Delivery.InFlight}
	d.BroughtForward = whole.Delivery.Forwardable - d.Forwardable - (whole.Delivery.Delivered - d.Delivered) - (whole.Delivery.Discarded - d.Discarded)
	d.Difference = d.BroughtForward + d.Forwardable - d.Delivered - d.Discarded - d.Parked - d.InFlight
	return &apiclient.LedgerWindow{From: time.Unix(from*60, 0).UTC(), Seconds: now.Unix() - from*60, Judging: j, Delivery: d,
		Beside: apiclient.BesideBooks{Refused: counts[queue.CountRefused], Rejected: counts[queue.CountRejected]}}
}

// books returns both books, with the statement of a window unless that is 0.
func (a *API) books(ctx context.Context, window time.Duration) (out apiclient.Ledger, err error) {
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
	var b store.Books
	var sums []store.KindSum
	now := a.Now()
	from := now.Add(-window).Unix() / 60
	if window > 0 {
		b, sums, err = a.Store.BooksSince(ctx, from)
	} else {
		b, err = a.Store.Books(ctx)
	}
	if err != nil {
		return out, err
	}
	out = apiclient.Ledger{Judging: judging(b, ingest), Delivery: delivery(b, alert),
		Beside: apiclient.BesideBooks{Refused: b.Kinds[queue.CountRefused], Rejected: b.Kinds[queue.CountRejected]}}
	if window > 0 {
		out.Window = statement(now, from, &out, sums)
	}
	return out, nil
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
