package syslog

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/queue"
)

// cause says why messages were lost, or wait.
type cause uint8

const (
	causeNone         cause = iota
	causeQueueFull          // the queue held as many events as it may for too long
	causeBytesFull          // the queue held as many bytes as it may for too long
	causeDiskReserve        // the disk had no more than its reserve for too long
	causeRedisReserve       // Redis had no more than its reserve for too long
	causeQueueAway          // the queue could not be written for too long
	causeRateLimited        // the event rate limit was used up for too long
	causeSourceRate         // the source sent more than source_max_rate
	causeBacklog            // datagrams came faster than the queue took them
	causeRefused            // the intake or the queue refuses this event for good
	causeStopping           // not stored when the time for stopping was over
	causeOther
	causes
)

var causeNames = [causes]string{"", string(queue.FullEvents), string(queue.FullBytes), string(queue.FullDisk), string(queue.FullRedis),
	"queue_unavailable", CauseRateLimited, CauseSourceRate, "backlog", CauseRefused, "stopping", "other"}

func (c cause) String() string { return causeNames[c] }

// The causes, among those that Deps.Lost is told, that are the sender's: its message is wrong, or over the rate limit.
const (
	CauseRefused     = "refused"
	CauseRateLimited = "rate_limited"
	CauseSourceRate  = "source_rate"
)

// CauseKernel is told of datagrams that the kernel dropped; they were not read.
const CauseKernel = "kernel_drop"

func causeOf(err error) cause {
	switch fault.CodeOf(err) {
	case fault.QueueFull:
		switch queue.WhyFull(err) {
		case queue.FullBytes:
			return causeBytesFull
		case queue.FullDisk:
			return causeDiskReserve
		case queue.FullRedis:
			return causeRedisReserve
		}
		return causeQueueFull
	case fault.QueueUnavailable:
		return causeQueueAway
	case fault.RateLimited:
		return causeRateLimited
	case fault.Closed:
		return causeStopping
	}
	return causeOther
}

// metrics are what Prometheus sees, and the sums that the reporter looks at.
type metrics struct {
	udp, tcp    transportMetrics
	connections prometheus.Gauge
	bytes       [dropCauses]tally // bytes of TCP connections that are in no event
	kernel      func() int64
	waiting     atomic.Int64 // connections whose submission fails at present
}

// tally is a counter that can be read.
type tally struct {
	atomic.Int64
	shown prometheus.Counter
}

func (t *tally) add(n int) {
	t.Int64.Add(int64(n))
	t.shown.Add(float64(n))
}

// transportMetrics are those of UDP or of TCP.
type transportMetrics struct {
	formats   [FormatEmpty]prometheus.Counter
	truncated prometheus.Counter
	replaced  prometheus.Counter
	dropped   [causes]tally
}

// newMetrics creates and registers the metrics. kernel returns the number of datagrams that the kernel dropped.
func newMetrics(r prometheus.Registerer, kernel func() int64) (*metrics, error) {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "mutt_ingest_syslog_" + name, Help: help}, labels)
	}
	messages := counter("messages_total", "Messages read, by transport and format.", "transport", "format")
	truncated := counter("truncated_total", "Messages cut at the maximal length.", "transport")
	replaced := counter("timestamps_replaced_total", "Messages whose timestamp could not be believed.", "transport")
	dropped := counter("dropped_total", "Messages read and not stored, by cause.", "transport", "cause")
	bytes := counter("dropped_bytes_total", "Bytes read over TCP that are in no event: padding (a BOM or blanks before a message), "+
		"garbage (belongs to no message) or oversize (the rest of a message that is too long).", "cause")
	drops := prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "mutt_ingest_syslog_kernel_drops_total",
		Help: "Datagrams that the kernel dropped because the receive buffer was full."}, func() float64 { return float64(kernel()) })
	m := &metrics{kernel: kernel, connections: prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "mutt_ingest_syslog_connections", Help: "Open syslog connections."})}
	for c := range m.bytes {
		m.bytes[c].shown = bytes.WithLabelValues(dropNames[c])
	}
	for name, t := range map[string]*transportMetrics{"udp": &m.udp, "tcp": &m.tcp} {
		for f := range t.formats {
			t.formats[f] = messages.WithLabelValues(name, Format(f).String())
		}
		t.truncated, t.replaced = truncated.WithLabelValues(name), replaced.WithLabelValues(name)
		for c := causeNone + 1; c < causes; c++ {
			t.dropped[c].shown = dropped.WithLabelValues(name, c.String())
		}
	}
	for _, c := range []prometheus.Collector{messages, truncated, replaced, dropped, bytes, drops, m.connections} {
		if err := r.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (t *transportMetrics) received(formats *[len(formatNames)]int, truncated, replaced int) {
	for f := range t.formats {
		if formats[f] > 0 {
			t.formats[f].Add(float64(formats[f]))
		}
	}
	if truncated > 0 {
		t.truncated.Add(float64(truncated))
	}
	if replaced > 0 {
		t.replaced.Add(float64(replaced))
	}
}

func (t *transportMetrics) lost(c cause, n int) { t.dropped[c].add(n) }

// droppedBytes counts what a framer dropped, and clears its sums.
func (m *metrics) droppedBytes(sums *[dropCauses]int) {
	for c, n := range sums {
		if n > 0 {
			m.bytes[c].add(n)
		}
	}
	*sums = [dropCauses]int{}
}
