package tlsconf

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"os"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/private"
)

// maxFile bounds a file, in bytes.
const maxFile = 1 << 20

// soon is how long before its end a client certificate is reported.
const soon = 7 * 24 * time.Hour

// Source keeps a TLS configuration that is made from files: of the connections to one server, or of one listener.
type Source struct {
	about         zap.Field // names the server or the listener in the log
	certificate   string    // our own one in messages: "the client certificate for Redis (REDIS_CLIENT_CERT)"
	soon          time.Duration
	ca, cert, key file
	// complete adds what is different for a client and a listener; authorities is nil without a file of them.
	complete func(c *tls.Config, authorities *x509.CertPool)

	now atomic.Pointer[state]
	bad atomic.Pointer[fault.Error] // why the files are not in force as they are now
}

// file is a file, and the setting that names it. Without a path there is no file.
type file struct{ path, setting string }

// state is what was read, and what was made of it.
type state struct {
	ca, cert, key []byte
	config        *tls.Config
	expires       time.Time // of the certificate; zero without one
	exposed       string    // why others may read the key; "" when they may not
}

// New reads the files of a client. The error is fault.ConfigInvalid and names the setting.
func New(p Peer, c Config) (*Source, error) {
	return newSource(&Source{about: zap.String("server", p.Name), certificate: "the client certificate for " + p.Name + " (" + p.Cert + ")", soon: soon,
		ca: file{c.CAFile, p.CA}, cert: file{c.CertFile, p.Cert}, key: file{c.KeyFile, p.Key},
		complete: func(conf *tls.Config, authorities *x509.CertPool) { conf.RootCAs = authorities }})
}

func newSource(s *Source) (*Source, error) {
	next, err := s.read(&state{})
	if err != nil {
		return nil, err
	}
	s.now.Store(next)
	return s, nil
}

// Client returns the configuration of connections to the server.
func (s *Source) Client() Client { return s.current }

func (s *Source) current() *tls.Config { return s.now.Load().config }

// Refresh reads the files again and reports whether something else is in force now. After an error the last good files stay in force.
func (s *Source) Refresh() (changed bool, err error) {
	before := s.now.Load()
	next, err := s.read(before)
	if err != nil {
		f, _ := fault.As(err)
		s.bad.Store(f)
		return false, err
	}
	s.bad.Store(nil)
	s.now.Store(next)
	return next != before, nil
}

// Warnings says for health what is wrong with the files.
func (s *Source) Warnings(now time.Time) (out []string) {
	if bad := s.bad.Load(); bad != nil {
		out = append(out, bad.Message+"; the last good certificates stay in force")
	}
	if end := s.now.Load().expires; !end.IsZero() && now.Add(s.soon).After(end) {
		verb := " expires at "
		if now.After(end) {
			verb = " expired at "
		}
		out = append(out, s.certificate+verb+end.UTC().Format(time.RFC3339))
	}
	return out
}

// read returns the state of the files, the same one when they have not changed.
func (s *Source) read(before *state) (*state, error) {
	next := &state{}
	for _, f := range []struct {
		file
		into *[]byte
	}{{s.ca, &next.ca}, {s.cert, &next.cert}, {s.key, &next.key}} {
		if f.path == "" {
			continue
		}
		text, err := os.ReadFile(f.path)
		if f.file == s.key {
			text, _, next.exposed, err = private.Read(f.path, maxFile)
		}
		if unsafe, ok := fault.As(err); ok { // the remedy has the path, which is not for /health
			return nil, fault.Wrap(fault.ConfigInvalid, err, "%s: another user may change the file of the key", f.setting).WithRemedy("%s", unsafe.Remedy)
		}
		if err != nil {
			return nil, fault.Wrap(fault.ConfigInvalid, err, "%s: the file cannot be read", f.setting)
		}
		if len(text) > maxFile {
			return nil, fault.New(fault.ConfigInvalid, "%s: the file is larger than %d bytes", f.setting, maxFile)
		}
		*f.into = text
	}
	if before.config != nil && bytes.Equal(before.ca, next.ca) && bytes.Equal(before.cert, next.cert) && bytes.Equal(before.key, next.key) {
		return before, nil
	}
	return next, s.configure(next)
}

// configure fills in what follows from the contents of the files.
func (s *Source) configure(next *state) error {
	next.config = &tls.Config{MinVersion: tls.VersionTLS12}
	var authorities *x509.CertPool
	if s.ca.path != "" {
		authorities = x509.NewCertPool()
		if !authorities.AppendCertsFromPEM(next.ca) {
			return fault.New(fault.ConfigInvalid, "%s: the file holds no certificate in PEM form", s.ca.setting)
		}
	}
	s.complete(next.config, authorities)
	switch {
	case s.cert.path == "" && s.key.path == "":
		return nil
	case s.cert.path == "" || s.key.path == "":
		return fault.New(fault.ConfigInvalid, "%s and %s: a certificate needs both files", s.cert.setting, s.key.setting)
	}
	pair, err := tls.X509KeyPair(next.cert, next.key)
	if err != nil {
		return fault.Wrap(fault.ConfigInvalid, err, "%s and %s: the files are not a certificate and its key", s.cert.setting, s.key.setting)
	}
	next.config.Certificates, next.expires = []tls.Certificate{pair}, pair.Leaf.NotAfter
	return nil
}
