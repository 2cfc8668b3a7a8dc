package acceptance

import (
	"bufio"
	"bytes"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/muttproject/mutt/app/rotate"
	"github.com/muttproject/mutt/platform/rotation"
)

// storm is how many refused logins of one rotation, in all processes, are too many. Each process needs one or two.
const storm = 15

// logins are the counters of the connections to one kind of server, over all processes.
type logins struct{ accepted, refused, failed, recycled int }

func (l logins) since(before logins) logins {
	return logins{l.accepted - before.accepted, l.refused - before.refused, l.failed - before.failed, l.recycled - before.recycled}
}

// logins adds up what the processes count.
func (r *rotations) logins(subject rotation.Subject) (sum logins) {
	r.Helper()
	counters := map[string]*int{`mutt_connect_recycled_total{server="%s"}`: &sum.recycled}
	for result, n := range map[string]*int{"accepted": &sum.accepted, "refused": &sum.refused, "failed": &sum.failed} {
		counters[`mutt_connect_logins_total{result="`+result+`",server="%s"}`] = n
	}
	for _, m := range r.members {
		status, text, err := r.ask(http.DefaultClient, "http://"+m.site.ops+"/metrics")
		if err != nil || status != http.StatusOK {
			r.Fatalf("the metrics of %s: %d %v", m.name, status, err)
		}
		for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
			for format, n := range counters {
				if value, ok := strings.CutPrefix(lines.Text(), fmt.Sprintf(format, subject)+" "); ok {
					counted, err := strconv.Atoi(value)
					if err != nil {
						r.Fatal(err)
					}
					*n += counted
				}
			}
		}
	}
	return sum
}

// tell prints the figures of a rotation: how long its steps took, and what it cost.
func (r *rotations) tell(subject rotation.Subject, said []rotate.Progress, l logins) {
	r.Helper()
	var steps []string
	total := 0.0
	for _, p := range said {
		if p.Event == "done" && p.Step != rotation.Done {
			steps = append(steps, fmt.Sprintf("%s %.2f", p.Step, p.Seconds))
			total += p.Seconds
		}
	}
	r.Logf("%-8s rotation %d in %.1f s (%s); %d connections reopened; logins: %d accepted, %d refused, %d failed", subject, len(r.old[subject]), total,
		strings.Join(steps, ", "), l.recycled, l.accepted, l.refused, l.failed)
	if l.refused > storm {
		r.Errorf("%d logins to %s were refused in one rotation: an account may be locked for that", l.refused, subject)
	}
}
