package acceptance

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/muttproject/mutt/app/apptest"
	"github.com/muttproject/mutt/platform/apiclient"
)

// smallDisk gives a process whose data directory is a file system of its own of the size, in a mount namespace of its
// own: nothing of it is seen or left outside. The second function resizes it.
func smallDisk(t *testing.T, s *site, size string) (p *process, resize func(size string)) {
	t.Helper()
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	unshare := []string{"--map-root-user", "--mount", "bash", "-euc"}
	if out, err := exec.CommandContext(t.Context(), "unshare", append(unshare, "mount -t tmpfs tmpfs "+s.dir)...).CombinedOutput(); err != nil {
		// A right that a container may not have, and that no package can give; CI has it.
		if os.Getenv("CI") == "true" {
			t.Fatalf("no small disk: %v: %s", err, out)
		}
		t.Skipf("this machine does not let a test mount a file system in a namespace of its own: %v: %s", err, out)
	}
	script := fmt.Sprintf("mount -t tmpfs -o mode=0700,size=%s tmpfs %s; exec %s serve", size, s.dir, binary(t))
	p = launch(t, s, exec.Command("unshare", append(unshare, script)...))
	return p, func(size string) {
		command(t, "nsenter", "--target", strconv.Itoa(p.cmd.Process.Pid), "--user", "--preserve-credentials", "--mount",
			"mount", "-o", "remount,size="+size, s.dir)
	}
}

// TestDiskFull fills the disk: senders are told to wait, nothing that was acknowledged is lost, and when there is room
// again the process goes on by itself.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	d := apptest.NewDestination(t)
	s := newSite(t, t.TempDir(), d.URL)
	p, resize := smallDisk(t, s, "6m")
	p.ready()
	k := &killTest{T: t, site: s, destination: d, word: newWord()}
	if err := s.client.Do(t.Context(), apiclient.Call{Method: http.MethodPost, Path: []string{"rules", "import"}, Body: []byte(killRules),
		ContentType: "application/yaml"}, nil); err != nil {
		t.Fatal(err)
	}
	from := &sender{t: t, name: "heavy", site: s, word: k.word, batch: 20, ndjson: true, pad: strings.Repeat(" lorem ipsum", 300)}
	client := &http.Client{Transport: &http.Transport{}, Timeout: time.Minute}
	defer client.CloseIdleConnections()
	hurry, giveUp := context.WithTimeout(t.Context(), 2*time.Minute)
	defer giveUp()

	body, tags, seq := fill(from, client)
	t.Logf("the disk is full after %d events", seq)
	apptest.EventuallyWithin(t, 10*time.Second, "health tells it", func() (bool, any) {
		a := healthOf(t, s)
		return strings.Contains(a, `"unhealthy"`) && strings.Contains(a, "the disk is full"), a
	})
	resize("256m")
	if from.insist(hurry, hurry, client, body, "") {
		k.word.note(tags, true)
	}
	apptest.Eventually(t, "health is well again", func() (bool, any) {
		a := healthOf(t, s)
		return strings.Contains(a, `"healthy"`), a
	})
	k.drain()
	rows := k.audit()
	k.checkJudged(rows)
	k.checkDelivered(rows)
	k.checkBooks(rows)
	t.Logf("logged above info: %v", s.complaints(t))
	p.stop()
}

// refusals is how often in a row a batch is refused before the disk counts as full: judging may still make room.
const refusals = 50

// fill sends batches until one is refused again and again, and gives that one.
func fill(from *sender, client *http.Client) (body []byte, tags []string, seq int) {
	from.t.Helper()
	for seq < 20_000 {
		tags = make([]string, from.batch)
		var lines []byte
		for i := range tags {
			tags[i] = from.name + "-" + strconv.Itoa(seq)
			lines = append(append(lines, from.event(tags[i], seq)...), '\n')
			seq++
		}
		from.word.note(tags, false)
		if !from.try(client, lines) {
			return lines, tags, seq
		}
		from.word.note(tags, true)
	}
	from.t.Fatalf("%d events were taken by a disk that cannot hold them", seq)
	return nil, nil, 0
}

// try sends a batch until it is accepted; false when it is refused too often.
func (s *sender) try(client *http.Client, body []byte) bool {
	s.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for n := range refusals {
		done, err := s.post(s.t.Context(), client, body, "")
		if done {
			return true
		}
		if n == refusals-1 {
			s.t.Logf("refused: %v", err)
		}
		<-tick.C
	}
	return false
}

// healthOf gives what /health answers, whatever the status.
func healthOf(t *testing.T, s *site) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "curl", "-sS", "http://"+s.ingest+"/health").CombinedOutput()
	if err != nil {
		t.Errorf("health: %v", err)
	}
	return string(out)
}
