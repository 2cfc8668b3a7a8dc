//go:build linux

package decode

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestHostileBodies: whatever a body holds, decoding takes processor time in proportion to it and hardly any memory beside
// it. The first body took 20 s when each element looked at all that follows it. The times are of this thread, so that other
// work of the machine does not count; the race detector takes 30 times as long as what is measured without it (at most 50 ms).
func TestHostileBodies(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	const mib = 1 << 20
	fill := func(n int, piece string) string { return strings.Repeat(piece, n/len(piece)) }
	many := func(n int) string { // names that differ
		b := make([]byte, 0, n+16)
		for i := 0; len(b) < n; i++ {
			b = append(b, `"`...)
			for v := i; v > 0 || len(b) == 0; v >>= 5 {
				b = append(b, byte('a'+v&31))
			}
			b = append(b, `":1,`...)
		}
		return string(b[:len(b)-1])
	}
	const within = 5 * time.Second
	for _, c := range []struct {
		name, body string
		want       string // of the last event, or of the body
		alloc      uint64
	}{
		{"9,990 numbers and one string", "[" + strings.Repeat("1,", 9990) + `"` + fill(8*mib, "x") + `"]`, "not a string", 8 * mib},
		{"9,990 numbers and brackets", "[" + strings.Repeat("1,", 9990) + fill(mib/2, "[") + fill(mib/2, "]") + "]", "nested deeper", 8 * mib},
		{"800,000 variables", doc(`,"variables":[` + fill(4*mib, `"1=",`) + `"1="]`), "1048576 bytes", mib},
		{"as many as an event may hold", doc(`,"variables":[` + fill(mib/2, `"1=",`) + `"1="]`), "4096 entries", 2 * mib},
		{"700,000 members", "{" + fill(4*mib, `"a":1,`) + `"b":1}`, "1048576 bytes", mib},
		{"members that differ", "{" + many(4*mib) + "}", "1048576 bytes", mib},
		{"as many as an event may hold that differ", "{" + many(mib/2) + "}", "4096 members", 4 * mib},
		{"nested names that differ", `{"a":{` + many(mib/2) + "}}", "missing", 32 * mib},
		{"unfinished object of many members", "{" + many(4*mib) + ",", "too early", mib},
		{"open brackets", fill(4*mib, "["), "nested deeper", mib},
		{"open braces", fill(4*mib, `{"a":`), "nested deeper", mib},
		{"elements with 4,000 levels", "[" + fill(4*mib, strings.Repeat("[", 4000)+strings.Repeat("]", 4000)+",") + "1]", "not a number", 8 * mib},
		{"a string without an end", `{"a":"` + fill(4*mib, `\\`), "too early", mib},
		{"documents in one line", fill(mib, "{}") + "{x", "missing", 8 * mib},
	} {
		body := []byte(c.body)
		d := newDecoder()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		start := threadTime(t)
		var last error
		for d.Reset(body, JSON); d.Next() && d.Index() < 10_000; {
			_, last = d.Event()
		}
		took := threadTime(t) - start
		runtime.ReadMemStats(&after)
		if d.Err() != nil {
			last = d.Err()
		}
		spent := after.TotalAlloc - before.TotalAlloc
		if last == nil || !strings.Contains(last.Error(), c.want) || took > within || spent > c.alloc {
			t.Errorf("%s: %v after %s (at most %s) and %d KiB (at most %d)", c.name, last, took, within, spent>>10, c.alloc>>10)
		}
		t.Logf("%s: %d KiB of body, %s, %d KiB allocated", c.name, len(body)>>10, took.Round(time.Microsecond), spent>>10)
	}
}

// threadTime returns the processor time that this thread has used.
func threadTime(t *testing.T) time.Duration {
	t.Helper()
	var used unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_THREAD, &used); err != nil {
		t.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
