package dest

import (
	"net/http"
	"testing"
	"time"
	"unicode/utf8"
)

func FuzzRetryAfter(f *testing.F) {
	for _, s := range []string{"", "0", "120", "-1", "1e9", "99999999999999999999", "Wed, 02 Jan 2030 03:04:05 GMT", "soon", " 5 "} {
		f.Add(s, "Wed, 02 Jan 2030 03:04:00 GMT")
	}
	f.Fuzz(func(t *testing.T, after, date string) {
		h := http.Header{"Retry-After": {after}, "Date": {date}}
		if d := RetryAfter(h, time.Unix(0, 0)); d < 0 || d > MaxRetryAfter {
			t.Fatalf("%q: %v", after, d)
		}
	})
}

func TestRetryAfterDateCountsFromTheirClock(t *testing.T) {
	t.Parallel()
	now := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC) // ours is years behind
	h := http.Header{"Retry-After": {"Wed, 02 Jan 2030 03:04:05 GMT"}, "Date": {"Wed, 02 Jan 2030 03:04:00 GMT"}}
	if d := RetryAfter(h, now); d != 5*time.Second {
		t.Errorf("got %v", d)
	}
	h.Del("Date")
	if d := RetryAfter(h, now); d != MaxRetryAfter {
		t.Errorf("without a Date ours counts, bounded: %v", d)
	}
}

func FuzzPrintable(f *testing.F) {
	f.Add([]byte("plain"))
	f.Add([]byte("\xff\x00\n\r\x7f"))
	f.Fuzz(func(t *testing.T, b []byte) {
		s := printable(b)
		if !utf8.ValidString(s) {
			t.Fatalf("%q", s)
		}
		for _, r := range s {
			if r < ' ' || r == 0x7f {
				t.Fatalf("%q", s)
			}
		}
	})
}
