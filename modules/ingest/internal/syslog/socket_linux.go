package syslog

import (
	"net"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// dontWait makes a read of an empty socket fail at once.
const dontWait = unix.MSG_DONTWAIT

// shareBeforeBind sets SO_REUSEPORT on a socket that is not yet bound.
func shareBeforeBind(_, _ string, c syscall.RawConn) error { return share(c) }

// shareAfterBind lets further sockets of this user bind to the port of conn.
func shareAfterBind(conn *net.UDPConn) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	return share(raw)
}

func share(c syscall.RawConn) error {
	return control(c, func(fd int) error { return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1) })
}

// growReceiveBuffer asks for a receive buffer beyond net.core.rmem_max, which needs CAP_NET_ADMIN, else up to it.
func growReceiveBuffer(conn *net.UDPConn, bytes int) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	return control(raw, func(fd int) error {
		if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, bytes) == nil {
			return nil
		}
		return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, bytes)
	})
}

// Positions in the answer of SO_MEMINFO (linux/sock_diag.h).
const (
	memInfoRcvbuf = 1
	memInfoDrops  = 8
	memInfoWords  = 9
)

// memInfo gives the size of a socket's receive buffer and how many datagrams the kernel dropped for want of it
// (SO_MEMINFO, since Linux 4.12). In contrast to SO_RXQ_OVFL it needs no further datagram to be told.
func memInfo(conn *net.UDPConn) (rcvbuf, drops int64) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, 0
	}
	var words [memInfoWords]uint32
	err = control(raw, func(fd int) error {
		size := uint32(unsafe.Sizeof(words))
		_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_MEMINFO,
			uintptr(unsafe.Pointer(&words)), uintptr(unsafe.Pointer(&size)), 0)
		if errno != 0 {
			return errno
		}
		return nil
	})
	if err != nil {
		return 0, 0
	}
	return int64(words[memInfoRcvbuf]), int64(words[memInfoDrops])
}

func control(c syscall.RawConn, f func(fd int) error) error {
	var inner error
	if err := c.Control(func(fd uintptr) { inner = f(int(fd)) }); err != nil {
		return err
	}
	return inner
}
