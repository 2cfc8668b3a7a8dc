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

// File is a PEM file and the setting that names it.
type File struct{ Path, Setting string }

// Files are those of the connections to one server. Without any, the system's authorities are trusted.
type Files struct {
	Server    string // as people call it: Redis
	CA        File   // authorities of the server's certificate
	Cert, Key File   // what the client shows when it is asked: both or none
}

// any reports whether there is one.
func (f Files) any() bool { return f.CA.Path != "" || f.Cert.Path != "" || f.Key.Path != "" }

// Source keeps the configuration of Files.
type Source struct {
	files Files
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
func New(f Files) (*Source, error) {
	s := &Source{files: f}
	next, err := f.read(&state{})
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
	next, err := s.files.read(before)
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
		out = append(out, "the client certificate for "+s.files.Server+" ("+s.files.Cert.Setting+")"+verb+end.UTC().Format(time.RFC3339))
	}
	return out
}

// read gives the state of the files, the same one when they are as before.
func (f Files) read(before *state) (*state, error) {
	next := &state{}
	for _, one := range []struct {
		File
		into *[]byte
	}{{f.CA, &next.ca}, {f.Cert, &next.cert}, {f.Key, &next.key}} {
		if one.Path == "" {
			continue
		}
		text, err := os.ReadFile(one.Path)
		if err != nil {
			return nil, fault.Wrap(fault.ConfigInvalid, err, "%s: the file cannot be read", one.Setting)
		}
		if len(text) > maxFile {
			return nil, fault.New(fault.ConfigInvalid, "%s: the file is larger than %d bytes", one.Setting, maxFile)
		}
		*one.into = text
	}
	if before.config != nil && bytes.Equal(before.ca, next.ca) && bytes.Equal(before.cert, next.cert) && bytes.Equal(before.key, next.key) {
		return before, nil
	}
	return next, f.make(next)
}

func (f Files) make(s *state) error {
	s.config = &tls.Config{MinVersion: tls.VersionTLS12}
	if f.CA.Path != "" {
		s.config.RootCAs = x509.NewCertPool()
		if !s.config.RootCAs.AppendCertsFromPEM(s.ca) {
			return fault.New(fault.ConfigInvalid, "%s: the file holds no certificate in PEM form", f.CA.Setting)
		}
	}
	switch {
	case f.Cert.Path == "" && f.Key.Path == "":
		return nil
	case f.Cert.Path == "" || f.Key.Path == "":
		return fault.New(fault.ConfigInvalid, "%s and %s: a client certificate needs both files", f.Cert.Setting, f.Key.Setting)
	}
	pair, err := tls.X509KeyPair(s.cert, s.key)
	if err != nil {
		return fault.Wrap(fault.ConfigInvalid, err, "%s and %s: the files are not a certificate and its key", f.Cert.Setting, f.Key.Setting)
	}
	s.config.Certificates, s.expires = []tls.Certificate{pair}, pair.Leaf.NotAfter
	return nil
}
