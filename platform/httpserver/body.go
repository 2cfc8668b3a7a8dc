package httpserver

import (
	"net/http"
	"time"

	"github.com/labstack/echo/v4"
)

// lastBytes is how long the body of a refused request may still come in: a client that has sent all of it gets to read the answer, since
// closing a connection with unread bytes can take the answer with it.
const lastBytes = 500 * time.Millisecond

// hasBody reports whether a request announces a body.
func hasBody(r *http.Request) bool {
	return r.ContentLength != 0 && r.Body != nil && r.Body != http.NoBody
}

// stranger bounds the time that the body of a public route may take, and its answer over HTTP/2, where a peer that grants no window
// holds up an answer without holding up the connection: nobody has vouched for the caller.
func (s *Server) stranger(c echo.Context) {
	r := c.Request()
	if r.ProtoMajor > 1 {
		_ = http.NewResponseController(c.Response().Writer).SetWriteDeadline(time.Now().Add(s.opts.Door.Limits().WriteTimeout))
	}
	switch {
	case !hasBody(r):
	case r.Method == http.MethodGet || r.Method == http.MethodHead: // no handler reads it
		dismiss(c)
	default:
		setReadDeadline(c, s.opts.Door.Limits().FirstByteTimeout)
	}
}

// dismiss answers a request without waiting for its body, and ends the connection afterwards.
func dismiss(c echo.Context) {
	if !hasBody(c.Request()) {
		return
	}
	if c.Request().ProtoMajor == 1 { // over HTTP/2 only the stream ends
		c.Response().Header().Set("Connection", "close")
	}
	setReadDeadline(c, lastBytes)
}

// setReadDeadline bounds the reading of the body from now. A transport without deadlines has none: a recorder in a test.
func setReadDeadline(c echo.Context, d time.Duration) {
	_ = http.NewResponseController(c.Response().Writer).SetReadDeadline(time.Now().Add(d))
}
