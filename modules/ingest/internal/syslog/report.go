package syslog

import (
	"context"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"
)

const (
	lookEvery  = time.Second
	reportOnce = time.Minute
)

// losses are sums since the start.
type losses struct {
	dropped [causes]int64
	kernel  int64
	bytes   [dropCauses]int64
}

func (l losses) minus(o losses) losses {
	for c := range l.dropped {
		l.dropped[c] -= o.dropped[c]
	}
	l.kernel -= o.kernel
	for c := range l.bytes {
		l.bytes[c] -= o.bytes[c]
	}
	return l
}

func (l losses) plus(o losses) losses { return l.minus(losses{}.minus(o)) }

func (l losses) messages() int64 {
	n := l.kernel
	for _, d := range l.dropped {
		n += d
	}
	return n
}

// reporter tells the log, the health check and the counters about losses: one line a minute, not one per message.
type reporter struct {
	metrics *metrics
	log     *zap.Logger
	rcvbuf  func() int64
	lost    func(why string, n int64)

	reported     losses // what the log knows
	lastReport   time.Time
	lastWaitLine time.Time

	mu       sync.Mutex
	seen     losses // at the last look
	lastLoss time.Time
	recent   losses // of the last minute with losses
}

func newReporter(m *metrics, log *zap.Logger, rcvbuf func() int64, lost func(string, int64)) *reporter {
	return &reporter{metrics: m, log: log, rcvbuf: rcvbuf, lost: lost}
}

// run looks once a second until ctx ends, and then reports what is not yet reported.
func (r *reporter) run(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case now := <-tick.C:
			r.look(now, false)
		case <-ctx.Done():
			r.look(time.Now(), true)
			return
		}
	}
}

func (r *reporter) sums() (l losses) {
	for _, t := range [...]*transportMetrics{&r.metrics.udp, &r.metrics.tcp} {
		for c := range l.dropped {
			l.dropped[c] += t.dropped[c].Load()
		}
	}
	l.kernel = r.metrics.kernel()
	for c := dropPadding + 1; c < dropCauses; c++ { // padding loses nothing
		l.bytes[c] = r.metrics.bytes[c].Load()
	}
	return l
}

func (r *reporter) look(now time.Time, last bool) {
	sums := r.sums()
	r.count(sums.minus(r.seen)) // only look writes seen
	r.mu.Lock()
	if sums != r.seen {
		if now.Sub(r.lastLoss) > reportOnce {
			r.recent = losses{}
		}
		r.recent = r.recent.plus(sums.minus(r.seen))
		r.seen, r.lastLoss = sums, now
	}
	r.mu.Unlock()
	if sums != r.reported && (last || now.Sub(r.lastReport) >= reportOnce) {
		r.logLosses(sums.minus(r.reported))
		r.reported, r.lastReport = sums, now
	}
	if n := r.metrics.waiting.Load(); n > 0 && now.Sub(r.lastWaitLine) >= reportOnce {
		r.log.Warn("syslog connections wait for the queue; nothing is lost", zap.Int64("connections", n))
		r.lastWaitLine = now
	}
}

// count passes new losses on.
func (r *reporter) count(l losses) {
	for c, n := range l.dropped {
		if n > 0 {
			r.lost(cause(c).String(), n)
		}
	}
	if l.kernel > 0 {
		r.lost(CauseKernel, l.kernel)
	}
}

func (r *reporter) logLosses(l losses) {
	if l.messages() > 0 {
		fields := []zap.Field{zap.Int64("messages", l.messages())}
		for c, n := range l.dropped {
			if n > 0 {
				fields = append(fields, zap.Int64(cause(c).String(), n))
			}
		}
		if l.kernel > 0 {
			fields = append(fields, zap.Int64("kernel", l.kernel), zap.Int64("receive_buffer_bytes", r.rcvbuf()),
				zap.String("remedy", "raise net.core.rmem_max, or give CAP_NET_ADMIN"))
		}
		r.log.Warn("syslog messages were lost", fields...)
	}
	if n := l.bytes[dropGarbage]; n > 0 {
		r.log.Warn("syslog peers sent bytes that belong to no message; they were dropped", zap.Int64("bytes", n),
			zap.String("remedy", "check the framing of the senders: octet counts in bytes, or one message per line"))
	}
	if n := l.bytes[dropOversize]; n > 0 {
		r.log.Warn("syslog messages were cut at the maximum length; the rest was dropped", zap.Int64("bytes", n))
	}
}

// warnings says in words what went wrong in the last minute.
func (r *reporter) warnings() (w []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n := r.metrics.waiting.Load(); n > 0 {
		w = append(w, fmt.Sprintf("%d syslog connections wait for the queue", n))
	}
	if time.Since(r.lastLoss) > reportOnce {
		return w
	}
	if r.recent.kernel > 0 {
		w = append(w, fmt.Sprintf("the kernel dropped %d syslog datagrams: the receive buffer is too small", r.recent.kernel))
	}
	for c, n := range r.recent.dropped {
		if n > 0 {
			w = append(w, fmt.Sprintf("%d syslog messages were dropped: %s", n, cause(c)))
		}
	}
	if n := r.recent.bytes[dropGarbage]; n > 0 {
		w = append(w, fmt.Sprintf("%d bytes of syslog connections were dropped: they belong to no message", n))
	}
	if n := r.recent.bytes[dropOversize]; n > 0 {
		w = append(w, fmt.Sprintf("%d bytes of syslog messages were dropped: the messages were longer than the maximum", n))
	}
	return w
}
