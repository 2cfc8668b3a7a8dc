package api

import (
	"math"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/muttproject/mutt/platform/apiclient"
)

const chartHours = 24

// metrics gives the rate of received events, from the ledger: it outlives restarts and covers all processes.
func (a *API) metrics(c echo.Context) error {
	ctx := c.Request().Context()
	if err := a.Fold(ctx); err != nil {
		return err
	}
	now := a.Now().UTC()
	first := now.Truncate(time.Hour).Add(-(chartHours - 1) * time.Hour)
	from, to := first.Unix()/60, now.Unix()/60+1
	counts, err := a.Store.RatePerMinute(ctx, from, to)
	if err != nil {
		return err
	}
	return answer(c, http.StatusOK, rates(now, first, counts))
}

// rates computes the summary and the chart of counts per minute, which begin at first and end with the minute of now.
func rates(now, first time.Time, counts []int64) apiclient.Metrics {
	var m apiclient.Metrics
	begun := float64(now.Second())/60 + float64(now.Nanosecond())/float64(time.Minute) // of the last minute
	m.Summary.CurrentRate1m = sliding(counts, 1, begun)
	m.Summary.AvgRate15m = sliding(counts, 15, begun)
	m.Summary.AvgRate1h = sliding(counts, 60, begun)
	m.Chart24h.Labels, m.Chart24h.Data = make([]string, chartHours), make([]float64, chartHours)
	for h := range chartHours {
		m.Chart24h.Labels[h] = first.Add(time.Duration(h) * time.Hour).Format("15:04")
		hour := counts[h*60 : min((h+1)*60, len(counts))]
		minutes := 60.0
		if h == chartHours-1 {
			minutes = max(1, float64(len(hour)-1)+begun)
		}
		m.Chart24h.Data[h] = round(float64(total(hour)) / minutes)
	}
	return m
}

// sliding is the average per minute over a window that ends now: the last minute as far as it has begun, and so
// much less of the oldest one.
func sliding(counts []int64, window int, begun float64) float64 {
	end := len(counts)
	sum := float64(total(counts[max(0, end-window):]))
	if oldest := end - window - 1; oldest >= 0 {
		sum += float64(counts[oldest]) * (1 - begun)
	}
	return round(sum / float64(window))
}

func total(counts []int64) (n int64) {
	for _, c := range counts {
		n += c
	}
	return n
}

func round(f float64) float64 { return math.Round(f*100) / 100 }
