package acceptance

import (
	"math/rand/v2"
	"net"
	"strconv"
	"testing"
)

// freePort finds a TCP and UDP port that is free and below the range from which the kernel takes ports for outgoing
// connections, so that no sender sits on it while the process under test restarts.
func freePort(t *testing.T) int {
	t.Helper()
	for range 200 {
		port := 20_000 + rand.IntN(12_000)
		addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		tcp, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", addr)
		if err != nil {
			continue
		}
		udp, err := (&net.ListenConfig{}).ListenPacket(t.Context(), "udp", addr)
		_ = tcp.Close()
		if err != nil {
			continue
		}
		_ = udp.Close()
		return port
	}
	t.Fatal("no free port was found")
	return 0
}
