package postgres

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/muttproject/mutt/platform/connect"
	"github.com/muttproject/mutt/platform/connect/tlsconf"
)

// opener makes sessions: connections that are logged in already. The pool's library takes one user and password for a connection
// and tells of a refusal only when the connection has failed, together with the query that needed it. So it gets connections
// that need no login, and the login with one credential after the other happens here.
type opener struct {
	credentials *connect.Credentials
	exposure    *connect.Exposure
	server      string // host:port
	config      *pgconn.Config
	tls         tlsconf.Client
}

// dial takes the place of the library's own.
func (o *opener) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	s, err := o.open(ctx)
	if err != nil {
		return nil, err
	}
	return s, nil
}

func (o *opener) open(ctx context.Context) (*session, error) {
	var made *pgconn.PgConn
	one, err := o.credentials.Login(ctx, o.server, func(ctx context.Context, c connect.Credential) (err error) {
		made, err = o.connect(ctx, c)
		return err
	})
	if err != nil {
		return nil, err
	}
	err = made.SyncConn(ctx) // nothing may be left in its buffers
	if err != nil {
		return nil, errors.Join(err, made.Close(ctx))
	}
	h, err := made.Hijack()
	if err != nil {
		return nil, fmt.Errorf("take over the connection: %w", err)
	}
	greeting, err := greet(h)
	if err != nil {
		return nil, errors.Join(err, h.Conn.Close())
	}
	return &session{Conn: o.credentials.Track(h.Conn, o.server, one), greeting: greeting}, nil
}

// connect logs in. It includes a first query (ValidateConnect), without which a credential would not count as working.
func (o *opener) connect(ctx context.Context, c connect.Credential) (*pgconn.PgConn, error) {
	cc := o.config.Copy()
	cc.User, cc.Password = c.User, c.Password.Reveal()
	var asked *tlsconf.Asked
	cc.TLSConfig, asked = o.tls.For(cc.Host)
	if cc.TLSConfig == nil {
		cc.RequireAuth = "!password" // it would cross the network as it is
	}
	conn, err := pgconn.ConnectConfig(ctx, cc)
	var failed *pgconn.ConnectError
	if errors.As(err, &failed) {
		err = failed.Unwrap() // its own text names the role
	}
	switch {
	case isRefusal(err):
		return nil, refusal{err}
	case err == nil:
		o.exposure.Connected(conn.Conn().RemoteAddr(), cc.TLSConfig, cc.Password != "")
	case strings.HasSuffix(err.Error(), "server refused TLS connection"): // the library has no value for it
		err = errors.Join(err, tlsconf.ErrNoTLS)
	case State(err) == "":
		err = asked.Because(err)
	}
	return conn, err
}

// refusal says that another credential may be right.
type refusal struct{ error }

func (refusal) Is(target error) bool { return target == connect.ErrRefused }

func (r refusal) Unwrap() error { return r.error }

// session is a connection that is logged in already. Whoever begins to speak as a client does gets the answers of the login that
// was, and from then on speaks to the server.
type session struct {
	*connect.Conn
	begun    atomic.Bool
	greeting []byte // not read yet
}

// greet gives what a server answers to a client that need not say who it is.
func greet(h *pgconn.HijackedConn) (out []byte, err error) {
	all := []pgproto3.BackendMessage{&pgproto3.AuthenticationOk{}}
	for name, value := range h.ParameterStatuses {
		all = append(all, &pgproto3.ParameterStatus{Name: name, Value: value})
	}
	all = append(all, &pgproto3.BackendKeyData{ProcessID: h.PID, SecretKey: h.SecretKey}, &pgproto3.ReadyForQuery{TxStatus: h.TxStatus})
	for _, m := range all {
		if out, err = m.Encode(out); err != nil {
			return nil, fmt.Errorf("repeat the server's greeting: %w", err)
		}
	}
	return out, nil
}

// Write takes the first message, which the server has got already.
func (s *session) Write(b []byte) (int, error) {
	if s.begun.Load() {
		return s.Conn.Write(b)
	}
	if len(b) < 4 || int(binary.BigEndian.Uint32(b)) != len(b) {
		return 0, errors.New("a connection begins with a startup message, in one piece")
	}
	s.begun.Store(true)
	return len(b), nil
}

// Read gives the greeting first.
func (s *session) Read(b []byte) (int, error) {
	if len(s.greeting) == 0 {
		return s.Conn.Read(b)
	}
	n := copy(b, s.greeting)
	s.greeting = s.greeting[n:]
	return n, nil
}

// retired reports that a connection of the pool should be replaced.
func retired(c *pgx.Conn) bool {
	s, ok := c.PgConn().Conn().(*session)
	return ok && s.Retired()
}
