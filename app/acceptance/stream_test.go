package acceptance

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/muttproject/mutt/app/apptest"
	"github.com/muttproject/mutt/platform/apiclient"
)

// TestStreamFollowsWhatIsJudged watches over HTTP while events come, and stops the process meanwhile: the stream ends by itself.
func TestStreamFollowsWhatIsJudged(t *testing.T) {
	t.Parallel()
	m := apptest.Start(t, apptest.Options{})
	seen := make(chan string, 1000)
	ended := make(chan error, 1)
	go func() {
		ended <- m.Client.Stream(t.Context(), apiclient.Call{Path: []string{"events", "stream"}, Query: map[string][]string{"hostname": {"sw1"}}}, func(data []byte) error {
			var s apiclient.StreamSample
			if err := json.Unmarshal(data, &s); err != nil {
				return err
			}
			for _, e := range s.Events {
				seen <- e.Hostname
			}
			return nil
		})
	}()
	n := 0
	apptest.Eventually(t, "an event is seen", func() (bool, any) {
		n++
		m.Send(fmt.Appendf(nil, `{"timestamp":%q,"hostname":"SW%d","message":"message %d"}`, time.Now().Format(time.RFC3339), n%2+1, n))
		select {
		case host := <-seen:
			return host == "SW1", host
		case <-time.After(200 * time.Millisecond):
			return false, nil
		}
	})
	stopping := time.Now()
	m.Stop()
	if took := time.Since(stopping); took > 15*time.Second {
		t.Errorf("the process stopped after %s", took)
	}
	if err := <-ended; err != nil {
		t.Errorf("the stream ended with %v", err)
	}
}
