package vault

import (
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"go.uber.org/zap"
)

// TestPlainVaultBeyondThisMachine makes a call over http to loopback, and to an address of the network.
func TestPlainVaultBeyondThisMachine(t *testing.T) {
	t.Parallel()
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addrs {
		ip, ok := a.(*net.IPNet)
		if !ok || ip.IP.To4() == nil {
			continue
		}
		l, err := net.Listen("tcp", net.JoinHostPort(ip.IP.String(), "0"))
		if err != nil {
			t.Fatal(err)
		}
		s := httptest.NewUnstartedServer(http.NotFoundHandler())
		s.Listener = l
		s.Start()
		e := Exposure(zap.NewNop())
		c, err := NewClient(Server{Addr: s.URL, Exposure: e})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.call(t.Context(), request{method: http.MethodGet, path: "sys/health"}); err == nil {
			t.Error("the call was answered")
		}
		if warned := len(e.Warnings()) == 1; warned == ip.IP.IsLoopback() {
			t.Errorf("at %s: %q", ip.IP, e.Warnings())
		}
		c.Close()
		s.Close()
	}
}
