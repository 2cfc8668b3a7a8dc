package bench

import (
	"os"
	"slices"
	"strconv"
	"testing"
	"time"
)

// BenchmarkBeside: MUTT's CPU per event of intake beside the binary that MUTT_BENCH_BESIDE names, in pairs: each pair takes
// both in turn, so that what drifts on a machine is in both. This tree's binary sends to either. Without the variable the binary
// runs beside itself, which shows the noise.
func BenchmarkBeside(b *testing.B) {
	own, pairs := binary(b), size(5, 1)
	before := os.Getenv("MUTT_BENCH_BESIDE")
	if before == "" {
		before = own
	}
	for _, c := range []struct {
		name    string
		n       int
		args    []string
		address string
		redis   bool
	}{
		{name: "P5 HTTP", n: size(900_000, 5_000), args: []string{"--batch", "500", "-c", "4"}},
		{name: "P6 syslog to Redis", n: size(600_000, 5_000), args: []string{"--to", "syslog-tcp", "--batch", "100", "-c", "4"}, address: "syslog_tcp", redis: true},
		{name: "P7 UDP at 20,000 a second", n: size(120_000, 2_000), args: []string{"--to", "syslog-udp", "--rate", "20000", "--batch", "50", "-c", "2"}, address: "syslog_udp"},
	} {
		b.Run(c.name, func(b *testing.B) {
			cost := func(bin string) float64 {
				var where []string
				if c.redis {
					_, where = servers(b)
				}
				r := start(b, bin, "ingestor", where...)
				r.bin = own
				args := append([]string{"--count", strconv.Itoa(c.n)}, c.args...)
				if c.address != "" {
					args = append(args, "--target", r.addrs[c.address])
				}
				cpu := r.cpu()
				sent := r.send(args...)
				got := int64(0)
				r.wait("the events to be queued", time.Minute, func() bool { got = r.received(); return got >= sent.Accepted })
				used := (r.cpu() - cpu) / float64(got) * 1e6
				r.stop()
				return used
			}
			for b.Loop() {
				var old, now, ratios []float64
				for range pairs {
					o, n := cost(before), cost(own)
					old, now, ratios = append(old, o), append(now, n), append(ratios, n/o)
				}
				slices.Sort(old)
				slices.Sort(now)
				slices.Sort(ratios)
				b.Logf("before %.2f (%.2f to %.2f), now %.2f (%.2f to %.2f) µs of CPU per event; ratio %.3f (%.3f to %.3f)",
					old[pairs/2], old[0], old[pairs-1], now[pairs/2], now[0], now[pairs-1], ratios[pairs/2], ratios[0], ratios[pairs-1])
				b.ReportMetric(old[pairs/2], "before-µs/event")
				b.ReportMetric(now[pairs/2], "now-µs/event")
				b.ReportMetric(now[pairs/2]/old[pairs/2], "ratio")
			}
		})
	}
}
