package ui

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/queue"
)

// awayQueues are queues whose server does not answer.
type awayQueues struct{ Queues }

func (awayQueues) Depth(context.Context, queue.Name) (queue.Depth, error) {
	return queue.Depth{}, fault.New(fault.QueueUnavailable, "Redis is unavailable")
}

// pulseOf returns the pulse in the HTML of a page or of a message.
func pulseOf(html string) string {
	_, after, _ := strings.Cut(html, `class="pulse`)
	pulse, _, _ := strings.Cut(after, "</a>")
	return pulse
}

// TestPulseSaysWhatIsUnavailable: without the store the pulse says so and has the figures of the queues; without the queues it has none. Pages and
// the stream say the same. A page does not wait for figures that take long, and calls nothing a failure then.
func TestPulseSaysWhatIsUnavailable(t *testing.T) {
	t.Parallel()
	away := error(fault.New(fault.StoreUnavailable, "PostgreSQL is unavailable"))
	for name, w := range map[string]struct {
		breaks     func(*Deps)
		says, not  []string
		streamSays string
	}{
		"nothing": {func(*Deps) {}, []string{"in <b>0</b>/s", "judge <b>0</b>", "wait <b>0</b>", "<b>closed</b>"}, []string{"unavailable", ` bad"`}, "in <b>0</b>/s"},
		"store": {func(d *Deps) { d.Fold = func(context.Context) error { return away } },
			[]string{"Store unavailable", "wait <b>0</b>", "<b>closed</b>", "how many events come in is not known"}, []string{"in <b>", "judge <b>"}, "Store unavailable"},
		"queue": {func(d *Deps) { d.Queues = awayQueues{d.Queues} }, []string{"Queue unavailable", ` bad"`}, []string{"in <b>", "wait <b>", "closed"}, "Queue unavailable"},
		"slow": {func(d *Deps) {
			d.Destinations = func(ctx context.Context) ([]apiclient.Destination, error) {
				if _, bounded := ctx.Deadline(); bounded { // Overview itself waits
					<-ctx.Done()
				}
				return nil, ctx.Err()
			}
		}, []string{"in <b>–</b>/s", "wait <b>–</b>", "come in a moment"}, []string{` bad"`, "cannot"}, "Figures cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newConsoleOf(t, Health{}, w.breaks)
			client := c.session("viewer")
			pulse := pulseOf(c.wants(client, "/events", http.StatusOK))
			for _, want := range w.says {
				if !strings.Contains(pulse, want) {
					t.Errorf("the pulse lacks %q: %s", want, pulse)
				}
			}
			for _, wrong := range w.not {
				if strings.Contains(pulse, wrong) {
					t.Errorf("the pulse has %q: %s", wrong, pulse)
				}
			}
			c.until(c.follow(client, url.Values{"topics": {"pulse"}}), "the pulse", func(e said) bool { return strings.Contains(pulseOf(e.data), w.streamSays) })
		})
	}
}
