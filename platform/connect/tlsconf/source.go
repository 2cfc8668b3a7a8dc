package tlsconf

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"os"
	"sync/atomic"
	"time"

	"github.com/muttproject/mutt/platform/fault"
)

// maxFile bounds a file, in bytes.
const maxFile = 1 << 20

// soon is how long before its end a client certificate is told of.
const soon = 7 * 24 * time.Hour

// Source keeps the TLS configuration of connections to one server, made from files.
type Source struct {
	peer  Peer
	files Config
	now   atomic.Pointer[state]
	bad   atomic.Pointer[fault.Error] // why the files are not in force as they are now
}

// state is what was read, and what was made of it.
type state struct {
	ca, cert, key []byte
	config        *tls.Config
	expires       time.Time // of the client certificate; zero without one
}

// New reads the files. The error is fault.ConfigInvalid and names the setting.
func New(p Peer, c Config) (*Source, error) {
	s := &Source{peer: p, files: c}
	next, err := s.read(&state{})
	if err != nil {
		return nil, err
	}
	s.now.Store(next)
	return s, nil
}

// Client gives the configuration for the next connection.
func (s *Source) Client() Client { return func() *tls.Config { return s.now.Load().config } }

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
	if end := s.now.Load().expires; !end.IsZero() && now.Add(soon).After(end) {
		verb := " expires at "
		if now.After(end) {
			verb = " expired at "
		}
		out = append(out, "the client certificate for "+s.peer.Name+" ("+s.peer.Cert+")"+verb+end.UTC().Format(time.RFC3339))
	}
	return out
}

// read returns the state of the files, the same one when they have not changed.
func (s *Source) read(before *state) (*state, error) {
	next := &state{}
	for _, file := range []struct {
		path, setting string
		into          *[]byte
	}{{s.files.CAFile, s.peer.CA, &next.ca}, {s.files.CertFile, s.peer.Cert, &next.cert}, {s.files.KeyFile, s.peer.Key, &next.key}} {
		if file.path == "" {
			continue
		}
		text, err := os.ReadFile(file.path)
		if err != nil {
			return nil, fault.Wrap(fault.ConfigInvalid, err, "%s: the file cannot be read", file.setting)
		}
		if len(text) > maxFile {
			return nil, fault.New(fault.ConfigInvalid, "%s: the file is larger than %d bytes", file.setting, maxFile)
		}
		*file.into = text
	}
	if before.config != nil && bytes.Equal(before.ca, next.ca) && bytes.Equal(before.cert, next.cert) && bytes.Equal(before.key, next.key) {
		return before, nil
	}
	return next, s.configure(next)
}

// configure fills in what follows from the contents of the files.
func (s *Source) configure(next *state) error {
	next.config = &tls.Config{MinVersion: tls.VersionTLS12}
	if s.files.CAFile != "" {
		next.config.RootCAs = x509.NewCertPool()
		if !next.config.RootCAs.AppendCertsFromPEM(next.ca) {
			return fault.New(fault.ConfigInvalid, "%s: the file holds no certificate in PEM form", s.peer.CA)
		}
	}
	switch {
	case s.files.CertFile == "" && s.files.KeyFile == "":
		return nil
	case s.files.CertFile == "" || s.files.KeyFile == "":
		return fault.New(fault.ConfigInvalid, "%s and %s: a client certificate needs both files", s.peer.Cert, s.peer.Key)
	}
	pair, err := tls.X509KeyPair(next.cert, next.key)
	if err != nil {
		return fault.Wrap(fault.ConfigInvalid, err, "%s and %s: the files are not a certificate and its key", s.peer.Cert, s.peer.Key)
	}
	next.config.Certificates, next.expires = []tls.Certificate{pair}, pair.Leaf.NotAfter
	return nil
}
