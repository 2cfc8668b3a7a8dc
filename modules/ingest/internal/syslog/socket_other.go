//go:build !linux

package syslog

import (
	"errors"
	"net"
	"syscall"
)

// dontWait is not known here: what the kernel holds when the listener stops is lost.
const dontWait = 0

func shareBeforeBind(_, _ string, _ syscall.RawConn) error { return nil }

// shareAfterBind fails: one socket reads.
func shareAfterBind(*net.UDPConn) error { return errors.ErrUnsupported }

func growReceiveBuffer(conn *net.UDPConn, bytes int) error { return conn.SetReadBuffer(bytes) }

func memInfo(*net.UDPConn) (rcvbuf, drops int64) { return 0, 0 }
