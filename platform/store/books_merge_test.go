package store

import (
	"testing"
	"time"
)

func TestBooksFrom(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		to     int64
		window time.Duration
		want   int64
	}{
		{100_000*60 + 17, time.Hour, 99_999*60 + 17},
		{100_000*60 + 17, 71 * time.Hour, (100_000-71)*60 + 17},
		{100_000*60 + 17, 72 * time.Hour, (100_000 - 72) * 60},
		{100_000*60 + 17, 720 * time.Hour, (100_000 - 720) * 60},
		{100_000 * 60, 720 * time.Hour, (100_000 - 720) * 60},
	} {
		if got := BooksFrom(c.to, c.window); got != c.want {
			t.Errorf("%s before minute %d: %d, want %d", c.window, c.to, got, c.want)
		}
	}
}
