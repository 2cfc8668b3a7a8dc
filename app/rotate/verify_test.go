package rotate

import (
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/secret"
)

// TestTheOldKeyIsGivenAMoment: a process that has read the new keys may accept the old one for a moment longer, and that is no failure; for
// ever is one.
func TestTheOldKeyIsGivenAMoment(t *testing.T) {
	t.Parallel()
	var left atomic.Int64 // how often the old key is still accepted
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.Header.Get("X-API-KEY") == "old" && left.Add(-1) < 0 {
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = w.Write([]byte(`{"code":"unauthorized","message":"the API key is not known"}`))
			return
		}
		_, _ = w.Write([]byte(`{"name":"key:test","role":"admin"}`))
	}))
	defer server.Close()
	a := &API{WithKey: func(key secret.Secret) (*apiclient.Client, error) {
		return apiclient.New(apiclient.Options{BaseURL: server.URL, Key: key.Reveal()})
	}}
	verify := func(bound time.Duration) error {
		return a.verifyKey(t.Context(), secret.New("next"), secret.New("old"), bound)
	}
	left.Store(2)
	if err := verify(time.Minute); err != nil {
		t.Error(err)
	}
	left.Store(1 << 40)
	if err := verify(time.Nanosecond); !fault.Is(err, fault.Conflict) {
		t.Errorf("it is accepted for ever: %v", err)
	}
}
