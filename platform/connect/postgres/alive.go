package postgres

import (
	"context"
	"net"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sys/unix"
)

// idleUnchecked is how long a connection may be idle without a question to the server, who may have vanished without a word.
const idleUnchecked = time.Second

// doubtful reports whether a connection has to be pinged before it is used: when it was idle for long, or when the server sent
// something unasked, which is its farewell or the end of the connection.
func doubtful(_ context.Context, p pgxpool.ShouldPingParams) bool {
	return p.IdleDuration > idleUnchecked || !silent(p.Conn.PgConn().Conn())
}

// silent looks at the socket without reading from it and without a round trip.
func silent(conn net.Conn) bool {
	for {
		over, ok := conn.(interface{ NetConn() net.Conn }) // a session, or TLS
		if !ok {
			break
		}
		conn = over.NetConn()
	}
	sock, ok := conn.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := sock.SyscallConn()
	if err != nil {
		return false
	}
	empty := false
	err = raw.Control(func(fd uintptr) {
		var b [1]byte
		_, _, err := unix.Recvfrom(int(fd), b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
		empty = err == unix.EAGAIN
	})
	return err == nil && empty
}
