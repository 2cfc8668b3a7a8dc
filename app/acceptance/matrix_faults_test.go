package acceptance

import (
	"time"

	"github.com/muttproject/mutt/app"
)

// scenario is what is done to a distributed MUTT between one quiet moment and the next.
type scenario struct {
	name string
	play func(m *matrix)
}

// scenarios is the kill matrix.
func scenarios() []scenario {
	var out []scenario
	for _, role := range app.Roles() {
		out = append(out, scenario{"kill each " + string(role), func(m *matrix) { m.killEach(role) }})
	}
	return append(out,
		scenario{"kills at random", func(m *matrix) { m.each(5, m.killAny) }},
		scenario{"redis killed with always", func(m *matrix) { m.each(1, m.killRedis) }},
		scenario{"redis killed with everysec", func(m *matrix) { m.everysec(); m.each(1, m.killRedis) }},
		scenario{"redis restarted", func(m *matrix) { m.each(1, m.restartRedis) }},
		scenario{"redis paused", func(m *matrix) { m.each(1, func() time.Time { return m.pauseRedis(6 * time.Second) }) }}, // longer than a lease
		scenario{"postgres restarted", func(m *matrix) { m.each(1, m.restartPostgres) }},
		scenario{"postgres killed", func(m *matrix) { m.each(1, m.killPostgres) }},
		scenario{"postgres paused", func(m *matrix) { m.each(1, func() time.Time { return m.pausePostgres(5 * time.Second) }) }},
		scenario{"mix at random", func(m *matrix) { m.mix(6) }},
		scenario{"redis away", (*matrix).redisAway},
		scenario{"postgres away", (*matrix).postgresAway},
	)
}

// each does one thing to a MUTT under load, a number of times. The fault gives the moment when it was over.
func (m *matrix) each(times int, fault func() time.Time) {
	m.Helper()
	m.load(func() (over time.Time) {
		for n := range times {
			if n > 0 {
				m.pass(m.between(200*time.Millisecond, 800*time.Millisecond))
			}
			over = fault()
		}
		return over
	})
}

// killEach kills the processes of a role in turn.
func (m *matrix) killEach(role app.Role) {
	m.Helper()
	all := m.those(role)
	m.each(len(all), func() time.Time {
		defer func() { all = all[1:] }()
		return m.kill(all[0])
	})
}

// kill kills processes, and starts each again after a moment. The fault ends with their death: the others are to go on.
func (m *matrix) kill(victims ...*member) time.Time {
	m.Helper()
	for _, x := range victims {
		x.p.kill()
	}
	died := time.Now()
	for _, x := range victims {
		timer := time.NewTimer(m.between(100*time.Millisecond, 500*time.Millisecond))
		<-timer.C
		m.start(x)
	}
	m.lives()
	return died
}

// killAny kills up to three processes of any roles together.
func (m *matrix) killAny() time.Time {
	m.Helper()
	var victims []*member
	for _, n := range m.rnd.Perm(len(m.members))[:1+m.rnd.IntN(3)] {
		victims = append(victims, m.members[n])
	}
	return m.kill(victims...)
}

// away is how long a server is gone when it is restarted.
func (m *matrix) away() time.Duration { return m.between(200*time.Millisecond, 1500*time.Millisecond) }

// gone ends a server and starts it again after a while, and says when that was.
func (m *matrix) gone(end, start func()) time.Time {
	m.Helper()
	end()
	m.pass(m.away())
	start()
	return time.Now()
}

// frozen stops a server's processes for a time.
func (m *matrix) frozen(d time.Duration, pause, resume func()) time.Time {
	m.Helper()
	pause()
	defer resume()
	m.pass(d)
	return time.Now()
}

func (m *matrix) killRedis() time.Time { return m.gone(m.servers.Redis.Kill, m.servers.Redis.Start) }

func (m *matrix) restartRedis() time.Time { return m.gone(m.servers.Redis.Stop, m.servers.Redis.Start) }

func (m *matrix) pauseRedis(d time.Duration) time.Time {
	return m.frozen(d, m.servers.Redis.Pause, m.servers.Redis.Resume)
}

func (m *matrix) restartPostgres() time.Time {
	return m.gone(m.servers.Postgres.Stop, m.servers.Postgres.Start)
}

func (m *matrix) killPostgres() time.Time {
	return m.gone(m.servers.Postgres.Kill, m.servers.Postgres.Start)
}

func (m *matrix) pausePostgres(d time.Duration) time.Time {
	return m.frozen(d, m.servers.Postgres.Pause, m.servers.Postgres.Resume)
}

// everysec makes Redis write once a second what it promised, from now on and after a restart.
func (m *matrix) everysec() {
	m.Helper()
	m.servers.Redis.Do("CONFIG", "SET", "appendfsync", "everysec")
	m.servers.Redis.Do("CONFIG", "REWRITE")
}

// last is the scenario after which the book of deliveries is no longer exact (see slack).
func last() scenario { return scenario{"redis forgets its last moments", (*matrix).forget} }

// forget takes from Redis what it was told last, as a power cut does under everysec. What an ingestor appends again then
// may be delivered after later events of its device, so what was acknowledged in that time is left out of the check of
// the order; everything else holds for it too.
func (m *matrix) forget() {
	m.Helper()
	m.everysec()
	m.load(func() time.Time {
		kept, from := m.servers.Redis.AOFSize(), time.Now()
		m.pass(m.between(300*time.Millisecond, 900*time.Millisecond))
		m.servers.Redis.Kill()
		lost := m.servers.Redis.AOFSize() - kept
		m.servers.Redis.CutAOF(lost)
		m.Logf("Redis forgot the last %d bytes", lost)
		m.pass(m.away())
		m.servers.Redis.Start()
		back := time.Now()
		// An answer reaches its sender a little later than Redis's reached the ingestor.
		m.rolled = append(m.rolled, span{from.Add(-100 * time.Millisecond), back.Add(100 * time.Millisecond)})
		return back
	})
	m.pass(2 * time.Second) // an ingestor that appends nothing asks Redis once a second what it still knows
}

// mix does so many things in an order and with pauses that the seed decides.
func (m *matrix) mix(faults int) {
	m.Helper()
	seconds := func() time.Duration { return m.between(time.Second, 3*time.Second) }
	choice := []func() time.Time{
		m.killAny, m.killAny, m.killAny, m.killAny, m.killRedis, m.restartRedis, m.killPostgres, m.restartPostgres,
		func() time.Time { return m.pauseRedis(seconds()) },
		func() time.Time { return m.pausePostgres(seconds()) },
	}
	m.each(faults, func() time.Time { return choice[m.rnd.IntN(len(choice))]() })
}
