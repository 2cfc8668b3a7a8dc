package bench

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// cpuTime is the CPU time that this process and the processes of PostgreSQL have used. What a query adds to it is what it
// takes where nothing else runs and all is in memory; how long it takes here depends on who else is running.
func (a *audit) cpuTime() time.Duration {
	a.b.Helper()
	var self syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &self); err != nil {
		a.b.Fatal(err)
	}
	used := time.Duration(self.Utime.Nano() + self.Stime.Nano())
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", a.pid, a.pid))
	if err != nil {
		a.b.Fatal(err)
	}
	for _, pid := range strings.Fields(string(children)) {
		text, err := os.ReadFile("/proc/" + pid + "/schedstat") // nanoseconds on a CPU, waiting, turns
		if err != nil {
			continue // it ended meanwhile
		}
		first, _, _ := strings.Cut(string(text), " ")
		n, err := strconv.ParseInt(first, 10, 64)
		if err != nil {
			a.b.Fatal(err)
		}
		used += time.Duration(n)
	}
	return used
}
