package authn

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"
)

func TestAttempts(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	a := NewAttempts(func() time.Time { return now })
	here, there := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("::ffff:192.0.2.2")
	for i := range 10 {
		if left := a.Left(here); left != 10-i {
			t.Errorf("before attempt %d: %d left", i, left)
		}
		if wait, tell := a.Failed(here); wait != 0 || tell != (i == 0) {
			t.Fatalf("attempt %d: %v %v", i, wait, tell)
		}
	}
	if here, there := a.Left(here), a.Left(there); here != 0 || there != 10 {
		t.Errorf("left after ten: %d, and %d of another source", here, there)
	}
	for range 100 {
		if wait, tell := a.Failed(here); wait != 6*time.Second || tell {
			t.Fatalf("too many: %v %v", wait, tell)
		}
	}
	if wait, tell := a.Failed(there); wait != 0 || !tell {
		t.Errorf("another source: %v %v", wait, tell)
	}
	if wait, _ := a.Throttled(there); wait > 0 {
		t.Errorf("one failure throttles nobody: %v", wait)
	}
	throttled := func(from netip.Addr, want time.Duration, wantTold bool) {
		t.Helper()
		if wait, tell := a.Throttled(from); wait != want || tell != wantTold {
			t.Errorf("throttled for %v, told %v; want %v, %v", wait, tell, want, wantTold)
		}
	}
	if throttled(here, 6*time.Second, false); !a.Any() {
		t.Error("no source is throttled")
	}
	throttled(netip.MustParseAddr("192.0.2.9"), 0, false)
	now = now.Add(6 * time.Second)
	if throttled(here, 0, false); a.Any() {
		t.Error("a source has an attempt again")
	}
	if wait, _ := a.Failed(here); wait != 0 {
		t.Errorf("one is taken again: %v", wait)
	}
	if wait, _ := a.Failed(here); wait != 6*time.Second {
		t.Errorf("but not two: %v", wait)
	}
	now = now.Add(time.Hour)
	if wait, tell := a.Failed(here); wait != 0 || !tell {
		t.Errorf("an hour later: %v %v", wait, tell)
	}
}

// TestAttemptsOfManySources holds the bound: sources that find no room share one allowance, and room comes back.
func TestAttemptsOfManySources(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	a := NewAttempts(func() time.Time { return now })
	source := func(n uint32) netip.Addr {
		var b [16]byte
		b[0] = 0x20
		binary.BigEndian.PutUint32(b[4:], n)
		b[15] = byte(n) // the same network all the same
		return netip.AddrFrom16(b)
	}
	for n := range uint32(maxSources) {
		a.Failed(source(n))
	}
	refused := 0
	for n := range uint32(1000) {
		if wait, _ := a.Failed(source(maxSources + n)); wait > 0 {
			refused++
		}
	}
	if refused != 990 || len(a.sources) != maxSources {
		t.Errorf("%d refused, %d remembered", refused, len(a.sources))
	}
	if wait, _ := a.Throttled(source(1 << 20)); wait <= 0 {
		t.Error("those who found no room share one allowance")
	}
	now = now.Add(time.Minute)
	if wait, _ := a.Throttled(source(1 << 20)); wait > 0 {
		t.Errorf("still throttled: %v", wait)
	}
	if wait, _ := a.Failed(source(1 << 20)); wait != 0 || len(a.sources) != 1 {
		t.Errorf("wait %v, %d remembered", wait, len(a.sources))
	}
	if wait, _ := a.Failed(netip.Addr{}); wait != 0 {
		t.Errorf("no address is a source too: %v", wait)
	}
}
