package testkit

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
)

// Ports come from below the range that the system gives to outgoing connections: a client that dials a stopped server could
// otherwise be connected to itself, or take its port.
const firstPort, lastPort = 20000, 32000

// FreePort reserves a TCP and UDP port of 127.0.0.1 until the test ends, also while the server is stopped. Other tests, of other
// processes too, see the reservation as a file lock, which ends with this process.
func FreePort(t testing.TB) int {
	t.Helper()
	dir := cacheDir(t, os.TempDir())
	for range 1000 {
		port := firstPort + rand.IntN(lastPort-firstPort)
		lock, err := os.OpenFile(filepath.Join(dir, "port-"+strconv.Itoa(port)), os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			t.Fatalf("reserve a port: %v", err)
		}
		if unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil && free(port) {
			t.Cleanup(func() { _ = lock.Close() })
			return port
		}
		_ = lock.Close()
	}
	t.Fatal("no free port found")
	return 0
}

func free(port int) bool {
	addr := "127.0.0.1:" + strconv.Itoa(port)
	tcp, err := net.Listen("tcp", addr)
	if err != nil {
		return false
	}
	defer func() { _ = tcp.Close() }() // nothing was accepted
	udp, err := net.ListenPacket("udp", addr)
	return err == nil && udp.Close() == nil
}

// cacheDir gives a directory of this user that outlives the test process.
func cacheDir(t testing.TB, parent string) string {
	t.Helper()
	dir := filepath.Join(parent, fmt.Sprintf("mutt-testkit-%d", os.Geteuid()))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatalf("make the test servers' cache: %v", err)
	}
	return dir
}
