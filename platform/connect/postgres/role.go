package postgres

import (
	"context"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/muttproject/mutt/platform/connect"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/secret"
)

// Administrator changes the passwords of roles. It makes a connection for each call.
type Administrator struct{ config *pgx.ConnConfig }

// adminWithin bounds one call.
const adminWithin = 10 * time.Second

// What a server must ask of a client that shows it a password (libpq's require_auth). A server whose identity was verified by other
// means may ask for nothing, as it does where it knows the client by its certificate or its user at the other end of a socket.
const (
	requireScram       = "scram-sha-256"
	requireScramOrNone = "scram-sha-256,none"
)

// NewAdministrator takes a connection string of a superuser, or of a role that may alter the others. The string must name a server
// that cannot be another one: by a verified certificate, or because it runs on this machine. NewAdministrator does no I/O. Its error
// shows nothing of the string.
func NewAdministrator(dsn secret.Secret) (*Administrator, error) {
	const example = "give a DSN such as postgres://postgres:PASSWORD@db.example.net:5432/mutt?sslmode=verify-full&sslrootcert=/etc/mutt/postgres-ca.pem"
	text, err := secret.DSN.Fit(dsn.Reveal())
	if err != nil {
		return nil, fault.New(fault.SecretUnfit, "the administrator's DSN of PostgreSQL %s", err).WithRemedy(example)
	}
	c, err := pgx.ParseConfig(text)
	if err != nil { // whose text repeats the string
		return nil, fault.New(fault.ConfigInvalid, "the administrator's DSN of PostgreSQL is not understood").
			WithRemedy("in a URL, write a percent sign of the password as %%25; %s", example)
	}
	require := requireScramOrNone
	for _, to := range append([]*pgconn.FallbackConfig{{Host: c.Host, Port: c.Port, TLSConfig: c.TLSConfig}}, c.Fallbacks...) {
		network, _ := pgconn.NetworkAddress(to.Host, to.Port)
		verified := to.TLSConfig != nil && !to.TLSConfig.InsecureSkipVerify
		switch {
		case network == "unix", verified:
		case connect.ThisMachine(to.Host):
			require = requireScram // only the exchange itself proves which server it is
		default:
			return nil, fault.New(fault.ConfigInvalid,
				"the administrator's DSN of PostgreSQL must have sslmode=verify-full, as the server is not reached by a loopback address or a socket: "+
					"without it, passwords would go to any server that answers").WithRemedy(example)
		}
	}
	if c.RequireAuth != requireScram {
		c.RequireAuth = require
	}
	c.ConnectTimeout = connectWithin
	return &Administrator{c}, nil
}

// User is who the administrator logs in as.
func (a *Administrator) User() string { return a.config.User }

// MayAlter sees that the role exists, that the administrator may give it a password, and that the server asks for it: one that lets
// everybody in would make every later check worthless.
func (a *Administrator) MayAlter(ctx context.Context, role string) error {
	err := a.run(ctx, func(ctx context.Context, c *pgx.Conn) error {
		var may bool
		err := c.QueryRow(ctx, mayAlter, role).Scan(&may)
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			return fault.New(fault.NotFound, "PostgreSQL has no role of the name in DB_USER").WithRemedy("correct DB_USER in the secrets, or the server of the administrator's DSN")
		case err != nil:
			return err
		case !may:
			return mayNot(nil)
		}
		return nil
	})
	if err != nil {
		return Fault(err, fault.StoreUnavailable, "look at the role in PostgreSQL")
	}
	anyone, err := a.Accepts(ctx, role, secret.New(rand.Text()))
	if err == nil && anyone {
		err = fault.New(fault.ConfigInvalid, "PostgreSQL lets the role in DB_USER in with any password from here, so that no password can be checked").
			WithRemedy("use scram-sha-256 in pg_hba.conf for this host, or run the command from another one")
	}
	return err
}

// mayAlter: a superuser may, and each role itself. CREATEROLE may for roles that are no superusers; since PostgreSQL 16 only for those that
// it has with ADMIN OPTION, as it has what it created itself.
const mayAlter = `SELECT me.rolsuper OR me.rolname = r.rolname OR me.rolcreaterole AND NOT r.rolsuper
		AND (current_setting('server_version_num')::int < 160000 OR pg_has_role(r.oid, 'MEMBER WITH ADMIN OPTION'))
	FROM pg_roles me, pg_roles r WHERE me.rolname = current_user AND r.rolname = $1`

// mayNot says that the administrator has too few rights. err is what the server said, nil when it was not tried.
func mayNot(err error) error {
	const message = "the administrator of PostgreSQL may not alter the role in DB_USER"
	f := fault.New(fault.Forbidden, message)
	if err != nil {
		f = fault.Wrap(fault.Forbidden, unnamed{err, State(err)}, message)
	}
	return f.WithRemedy("give the DSN of a superuser, or of a role with CREATEROLE; since PostgreSQL 16 that one needs the role of DB_USER WITH ADMIN OPTION too")
}

// SetPassword gives a role its one password. The server gets a verifier instead of it (RFC 5803), so that no log of statements ever
// shows the password. Open connections live on.
func (a *Administrator) SetPassword(ctx context.Context, role string, password secret.Secret) error {
	v, err := verifier(password)
	if err != nil {
		return err
	}
	err = a.run(ctx, func(ctx context.Context, c *pgx.Conn) error {
		// A utility statement takes no parameters; the verifier has no character that ends a literal.
		_, err := c.Exec(ctx, "ALTER ROLE "+pgx.Identifier{role}.Sanitize()+" PASSWORD '"+v+"'")
		return err
	})
	if State(err) == stateNoPrivilege { // of a role that only superusers may alter, such as one for replication before PostgreSQL 16
		return mayNot(err)
	}
	return Fault(err, fault.StoreUnavailable, "give the role its new password")
}

// Accepts reports whether the server lets the role in with a password.
func (a *Administrator) Accepts(ctx context.Context, role string, password secret.Secret) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, adminWithin)
	defer cancel()
	c := a.config.Copy()
	c.User, c.Password, c.ValidateConnect = role, password.Reveal(), nil
	c.RequireAuth = requireScramOrNone // a server that lets the role in without a password is what MayAlter looks for
	conn, err := pgconn.ConnectConfig(ctx, &c.Config)
	if err == nil {
		return true, conn.Close(ctx)
	}
	switch State(err) {
	case stateBadPassword:
		return false, nil
	case stateNoPrivilege, stateNoDatabase: // it was asked for the database only after the password was right
		return true, nil
	}
	return false, Fault(err, fault.StoreUnavailable, "try a password on PostgreSQL")
}

func (a *Administrator) run(ctx context.Context, fn func(context.Context, *pgx.Conn) error) error {
	ctx, cancel := context.WithTimeout(ctx, adminWithin)
	defer cancel()
	conn, err := pgx.ConnectConfig(ctx, a.config)
	if err != nil {
		if isRefusal(err) {
			return fault.Wrap(fault.Forbidden, unnamed{err, State(err)}, "PostgreSQL refuses the administrator").WithRemedy("correct the administrator's DSN")
		}
		if strings.Contains(err.Error(), "authentication method requirement") {
			return fault.New(fault.ConfigInvalid, "PostgreSQL does not ask the administrator for a password by scram-sha-256: it lets anyone in with any password, or wants the password in a weaker form").
				WithRemedy("use scram-sha-256 in pg_hba.conf for this host, set the password again where it was stored as MD5, or use sslmode=verify-full or a socket")
		}
		return err
	}
	return errors.Join(fn(ctx, conn), conn.Close(ctx))
}

// scramIterations is PostgreSQL's own default.
const scramIterations = 4096

// verifier is what a server keeps of a password for SCRAM-SHA-256 (RFC 5803, RFC 7677).
func verifier(password secret.Secret) (string, error) {
	salt := make([]byte, 16)
	_, _ = rand.Read(salt) // never fails (crypto/rand)
	salted, err := pbkdf2.Key(sha256.New, password.Reveal(), salt, scramIterations, sha256.Size)
	if err != nil {
		return "", fmt.Errorf("derive the verifier of a password: %w", err)
	}
	stored := sha256.Sum256(mac(salted, "Client Key"))
	encode := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("SCRAM-SHA-256$%d:%s$%s:%s", scramIterations, encode(salt), encode(stored[:]), encode(mac(salted, "Server Key"))), nil
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}
