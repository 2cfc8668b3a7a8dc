package dest

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/muttproject/mutt/modules/forward/internal/httpx"
)

// The reasons: the bounded label values of mutt_moog_requests_total.
const (
	ReasonOK          = "ok"
	ReasonTimeout     = "timeout"
	ReasonUnreachable = "unreachable"
	ReasonBroken      = "connection_broken"
	ReasonAborted     = "aborted"
	ReasonCredential  = "bad_credential" // nothing was sent: MOOG_API_KEY cannot be sent as a header
	ReasonKeyRefused  = "key_refused"    // 401 and 403
	ReasonProxy       = "http_407"
	ReasonLimited     = "http_429"
	ReasonHTTP408     = "http_408"
	ReasonHTTP425     = "http_425"
	ReasonRedirect    = "http_3xx"
	ReasonClient      = "http_4xx"
	ReasonServer      = "http_5xx"
	ReasonOdd         = "http_other"
)

// FailureReasons lists the reasons but ReasonOK.
func FailureReasons() []string {
	return []string{ReasonTimeout, ReasonUnreachable, ReasonBroken, ReasonAborted, ReasonCredential, ReasonKeyRefused, ReasonProxy,
		ReasonLimited, ReasonHTTP408, ReasonHTTP425, ReasonRedirect, ReasonClient, ReasonServer, ReasonOdd}
}

// MaxRetryAfter bounds what a destination can ask for: a slip of a digit must not park an alert for a year.
const MaxRetryAfter = time.Hour

// Result is what became of a request.
type Result struct {
	Class      Class
	Alive      bool // the destination itself answered and works; what the circuit breaker wants to know
	Status     int  // 0 without an answer
	Reason     string
	Detail     string        // for logs and dead letters: the status and the first kilobyte of the answer, or the error
	Brief      string        // for /health, which needs no key: no text of the destination, no host and no address
	RetryAfter time.Duration // what the destination asked for, 0 for nothing, at most MaxRetryAfter
}

// FromAnswer classifies an answer by its status alone. A 2xx is delivered. A 407 is a proxy's, 401 and 403 refuse the sender, a 3xx
// is about the URL (it is the answer of a login page or of maintenance, too), and 408, 425 and 429 ask the sender to try again: none
// of them is about the alert. Other 4xx are. A status that HTTP does not know counts as a 5xx (RFC 9110 section 15).
func FromAnswer(a httpx.Answer, now time.Time) Result {
	r := Result{Status: a.Status}
	switch s := a.Status; {
	case s >= 200 && s < 300:
		return Result{Class: Delivered, Alive: true, Status: s, Reason: ReasonOK}
	case s == http.StatusUnauthorized, s == http.StatusForbidden:
		r.Class, r.Reason = Retry, ReasonKeyRefused
	case s == http.StatusProxyAuthRequired:
		r.Class, r.Reason = Deferred, ReasonProxy
	case s == http.StatusRequestTimeout:
		r.Class, r.Reason = Deferred, ReasonHTTP408
	case s == http.StatusTooEarly:
		r.Class, r.Reason, r.Alive = Deferred, ReasonHTTP425, true
	case s == http.StatusTooManyRequests:
		r.Class, r.Reason, r.Alive = Deferred, ReasonLimited, true
	case s >= 400 && s < 500:
		r.Class, r.Reason, r.Alive = Rejected, ReasonClient, true
	case s >= 300 && s < 400:
		r.Class, r.Reason = Retry, ReasonRedirect
	case s >= 500 && s < 600:
		r.Class, r.Reason = Retry, ReasonServer
	default:
		r.Class, r.Reason = Retry, ReasonOdd
	}
	r.Brief = fmt.Sprintf("HTTP %d", a.Status)
	r.Detail = r.Brief + ": " + printable(a.Body)
	if r.Class != Rejected {
		r.RetryAfter = RetryAfter(a.Header, now)
	}
	return r
}

// FromError classifies a request without an answer.
func FromError(err error) Result {
	r := Result{Detail: printable([]byte(err.Error())), Brief: brief(err)}
	switch {
	case errors.Is(err, context.Canceled):
		r.Class, r.Reason = Aborted, ReasonAborted
	case errors.Is(err, httpx.ErrCredential):
		r.Class, r.Reason = Deferred, ReasonCredential
	case errors.Is(err, httpx.ErrUnreachable):
		r.Class, r.Reason = Deferred, ReasonUnreachable
	case errors.Is(err, context.DeadlineExceeded):
		r.Class, r.Reason = Retry, ReasonTimeout
	default:
		r.Class, r.Reason = Retry, ReasonBroken
	}
	return r
}

// brief names the kind of an error. The text of the error would name hosts and addresses.
func brief(err error) string {
	late := errors.Is(err, context.DeadlineExceeded)
	switch {
	case errors.Is(err, httpx.ErrCredential):
		return httpx.ErrCredential.Error()
	case errors.Is(err, httpx.ErrUnreachable):
	case late:
		return "no answer in time"
	default:
		return "the connection broke"
	}
	var name *net.DNSError
	var untrusted *tls.CertificateVerificationError
	var plain tls.RecordHeaderError
	why := ""
	switch {
	case errors.As(err, &name):
		why = ": its name is not resolved"
	case errors.Is(err, syscall.ECONNREFUSED):
		why = ": it is refused"
	case errors.As(err, &untrusted):
		why = ": the certificate is not trusted"
	case errors.As(err, &plain):
		why = ": TLS is not spoken there"
	case late:
		why = " in time"
	}
	return httpx.ErrUnreachable.Error() + why
}

// RetryAfter reads the header in both its forms, seconds and date (RFC 9110 section 10.2.3); 0 for none or nonsense.
// A date counts from the answer's own Date where it has one, so that two clocks need not agree.
func RetryAfter(h http.Header, now time.Time) time.Duration {
	text := strings.TrimSpace(h.Get("Retry-After"))
	if text == "" {
		return 0
	}
	if n, err := strconv.ParseUint(text, 10, 64); err == nil {
		return time.Duration(min(n, uint64(MaxRetryAfter/time.Second))) * time.Second
	}
	at, err := http.ParseTime(text)
	if err != nil {
		return 0
	}
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		now = date
	}
	return min(max(at.Sub(now), 0), MaxRetryAfter)
}

// printable returns the start of a text without what logs and listings cannot show.
func printable(b []byte) string {
	s := strings.ToValidUTF8(string(b[:min(len(b), httpx.KeepBody)]), "\uFFFD")
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s))
}
