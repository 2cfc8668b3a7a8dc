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
)

// errRefused says that no credential was accepted. What the server said of each stays out: it could name the user.
var errRefused = errors.New("no user and password was accepted")

// maxReply bounds what is read of an answer to AUTH, in bytes.
const maxReply = 1 << 10

// dialer makes connections that are authenticated already.
type dialer struct {
	credentials *connect.Credentials
	sentinels   bool                            // some of the servers are Sentinels
	opening     atomic.Pointer[context.Context] // of the caller of Open while it waits: the library takes none
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

// dial connects, speaks TLS when that is asked for, and authenticates.
func (d *dialer) dial(ctx context.Context, addr string, tcp *net.Dialer, t *tls.Config) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialWithin)
	defer cancel()
	if opening := d.opening.Load(); opening != nil {
		defer context.AfterFunc(*opening, cancel)()
	}
	conn, err := connectTo(ctx, addr, tcp, t)
	if err != nil {
		return nil, err
	}
	if err := d.authenticate(ctx, conn); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

func connectTo(ctx context.Context, addr string, tcp *net.Dialer, t *tls.Config) (net.Conn, error) {
	if t == nil {
		return tcp.DialContext(ctx, "tcp", addr)
	}
	return (&tls.Dialer{NetDialer: tcp, Config: t}).DialContext(ctx, "tcp", addr)
}

// authenticate tries the credentials in order. Without any the connection stays as it is.
func (d *dialer) authenticate(ctx context.Context, conn net.Conn) error {
	order := d.credentials.Order()
	if len(order) == 0 {
		return nil
	}
	// The end of ctx ends the waiting, not a deadline of the connection's own: that could fire first, and the caller would not see its
	// own deadline in ctx.
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Now()) })()
	for _, c := range order {
		reply, err := ask(conn, "AUTH", user(c), c.Password.Reveal())
		if err != nil {
			return fmt.Errorf("authenticate: %w", err)
		}
		switch {
		case reply == "+OK":
			d.credentials.Worked(c)
			return ready(ctx, conn)
		case !refuses(reply):
			return fmt.Errorf("authenticate: %w", answer(strings.TrimPrefix(reply, "-")))
		}
	}
	if d.sentinels && needsNoPassword(conn) {
		return ready(ctx, conn)
	}
	return errRefused
}

func user(c Credential) string {
	if c.User == "" {
		return "default"
	}
	return c.User
}

// refuses reports whether an answer to AUTH is about the credential: a wrong one, a user that is off, or no such user.
func refuses(reply string) bool { return strings.HasPrefix(reply, "-WRONGPASS") }

// answer is an error that Redis gave to AUTH. Only its first word is shown: the rest could repeat the command.
type answer string

func (a answer) Error() string {
	word, _, _ := strings.Cut(string(a), " ")
	return "Redis answers " + strconv.Quote(word)
}

// needsNoPassword reports whether the server is a Sentinel that asks for no password, as many do.
func needsNoPassword(conn net.Conn) bool {
	reply, err := ask(conn, "SENTINEL", "MYID")
	if err != nil || !strings.HasPrefix(reply, "$") {
		return false
	}
	_, err = readLine(conn) // the id itself
	return err == nil
}

// ready gives the connection to the library without a deadline, unless the time is over.
func ready(ctx context.Context, conn net.Conn) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("authenticate: %w", err)
	}
	return conn.SetDeadline(time.Time{})
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
