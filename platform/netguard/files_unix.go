//go:build unix

package netguard

import (
	"math"

	"golang.org/x/sys/unix"
)

// fileLimit returns how many files this process may have open; 0 when that is not known. Go raises the soft limit to the hard one.
func fileLimit() int {
	var l unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &l) != nil {
		return 0
	}
	return int(min(uint64(l.Cur), math.MaxInt32))
}
