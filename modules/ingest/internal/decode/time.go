package decode

import (
	"strings"
	"time"

	"github.com/muttproject/mutt/modules/ingest/internal/stamp"
)

// parseTime reads a timestamp that is all of s, in UTC when it names no zone. The result and now are in Unix µs.
func parseTime(s string, now int64) (us int64, ok bool) {
	s = strings.TrimSpace(s)
	if us, n, ok := stamp.Read(s, time.UnixMicro(now), time.UTC); n == len(s) && n > 0 {
		return us, ok
	}
	return stamp.Number(s)
}
