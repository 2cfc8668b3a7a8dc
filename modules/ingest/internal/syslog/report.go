package syslog

import (
	"context"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/trouble"
)

const lookEvery = time.Second

// reporter passes what was lost on to the log, the health check and the counters: once a second it looks at the sums.
type reporter struct {
	metrics *metrics
	rcvbuf  func() int64
	lost    func(why string, n int64)
	board   *trouble.Board

	seen losses // at the last look

	dropped [causes]*trouble.State
	kernel  *trouble.State
	bytes   [dropCauses]*trouble.State
	waiting *trouble.State
}

// losses are sums since the start.
type losses struct {
	dropped [causes]int64
	kernel  int64
	bytes   [dropCauses]int64
}

// lossWords say why messages are lost, and what to do about it.
var lossWords = [causes]struct{ why, remedy string }{
	causeQueueFull:    {"the queue holds as many events as max_ingest_queue_size allows", "look at what keeps the alerter from judging, or raise max_ingest_queue_size"},
	causeBytesFull:    {"the queue holds as many bytes as it may", "look at what keeps the alerter from judging, make room, or raise max_ingest_queue_bytes"},
	causeQueueAway:    {"the queue cannot be written", "look at the storage of the queue"},
	causeDiskReserve:  {"the disk has no more room than its reserve", "make room on the disk of the data directory; limits.disk_reserve is what is kept free"},
	causeRedisReserve: {"Redis has no more memory than its reserve", "look at what keeps the alerter from judging, or raise maxmemory of Redis; limits.redis_reserve is what is kept free"},
	causeRateLimited:  {"more events arrive than ingest_max_rate allows", "raise ingest_max_rate, or find who sends so much"},
	causeSourceRate:   {"sources send more than source_max_rate allows", "raise source_max_rate, add a relay to limits.trusted_relays, or find who sends so much"},
	causeBacklog:      {"datagrams come faster than the queue takes them", "send over TCP, or look at the storage of the queue"},
	causeRefused:      {"they cannot be stored as events", "mutt_ingest_rejected_events_total counts them by reason"},
	causeStopping:     {"the process stops and cannot store them in time", "raise shutdown_timeout"},
	causeOther:        {"the intake failed", "look at the log for the error"},
}

const (
	lostTitle   = "Syslog messages are lost"
	lostForGood = "these messages are not in MUTT, and no sender of syslog repeats them"
)

func newReporter(m *metrics, log *zap.Logger, rcvbuf func() int64, lost func(string, int64)) *reporter {
	b := trouble.NewBoard(log, time.Now)
	r := &reporter{metrics: m, rcvbuf: rcvbuf, lost: lost, board: b}
	for c := causeNone + 1; c < causes; c++ {
		r.dropped[c] = b.State(trouble.Kind{Name: "syslog_lost_" + c.String(), Bad: true, Unit: "messages", Begins: "syslog messages are lost: " + lossWords[c].why,
			Ends: "no more syslog messages are lost to this cause", Title: lostTitle, Advice: trouble.Advice{Consequence: lostForGood, Remedy: lossWords[c].remedy, Runbook: "intake"}})
	}
	r.kernel = b.State(trouble.Kind{Name: "syslog_lost_" + CauseKernel, Bad: true, Unit: "datagrams",
		Begins: "syslog datagrams are lost: the kernel drops them because the receive buffer is full", Ends: "the kernel drops no more syslog datagrams",
		Title: lostTitle, Advice: trouble.Advice{Consequence: lostForGood, Remedy: "raise net.core.rmem_max, or give CAP_NET_ADMIN", Runbook: "intake"}})
	r.bytes[dropGarbage] = b.State(trouble.Kind{Name: "syslog_garbage", Unit: "bytes",
		Begins: "syslog peers send bytes that belong to no message, which are dropped", Ends: "syslog peers send messages alone again",
		Advice: trouble.Advice{Consequence: "the dropped bytes are not taken in; the messages before and after them are",
			Remedy: "check the framing of the senders: octet counts in bytes, or one message per line", Runbook: "intake"}})
	r.bytes[dropOversize] = b.State(trouble.Kind{Name: "syslog_oversize", Unit: "bytes",
		Begins: "syslog messages are cut at the maximum length and the rest is dropped", Ends: "no more syslog messages are cut",
		Advice: trouble.Advice{Consequence: "rules and the audit see the beginning of these messages only, marked as truncated", Remedy: "let the senders write shorter messages, or send them over HTTP",
			Runbook: "intake"}})
	r.waiting = b.State(trouble.Kind{Name: "syslog_waiting", Quiet: 2 * lastRetry,
		Begins: "syslog connections wait for the queue", Ends: "no syslog connection waits for the queue any more",
		Advice: trouble.Advice{Consequence: "their senders must wait and may run out of room; messages over UDP can be lost",
			Remedy: "look at what keeps the alerter from judging, and at the storage of the queue", Runbook: "intake"}})
	return r
}

// run looks once a second until ctx ends, and then reports what is not yet reported.
func (r *reporter) run(ctx context.Context) {
	running, end := context.WithCancel(context.WithoutCancel(ctx))
	var board sync.WaitGroup
	board.Go(func() { r.board.Run(running) })
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for ctx.Err() == nil {
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
		r.look()
	}
	end()
	board.Wait()
}

func (r *reporter) sums() (l losses) {
	for _, t := range [...]*transportMetrics{&r.metrics.udp, &r.metrics.tcp} {
		for c := range l.dropped {
			l.dropped[c] += t.dropped[c].Load()
		}
	}
	l.kernel = r.metrics.kernel()
	for c := range l.bytes {
		l.bytes[c] = r.metrics.bytes[c].Load()
	}
	return l
}

// look passes on what was lost since the last look.
func (r *reporter) look() {
	sums := r.sums()
	for c, state := range r.dropped {
		if n := sums.dropped[c] - r.seen.dropped[c]; n > 0 {
			state.Add(n)
			r.lost(cause(c).String(), n)
		}
	}
	if n := sums.kernel - r.seen.kernel; n > 0 {
		r.kernel.Describe(fmt.Sprintf("it has %d bytes", r.rcvbuf()))
		r.kernel.Add(n)
		r.lost(CauseKernel, n)
	}
	for c, state := range r.bytes {
		if n := sums.bytes[c] - r.seen.bytes[c]; n > 0 && state != nil { // padding loses nothing
			state.Add(n)
		}
	}
	r.seen = sums
	waiting := r.metrics.waiting.Load()
	if waiting > 0 {
		r.waiting.Describe(fmt.Sprintf("%d connections", waiting))
	}
	r.waiting.Set(waiting > 0)
}

// warnings says in words what goes wrong.
func (r *reporter) warnings() []string { return r.board.Warnings() }
