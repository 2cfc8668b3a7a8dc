package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/muttproject/mutt/app/apptest"
	"github.com/muttproject/mutt/platform/testkit"
)

// servers are a Redis (AOF everysec) and a PostgreSQL that commits to the disk, as in production.
func servers(b *testing.B) (*apptest.Servers, []string) {
	b.Helper()
	s := &apptest.Servers{Redis: testkit.Redis(b, testkit.RedisOptions{AOF: "everysec"}),
		Postgres: testkit.Postgres(b, testkit.PostgresOptions{Fsync: true, Settings: []string{"max_wal_size=4GB", "shared_buffers=512MB"}})}
	s.Database = s.Postgres.NewDatabase(b)
	var env []string
	for k, v := range s.Env() {
		env = append(env, k+"="+v)
	}
	return s, env
}

// used is the CPU time of the parts, in seconds.
type used struct{ mutt, redis, postgres float64 }

func (u used) since(v used, events int64) (mutt, redis, postgres float64) {
	n := float64(events) / 1e6
	return (u.mutt - v.mutt) / n, (u.redis - v.redis) / n, (u.postgres - v.postgres) / n
}

// consumption adds up what processes and servers have used.
func consumption(b *testing.B, s *apptest.Servers, rigs ...*rig) (u used) {
	b.Helper()
	for _, r := range rigs {
		u.mutt += r.cpu()
	}
	u.redis, u.postgres = familyCPU(b, s.Redis.PID()), familyCPU(b, s.Postgres.PID())
	return u
}

// familyCPU gives the CPU seconds of a process, of its children, and of those that it has waited for.
func familyCPU(b *testing.B, pid int) (secs float64) {
	b.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		b.Fatal(err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			continue // it ended meanwhile
		}
		own, _, _ := strings.Cut(string(text), " ")
		_, after, _ := strings.Cut(string(text), ") ")
		fields := strings.Fields(after)
		if own != strconv.Itoa(pid) && fields[1] != strconv.Itoa(pid) {
			continue
		}
		last := 12 // user and system time
		if own == strconv.Itoa(pid) {
			last = 14 // and those of children that ended
		}
		for _, t := range fields[11 : last+1] {
			n, err := strconv.ParseFloat(t, 64)
			if err != nil {
				b.Fatal(err)
			}
			secs += n / 100 // USER_HZ on Linux
		}
	}
	return secs
}

// pipeline sends n events through all roles on Redis and PostgreSQL and reports rate and CPU.
func pipeline(b *testing.B, n int, env ...string) {
	bin := binary(b)
	for b.Loop() {
		s, where := servers(b)
		sk, url := startSink(b, nil)
		r := start(b, bin, "all", append(append(where, "MOOG_WEBHOOK_URL="+url), env...)...)
		r.rules(1000)
		r.settled(time.Minute)
		before, cpu, begin := r.ledger().Judging.Received, consumption(b, s, r), time.Now()
		res := r.send("--count", strconv.Itoa(n), "--batch", "500", "-c", "4")
		r.drained(before+res.Accepted, sk, 5*time.Minute)
		elapsed := time.Since(begin).Seconds()
		mutt, redis, postgres := consumption(b, s, r).since(cpu, res.Accepted)
		b.ReportMetric(float64(res.Accepted)/elapsed, "events/s")
		b.ReportMetric(mutt, "mutt-µs/event")
		b.ReportMetric(redis, "redis-µs/event")
		b.ReportMetric(postgres, "postgres-µs/event")
		b.ReportMetric(r.peak(), "peak-MB")
		r.stop()
	}
}

// settled waits until nothing is in flight.
func (r *rig) settled(bound time.Duration) {
	r.b.Helper()
	r.wait("the warm-up to drain", bound, func() bool {
		l := r.ledger()
		return l.Delivery.InFlight == 0 && l.Judging.InFlight == 0
	})
}

// BenchmarkP1Pipeline: everything on the same two cores, every event audited, a fifth forwarded, one alert per request
// and a hundred.
func BenchmarkP1Pipeline(b *testing.B) {
	for _, batch := range []string{"1", "100"} {
		b.Run("batch_max="+batch, func(b *testing.B) {
			pipeline(b, size(400_000, 5_000), "MUTT_FORWARD_BATCH_MAX="+batch)
		})
	}
}

// BenchmarkP2Sampled: the same with 1 % of the unhandled events audited.
func BenchmarkP2Sampled(b *testing.B) {
	pipeline(b, size(600_000, 5_000), "AUDIT_UNHANDLED_SAMPLE_PERCENT=1")
}

// BenchmarkP6Syslog: syslog over TCP to the durable queue in Redis; nothing consumes.
func BenchmarkP6Syslog(b *testing.B) {
	bin, n := binary(b), size(600_000, 5_000)
	for b.Loop() {
		s, where := servers(b)
		r := start(b, bin, "ingestor", where...)
		cpu, begin := consumption(b, s, r), time.Now()
		res := r.send("--to", "syslog-tcp", "--target", r.addrs["syslog_tcp"], "--count", strconv.Itoa(n), "--batch", "100", "-c", "4")
		r.wait("the frames to be queued", time.Minute, func() bool { return r.received() >= res.Accepted })
		elapsed := time.Since(begin).Seconds()
		mutt, redis, _ := consumption(b, s, r).since(cpu, res.Accepted)
		b.ReportMetric(float64(res.Accepted)/elapsed, "events/s")
		b.ReportMetric(mutt, "mutt-µs/event")
		b.ReportMetric(redis, "redis-µs/event")
		r.stop()
	}
}

// BenchmarkP15Scaling: CPU per event of judging a backlog, with one alerter process and with two, for several depths.
func BenchmarkP15Scaling(b *testing.B) {
	bin := binary(b)
	for b.Loop() {
		for _, depth := range []int{size(200_000, 2_000), size(1_000_000, 4_000)} {
			var cost [3]float64
			for _, alerters := range []int{1, 2} {
				cost[alerters] = judging(b, bin, depth, alerters)
				b.ReportMetric(cost[alerters], fmt.Sprintf("µs/event-%dx%dk", alerters, depth/1000))
			}
			b.ReportMetric(cost[2]/cost[1], fmt.Sprintf("ratio-%dk", depth/1000))
		}
	}
}

// judging queues events, then starts alerters and gives the CPU time in µs, of everything, that an event took.
func judging(b *testing.B, bin string, events, alerters int) float64 {
	b.Helper()
	s, where := servers(b)
	front := start(b, bin, "ingestor,ui", where...)
	front.rulesOnly(1000)
	res := front.send("--count", strconv.Itoa(events), "--batch", "500", "-c", "4")
	rigs, cpu := []*rig{front}, consumption(b, s, front)
	for range alerters {
		r := start(b, bin, "alerter", where...)
		cpu.mutt += r.cpu() // what starting took is not judging
		rigs = append(rigs, r)
	}
	front.wait("the backlog to be judged", 5*time.Minute, func() bool { return front.ledger().Judging.InFlight == 0 })
	if l := front.ledger(); l.Judging.Received != res.Accepted || !l.Judging.Balanced {
		b.Fatalf("accepted %d, books %+v", res.Accepted, l)
	}
	mutt, redis, postgres := consumption(b, s, rigs...).since(cpu, res.Accepted)
	for _, r := range rigs {
		r.stop()
	}
	return mutt + redis + postgres
}
