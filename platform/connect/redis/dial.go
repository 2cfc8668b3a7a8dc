package redis

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"

	"github.com/muttproject/mutt/platform/connect"
	"github.com/muttproject/mutt/platform/connect/tlsconf"
)

// maxReply bounds what is read of an answer to AUTH, in bytes.
const maxReply = 1 << 10

// dialer makes connections that are logged in already.
type dialer struct {
	credentials *connect.Credentials
	exposure    *connect.Exposure
	tls         tlsconf.Client
	sentinels   bool                            // some of the servers are Sentinels
	opening     atomic.Pointer[context.Context] // of the caller of open while it waits: the library takes none
}

// open makes the client and sees it answer.
func (d *dialer) open(ctx context.Context, o rueidis.ClientOption) (rueidis.Client, error) {
	d.opening.Store(&ctx)
	defer d.opening.Store(nil)
	client, err := rueidis.NewClient(o)
	if err == nil {
		err = client.Do(ctx, client.B().Ping().Build()).Error()
	}
	if err != nil {
		if client != nil {
			client.Close()
		}
		return nil, errors.Join(err, ctx.Err())
	}
	return client, nil
}

// dial connects, speaks TLS when that is asked for, and logs in.
func (d *dialer) dial(ctx context.Context, addr string, tcp *net.Dialer, _ *tls.Config) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, loginWithin)
	defer cancel()
	if opening := d.opening.Load(); opening != nil {
		defer context.AfterFunc(*opening, cancel)()
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	t, asked := d.tls.For(host)
	conn, err := connectTo(ctx, addr, tcp, t)
	if err != nil {
		return nil, asked.Because(err)
	}
	in, err := d.login(ctx, addr, conn)
	var said answer
	switch {
	case errors.As(err, &said):
		return nil, errors.Join(err, conn.Close())
	case err != nil:
		return nil, errors.Join(asked.Because(err), conn.Close())
	}
	d.exposure.Connected(conn.RemoteAddr(), t, d.credentials.Any())
	return in, nil
}

func connectTo(ctx context.Context, addr string, tcp *net.Dialer, t *tls.Config) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	if t == nil {
		return tcp.DialContext(ctx, "tcp", addr)
	}
	return (&tls.Dialer{NetDialer: tcp, Config: t}).DialContext(ctx, "tcp", addr)
}

// login tries the credentials on one connection. Without any it stays as it is.
func (d *dialer) login(ctx context.Context, addr string, conn net.Conn) (net.Conn, error) {
	if !d.credentials.Any() {
		return conn, nil
	}
	if d.sentinels {
		free, err := bounded(ctx, conn, func() (bool, error) { return needsNoPassword(conn) })
		if free || err != nil {
			return conn, err
		}
	}
	one, err := d.credentials.Login(ctx, addr, func(ctx context.Context, c Credential) error {
		_, err := bounded(ctx, conn, func() (bool, error) { return true, authenticate(conn, c) })
		return err
	})
	if err != nil {
		return nil, err
	}
	return d.credentials.Track(conn, addr, one), nil
}

// bounded asks the server something on a new connection.
func bounded(ctx context.Context, conn net.Conn, ask func() (bool, error)) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	// The end of ctx ends the waiting, not a deadline of the connection's own: that could fire first, and the caller would not see its
	// own deadline in ctx.
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Now()) })
	yes, err := ask()
	if !stop() {
		err = errors.Join(err, ctx.Err())
	}
	if err != nil {
		return false, fmt.Errorf("authenticate: %w", err)
	}
	return yes, nil
}

// authenticate tries one credential, which counts only when the server answers under it.
func authenticate(conn net.Conn, c Credential) error {
	for _, command := range [][]string{{"AUTH", user(c), c.Password.Reveal()}, {"PING"}} {
		reply, err := ask(conn, command...)
		switch {
		case err != nil:
			return err
		case refuses(reply):
			return fmt.Errorf("%w: %w", connect.ErrRefused, answer(strings.TrimPrefix(reply, "-")))
		case !strings.HasPrefix(reply, "+"):
			return answer(strings.TrimPrefix(reply, "-"))
		}
	}
	return nil
}

func user(c Credential) string {
	if c.User == "" {
		return "default"
	}
	return c.User
}

// refuses reports whether an answer is about the credential: a wrong one, a user that is off, or no such user.
func refuses(reply string) bool {
	return strings.HasPrefix(reply, "-WRONGPASS") || strings.HasPrefix(reply, "-NOAUTH")
}

// answer is an error that Redis gave at the login. Only its first word is shown: the rest could repeat the command.
type answer string

func (a answer) Error() string {
	word, _, _ := strings.Cut(string(a), " ")
	return "Redis answers " + strconv.Quote(word)
}

// needsNoPassword reports whether the server is a Sentinel that asks for no password, as many do.
func needsNoPassword(conn net.Conn) (bool, error) {
	reply, err := ask(conn, "SENTINEL", "MYID")
	if err != nil || !strings.HasPrefix(reply, "$") {
		return false, err
	}
	_, err = readLine(conn) // the id itself
	return err == nil, err
}

// ask sends a command and gives the first line of the answer.
func ask(conn net.Conn, args ...string) (string, error) {
	out := []byte("*" + strconv.Itoa(len(args)) + "\r\n")
	for _, a := range args {
		out = append(out, "$"+strconv.Itoa(len(a))+"\r\n"+a+"\r\n"...)
	}
	if _, err := conn.Write(out); err != nil {
		return "", err
	}
	return readLine(conn)
}

// readLine reads byte by byte, because what follows the line belongs to the library.
func readLine(conn io.Reader) (string, error) {
	var line []byte
	for b := make([]byte, 1); !bytes.HasSuffix(line, []byte("\r\n")); line = append(line, b[0]) {
		if len(line) > maxReply {
			return "", errors.New("the answer is too long for a Redis")
		}
		if _, err := io.ReadFull(conn, b); err != nil {
			return "", err
		}
	}
	return string(line[:len(line)-2]), nil
}
