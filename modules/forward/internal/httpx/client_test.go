package httpx

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/muttproject/mutt/platform/config/static"
	"github.com/muttproject/mutt/platform/connect/tlsconf"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/secret"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// client returns a Client with 4 connections and, unless o says another, a timeout of 10 s.
func client(t *testing.T, o Options) *Client {
	t.Helper()
	o.Timeout, o.Connections = cmp.Or(o.Timeout, 10*time.Second), 4
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func server(t *testing.T, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

func TestPostSendsAndKeepsTheConnection(t *testing.T) {
	t.Parallel()
	var connections atomic.Int64
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.Method != "POST" || r.URL.RequestURI() != "/events?x=1" || string(body) != `{"a":1}` ||
			r.Header.Get("Content-Type") != "application/json" || r.Header.Get("User-Agent") != "MUTT/1" || r.ContentLength != 7 {
			t.Errorf("got %s %s %q %v", r.Method, r.URL, body, r.Header)
		}
		w.WriteHeader(201)
		_, _ = w.Write([]byte(strings.Repeat("x", 5000)))
	}))
	s.Config.ConnState = func(_ net.Conn, st http.ConnState) {
		if st == http.StateNew {
			connections.Add(1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	c := client(t, Options{URL: s.URL + "/events?x=1", UserAgent: "MUTT/1"})
	for range 5 {
		a, err := c.Post(t.Context(), []byte(`{"a":1}`))
		if err != nil || a.Status != 201 || len(a.Body) != KeepBody {
			t.Fatalf("got %d, %d bytes, %v", a.Status, len(a.Body), err)
		}
	}
	if connections.Load() != 1 {
		t.Errorf("%d connections for 5 requests in a row", connections.Load())
	}
}

func TestEndlessAnswerIsCutOff(t *testing.T) {
	t.Parallel()
	s := server(t, func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			if _, err := w.Write(make([]byte, 1<<16)); err != nil {
				return
			}
		}
	})
	a, err := client(t, Options{URL: s.URL}).Post(t.Context(), nil)
	if err != nil || a.Status != 200 || len(a.Body) != KeepBody {
		t.Fatalf("got %d, %v", a.Status, err)
	}
}

func TestRedirectIsNotFollowed(t *testing.T) {
	t.Parallel()
	var followed atomic.Bool
	other := server(t, func(http.ResponseWriter, *http.Request) { followed.Store(true) })
	s := server(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other.URL, 307) })
	a, err := client(t, Options{URL: s.URL}).Post(t.Context(), []byte("{}"))
	if err != nil || a.Status != 307 || followed.Load() {
		t.Fatalf("got %d, followed %v, %v", a.Status, followed.Load(), err)
	}
}

func TestErrorsTellWhatHappened(t *testing.T) {
	t.Parallel()
	closedPort := func() string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		return "http://" + l.Addr().String()
	}()
	hang := server(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // so that the server notices the client's end
		<-r.Context().Done()
	})
	reset := server(t, func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err == nil {
			_ = conn.(*net.TCPConn).SetLinger(0)
			_ = conn.Close()
		}
	})
	plain := server(t, func(http.ResponseWriter, *http.Request) {})
	verified := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	verified.Config.ErrorLog = nil
	t.Cleanup(verified.Close)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	cases := []struct {
		name string
		url  string
		ctx  context.Context
		want error
		not  error
	}{
		{"closed port", closedPort, t.Context(), ErrUnreachable, nil},
		{"no such name", "http://nowhere.invalid", t.Context(), ErrUnreachable, nil},
		{"certificate of nobody we trust", verified.URL, t.Context(), ErrUnreachable, nil},
		{"no TLS there", strings.Replace(plain.URL, "http", "https", 1), t.Context(), ErrUnreachable, nil},
		{"hangs", hang.URL, t.Context(), context.DeadlineExceeded, ErrUnreachable},
		{"resets", reset.URL, t.Context(), nil, ErrUnreachable},
		{"given up", hang.URL, ended, context.Canceled, ErrUnreachable},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			timeout := 10 * time.Second // a cut-off handshake would go on behind the test's back
			if errors.Is(c.want, context.DeadlineExceeded) {
				timeout = 300 * time.Millisecond
			}
			_, err := client(t, Options{URL: c.url + "/?token=hidden", Timeout: timeout}).Post(c.ctx, []byte("{}"))
			if err == nil || c.want != nil && !errors.Is(err, c.want) || c.not != nil && errors.Is(err, c.not) {
				t.Fatalf("got %v", err)
			}
			if strings.Contains(err.Error(), "hidden") {
				t.Errorf("the URL's query is in %q", err)
			}
		})
	}
}

func TestOwnCA(t *testing.T) {
	t.Parallel()
	s := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(s.Close)
	roots := s.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	a, err := client(t, Options{URL: s.URL, TLS: tlsconf.Fixed(&tls.Config{RootCAs: roots})}).Post(t.Context(), nil)
	if err != nil || a.Status != 200 {
		t.Fatalf("got %d, %v", a.Status, err)
	}
}

func TestCredential(t *testing.T) {
	t.Parallel()
	key := secret.New("k-0123456789")
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte("mutt:k-0123456789"))
	cases := []struct {
		name   string
		auth   Auth
		key    secret.Secret
		header string
		want   string
	}{
		{"bearer", Auth{Scheme: AuthBearer}, key, "Authorization", "Bearer k-0123456789"},
		{"basic", Auth{Scheme: AuthBasic, User: "mutt"}, key, "Authorization", basic},
		{"a header", Auth{Scheme: AuthHeader, Header: "x-api-key", Prefix: "Token"}, key, "X-Api-Key", "Token k-0123456789"},
		{"a header without a space", Auth{Scheme: AuthHeader, Header: "authorization", Prefix: "Token token="}, key, "Authorization", "Token token=k-0123456789"},
		{"a header and nothing more", Auth{Scheme: AuthHeader, Header: "X-API-Key"}, key, "X-Api-Key", "k-0123456789"},
		{"no key yet", Auth{Scheme: AuthBearer}, secret.Secret{}, "Authorization", ""},
		{"none", Auth{Scheme: AuthNone}, key, "Authorization", ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			// The destination repeats all that it was sent, where the first kilobyte ends.
			s := server(t, func(w http.ResponseWriter, r *http.Request) {
				w.WriteHeader(400)
				_, _ = w.Write([]byte(strings.Repeat("x", KeepBody-8) + r.Header.Get(c.header) + " " + r.Header.Get(c.header)))
				if got := r.Header.Get(c.header); got != c.want {
					t.Errorf("got %q", got)
				}
			})
			if err := static.Validate(c.auth.Settings(), c.auth.Check()...); err != nil {
				t.Fatal(err)
			}
			a, err := client(t, Options{URL: s.URL, Credential: NewCredential(c.auth, func() secret.Secret { return c.key })}).Post(t.Context(), nil)
			if err != nil || len(a.Body) > KeepBody {
				t.Fatal(err)
			}
			if strings.Contains(string(a.Body), "k-0") || strings.Contains(string(a.Body), basic[6:14]) {
				t.Errorf("the key is in what is kept: %q", a.Body[KeepBody-20:])
			}
		})
	}
}

func TestRotatedKeyAppliesAtOnce(t *testing.T) {
	t.Parallel()
	var got atomic.Value
	s := server(t, func(_ http.ResponseWriter, r *http.Request) { got.Store(r.Header.Get("Authorization")) })
	var key atomic.Value
	key.Store(secret.New("one"))
	c := client(t, Options{URL: s.URL, Credential: NewCredential(Auth{Scheme: AuthBearer}, func() secret.Secret { return key.Load().(secret.Secret) })})
	for _, k := range []string{"one", "two"} {
		key.Store(secret.New(k))
		if _, err := c.Post(t.Context(), nil); err != nil || got.Load() != "Bearer "+k {
			t.Fatalf("got %v, %v", got.Load(), err)
		}
	}
}

func TestAuthRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		auth  Auth
		wants string
	}{
		{Auth{Scheme: "digest"}, "forward.auth_scheme takes"},
		{Auth{Scheme: AuthBasic}, "set MOOG_AUTH_USER too"},
		{Auth{Scheme: AuthBasic, User: "a:b"}, "forward.auth_user takes"},
		{Auth{Scheme: AuthBearer, User: "a"}, "MOOG_AUTH_USER is set and has no effect"},
		{Auth{Scheme: AuthHeader}, "set MOOG_AUTH_HEADER too"},
		{Auth{Scheme: AuthHeader, Header: "X Key"}, "forward.auth_header takes"},
		{Auth{Scheme: AuthHeader, Header: "X:"}, "forward.auth_header takes"},
		{Auth{Scheme: AuthHeader, Header: "content-type"}, "Content-Type has another purpose"},
		{Auth{Scheme: AuthHeader, Header: "host"}, "Host has another purpose"},
		{Auth{Scheme: AuthHeader, Header: "X", Prefix: "a\r\nb"}, "forward.auth_prefix takes"},
		{Auth{Scheme: AuthHeader, Header: "X", Prefix: "é"}, "forward.auth_prefix takes"},
		{Auth{Scheme: AuthNone, Header: "X", Prefix: "Token"}, "MOOG_AUTH_HEADER is set and has no effect"},
		{Auth{Scheme: AuthBasic, User: "a", Prefix: "Token"}, "MOOG_AUTH_PREFIX is set and has no effect"},
	} {
		err := static.Validate(c.auth.Settings(), c.auth.Check()...)
		if !fault.Is(err, fault.ConfigInvalid) || !strings.Contains(err.Error(), c.wants) {
			t.Errorf("%+v: got %v", c.auth, err)
		}
	}
}
