package postgres_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/muttproject/mutt/platform/connect/postgres"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/secret"
	"github.com/muttproject/mutt/platform/testkit"
)

func TestAdministratorDSN(t *testing.T) {
	t.Parallel()
	ca := testkit.NewAuthority(t).CAFile
	for dsn, words := range map[string]string{ // what is refused, and with which words
		"postgres://postgres:hush@db.example.net/mutt":                                                    "sslmode=verify-full",
		"postgres://postgres:hush@db.example.net/mutt?sslmode=disable":                                    "sslmode=verify-full",
		"postgres://postgres:hush@db.example.net/mutt?sslmode=prefer":                                     "sslmode=verify-full",
		"postgres://postgres:hush@db.example.net/mutt?sslmode=require":                                    "sslmode=verify-full",
		"postgres://postgres:hush@db.example.net/mutt?sslmode=verify-ca&sslrootcert=" + ca:                "sslmode=verify-full",
		"host=10.0.0.1 user=postgres password=hush":                                                       "sslmode=verify-full",
		"postgres://postgres:hush@127.0.0.1,db.example.net/mutt":                                          "sslmode=verify-full",
		"postgres://postgres:hush@localhost.example.net/mutt":                                             "sslmode=verify-full",
		"postgres://postgres:hush@db.example.net/mutt?sslmode=verify-full&sslrootcert=" + ca:              "",
		"postgres://postgres:hush@db.example.net/mutt?sslmode=verify-full&sslrootcert=" + ca + "\r\n":     "",
		"postgres://postgres:hush@a.example.net,b.example.net/mutt?sslmode=verify-full&sslrootcert=" + ca: "",
		"postgres://postgres:hush@127.0.0.1:5432/mutt":                                                    "",
		"postgres://postgres:hush@[::1]/mutt":                                                             "",
		"postgres://postgres:hush@localhost/mutt":                                                         "",
		"host=/var/run/postgresql user=postgres":                                                          "",
		"postgres://postgres:hush%@127.0.0.1/mutt":                                                        "not understood",
		"postgres://postgres:hush%25@127.0.0.1/mutt":                                                      "",
		"postgres://postgres:hush#1?@127.0.0.1/mutt":                                                      "",
		"postgres://postgres:hu\nsh@db.example.net/mutt":                                                  "line break",
		"postgres://postgres:hu\x00sh@db.example.net/mutt":                                                "control character",
	} {
		_, err := postgres.NewAdministrator(secret.New(dsn))
		if words == "" {
			if err != nil {
				t.Errorf("%s: %v", dsn, err)
			}
			continue
		}
		f, ok := fault.As(err)
		if !ok || !strings.Contains(f.Message, words) || !strings.Contains(f.Remedy, "sslmode=verify-full") || strings.Contains(f.Message+f.Remedy, "hush") {
			t.Errorf("%s: %v", dsn, err)
		}
	}
}

// TestAdministratorOfAFakeServer: a server on this machine that wants the password itself does not get it.
func TestAdministratorOfAFakeServer(t *testing.T) {
	t.Parallel()
	for name, asks := range map[string][]byte{"clear text": {0, 0, 0, 3}, "md5": {0, 0, 0, 5, 1, 2, 3, 4}, "nothing": {0, 0, 0, 0}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			addr, got := fakePostgres(t, asks)
			a, err := postgres.NewAdministrator(secret.New(fmt.Sprintf("postgres://postgres:hush-hush@%s/mutt", addr)))
			if err != nil {
				t.Fatal(err)
			}
			mustFail(t, a.SetPassword(t.Context(), "mutt", secret.New("the-next-one")), fault.ConfigInvalid, "scram-sha-256")
			if sent := got(); bytes.Contains(sent, []byte("hush-hush")) || bytes.Contains(sent, []byte("md5")) || bytes.Contains(sent, []byte("SCRAM-SHA-256$")) {
				t.Errorf("the server got %q", sent)
			}
		})
	}
}

// fakePostgres refuses TLS, asks for an authentication and keeps what it is sent.
func fakePostgres(t *testing.T, asks []byte) (addr string, got func() []byte) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var sent bytes.Buffer
	var running sync.WaitGroup
	serve := func(c net.Conn) {
		defer c.Close()
		for {
			var head [8]byte
			if _, err := io.ReadFull(c, head[:]); err != nil {
				return
			}
			rest := make([]byte, binary.BigEndian.Uint32(head[:4])-8)
			if _, err := io.ReadFull(c, rest); err != nil {
				return
			}
			if code := binary.BigEndian.Uint32(head[4:]); code == 80877103 || code == 80877104 {
				_, _ = c.Write([]byte("N"))
				continue
			}
			break
		}
		_, _ = c.Write(append(binary.BigEndian.AppendUint32([]byte("R"), uint32(4+len(asks))), asks...))
		text, _ := io.ReadAll(c)
		mu.Lock()
		sent.Write(text)
		mu.Unlock()
	}
	running.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			running.Go(func() { serve(c) })
		}
	})
	t.Cleanup(func() { _ = l.Close(); running.Wait() })
	return l.Addr().String(), func() []byte {
		mu.Lock()
		defer mu.Unlock()
		return bytes.Clone(sent.Bytes())
	}
}
