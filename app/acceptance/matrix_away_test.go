package acceptance

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/muttproject/mutt/app"
	"github.com/muttproject/mutt/app/apptest"
)

const (
	// awayCPU is how much of a core a process may use while a server is away and nobody sends.
	awayCPU = 0.05
	// awayLines is how many lines it may log of that, however long it takes.
	awayLines = 20
	// clockTick is the kernel's unit of CPU time in /proc (USER_HZ).
	clockTick = 10 * time.Millisecond
)

// redisAway takes Redis away for a while: every ingestor says so and recovers by itself.
func (m *matrix) redisAway() {
	m.Helper()
	m.sending(func() { m.pass(time.Second) })
	logged := m.logged()
	m.servers.Redis.Stop()
	m.idle(logged, func() {
		for n, x := range m.those(app.Ingestor) {
			m.refuses(x, 1000*n)
		}
	})
	m.servers.Redis.Start()
	back := time.Now()
	m.load(func() time.Time { return back })
}

// postgresAway takes PostgreSQL away for a while: events are accepted and wait.
func (m *matrix) postgresAway() {
	m.Helper()
	logged := m.logged()
	m.servers.Postgres.Stop()
	m.idle(logged, func() {
		acked := len(m.word.acked)
		m.sending(func() { m.pass(2 * time.Second) })
		if len(m.word.acked) == acked {
			m.Error("nothing was accepted while PostgreSQL was away")
		}
	})
	m.servers.Postgres.Start()
	back := time.Now()
	m.load(func() time.Time { return back })
}

// refuses holds that an ingestor answers 503; post looks at the rest of the answer. Its events are numbered from seq.
func (m *matrix) refuses(x *member, seq int) {
	m.Helper()
	s := &sender{t: m.T, name: "refused", site: x.site, word: m.word, batch: 1, own: true, seq: seq}
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	apptest.EventuallyWithin(m, recovery, x.name+" says that it takes nothing", func() (bool, any) {
		ctx, cancel := context.WithTimeout(m.Context(), recovery)
		defer cancel()
		tag := s.name + "-" + strconv.Itoa(s.seq)
		m.word.note([]string{tag}, false)
		_, err := s.post(ctx, client, s.event(tag, s.seq), uuid.NewString())
		s.seq++
		return err != nil && strings.HasPrefix(err.Error(), "503 "), err
	})
}

// logged counts the lines that each process logged so far.
func (m *matrix) logged() map[*member]int {
	m.Helper()
	lines := map[*member]int{}
	for _, x := range m.members {
		text, err := os.ReadFile(x.site.logFile)
		if err != nil {
			m.Fatal(err)
		}
		lines[x] = bytes.Count(text, []byte("\n"))
	}
	return lines
}

// idle lets the outage pass and holds that the processes neither spin nor filled their logs since logged. first is done
// before the CPU time is looked at.
func (m *matrix) idle(logged map[*member]int, first func()) {
	m.Helper()
	begin := time.Now()
	first()
	used := map[*member]time.Duration{}
	for _, x := range m.members {
		used[x] = x.cpu(m)
	}
	quiet := time.Now()
	m.pass(m.outage - time.Since(begin))
	lasted := time.Since(quiet)
	now := m.logged()
	for _, x := range m.members {
		share, lines := float64(x.cpu(m)-used[x])/float64(lasted), now[x]-logged[x]
		m.Logf("%s used %.1f %% of a core for %s and logged %d lines", x.name, 100*share, lasted.Round(time.Second), lines)
		if share > awayCPU || lines > awayLines {
			m.Errorf("%s does not wait quietly: %.1f %% of a core, %d lines", x.name, 100*share, lines)
		}
	}
}

// cpu gives the CPU time that a process used so far.
func (x *member) cpu(m *matrix) time.Duration {
	m.Helper()
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(x.p.cmd.Process.Pid) + "/stat")
	if err != nil {
		m.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(stat), ") ") // the name before it may hold anything
	fields := strings.Fields(rest)
	var used time.Duration
	for _, field := range fields[11:13] { // utime and stime
		n, err := strconv.Atoi(field)
		if err != nil {
			m.Fatal(err)
		}
		used += time.Duration(n) * clockTick
	}
	return used
}
