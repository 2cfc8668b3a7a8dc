package pipeline

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func genMarks() *rapid.Generator[[]mark] {
	return rapid.Custom(func(t *rapid.T) []mark {
		return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) mark {
			m := mark{state: rapid.SampledFrom([]state{pending, delivered, delivered, delivered, scheduled, dead}).Draw(t, "state")}
			if m.state == scheduled {
				m.attempts = rapid.IntRange(0, 100).Draw(t, "attempts")
				m.due = fromMillis(rapid.Int64Range(0, 1<<42).Draw(t, "due"))
				m.first = fromMillis(rapid.Int64Range(0, 1<<42).Draw(t, "first"))
				m.asked = rapid.Bool().Draw(t, "asked")
			}
			return m
		}), 1, 600).Draw(t, "marks")
	})
}

func TestProgressRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		want := genMarks().Draw(rt, "marks")
		got, _, err := decodeProgress(appendProgress(nil, len(want), func(i int) mark { return want[i] }), len(want))
		if err != nil {
			rt.Fatal(err)
		}
		if d := cmp.Diff(want, got, cmp.AllowUnexported(mark{})); d != "" {
			rt.Fatal(d)
		}
	})
}

func TestProgressOfAWholeEntryIsSmall(t *testing.T) {
	t.Parallel()
	note := appendProgress(nil, 500, func(i int) mark {
		if i < 300 {
			return mark{state: delivered}
		}
		return mark{}
	})
	if len(note) > 10 {
		t.Fatalf("%d bytes", len(note))
	}
}

func TestProgressOfOthers(t *testing.T) {
	t.Parallel()
	if m, _, err := decodeProgress(nil, 3); m != nil || err != nil {
		t.Fatal("no note means no progress")
	}
	good := appendProgress(nil, 3, func(int) mark { return mark{state: scheduled, attempts: 2, due: time.UnixMilli(5)} })
	for n := 1; n < len(good); n++ {
		if _, _, err := decodeProgress(good[:n], 3); !errors.Is(err, errCorruptProgress) {
			t.Fatalf("cut at %d: %v", n, err)
		}
	}
	if _, _, err := decodeProgress(good, 4); !errors.Is(err, errCorruptProgress) {
		t.Fatalf("of another entry: %v", err)
	}
	good[0]++
	if _, _, err := decodeProgress(good, 3); !errors.Is(err, errNewerProgress) {
		t.Fatalf("newer: %v", err)
	}
}

// TestProgressGolden holds the formats: a note that a released version wrote must stay readable.
func TestProgressGolden(t *testing.T) {
	t.Parallel()
	want := []mark{{state: delivered}, {state: delivered}, {}, {state: scheduled, attempts: 3, due: time.UnixMilli(1000)}, {state: dead}, {state: dead}}
	for version, row := range map[int]struct {
		note    string
		counted bool
	}{
		1: {"\x01\x06\x01\x02\x00\x01\x02\x03\xd0\x0f\x00\x03\x02", false},
		2: {"\x02\x06\x01\x02\x00\x01\x02\x03\xd0\x0f\x00\x01\x03\x02", true},
	} {
		want[3].asked = version == 2
		got, counted, err := decodeProgress([]byte(row.note), 6)
		if err != nil || counted != row.counted {
			t.Fatalf("version %d: counted %v, %v", version, counted, err)
		}
		if d := cmp.Diff(want, got, cmp.AllowUnexported(mark{})); d != "" {
			t.Fatal(d)
		}
		if again := appendProgress(nil, 6, func(i int) mark { return want[i] }); version == progressVersion && string(again) != row.note {
			t.Fatalf("written as %q", again)
		}
	}
}

func FuzzProgress(f *testing.F) {
	f.Add([]byte("\x01\x06\x01\x02\x00\x01\x02\x03\xd0\x0f\x00\x03\x02"), 6)
	f.Add([]byte("\x01\x01\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), 1)
	f.Add([]byte{}, 0)
	f.Fuzz(func(t *testing.T, note []byte, n int) {
		if n < 0 || n > 1<<16 {
			return
		}
		marks, _, err := decodeProgress(note, n)
		if err != nil || len(note) == 0 {
			return
		}
		if len(marks) != n {
			t.Fatalf("%d marks for %d alerts", len(marks), n)
		}
		again, _, err := decodeProgress(appendProgress(nil, n, func(i int) mark { return marks[i] }), n)
		if err != nil || !cmp.Equal(marks, again, cmp.AllowUnexported(mark{})) {
			t.Fatalf("not stable: %v", err)
		}
	})
}

func TestFullJitterStaysWithinItsBound(t *testing.T) {
	t.Parallel()
	s := Settings{BaseDelay: time.Second, MaxDelay: 5 * time.Second}
	for n, bound := range map[int]time.Duration{1: time.Second, 2: 2 * time.Second, 3: 4 * time.Second, 4: 5 * time.Second, 4000: 5 * time.Second} {
		var most time.Duration
		for range 2000 {
			d := s.fullJitter(n)
			if d < 0 || d >= bound {
				t.Fatalf("failure %d: %v, bound %v", n, d, bound)
			}
			most = max(most, d)
		}
		if most < bound*9/10 {
			t.Errorf("failure %d: at most %v of %v: not the full jitter", n, most, bound)
		}
	}
	if (Settings{}).fullJitter(3) != 0 {
		t.Error("no base delay, no delay")
	}
}
