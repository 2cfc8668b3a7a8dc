// Package netguard bounds what peers can take of a process by its network listeners: who may connect, how many connections are open,
// how long a silent one stays, and at which rate a source may send.
//
// Principles:
//  1. A bound holds before memory or time is spent on the peer. An accept costs O(log n), whatever peers do.
//  2. Room is made by closing idle connections, of the source that holds most; a connection that is being served is never closed for it.
//  3. No error of accept or read that passes ends a listener: running out of descriptors refuses connections and ends nothing.
//  4. The state of a source is bounded in number, so that forged addresses cost neither memory nor more time.
//  5. TLS wraps a guarded listener, never the other way round: a Conn is the transport below it (see Of).
package netguard

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/config/static"
	"github.com/muttproject/mutt/platform/deps"
	"github.com/muttproject/mutt/platform/lifecycle"
	"github.com/muttproject/mutt/platform/trouble"
)

// Deps are what a Guard needs. All are required.
type Deps struct {
	Registerer prometheus.Registerer
	Logger     *zap.Logger
	Listeners  int // that will be opened; they share the process's file descriptors
}

// Guard holds the limits of a process; each of its listeners has a Door. It is a lifecycle.Service that reports states of trouble.
type Guard struct {
	*lifecycle.Runner
	limits  Config
	relays  Networks
	metrics *metrics
	board   *trouble.Board
	epoch   time.Time
}

var (
	_ lifecycle.Service      = (*Guard)(nil)
	_ lifecycle.ReadyChecker = (*Guard)(nil)
)

// New returns a Guard. When the process may open too few files for all connections that the limits allow, it lowers the bound and
// says so in the log.
func New(c Config, d Deps) (*Guard, error) {
	if err := deps.Check(d); err != nil {
		return nil, err
	}
	if err := static.Validate(c.Settings()); err != nil {
		return nil, err
	}
	g := &Guard{limits: c, relays: NewNetworks(c.TrustedRelays), metrics: newMetrics(d.Registerer), epoch: time.Now(),
		board: trouble.NewBoard(d.Logger, time.Now)}
	g.Runner = lifecycle.NewRunner("limits", func(ctx context.Context) error {
		g.board.Run(ctx)
		return nil
	})
	if files := fileLimit(); files > 0 && d.Listeners > 0 {
		if fits := connectionsWithin(files, d.Listeners); fits < c.Connections {
			g.limits.Connections = fits
			g.limits.ConnectionsPerSource = min(c.ConnectionsPerSource, max(1, fits/2)) // one source never fills a listener
			d.Logger.Warn("limits.connections was lowered: this process may not open as many files",
				zap.Int("limits.connections", c.Connections), zap.Int("connections_per_listener", fits), zap.Int("connections_per_source", g.limits.ConnectionsPerSource), zap.Int("listeners", d.Listeners), zap.Int("open_files", files),
				zap.String("remedy", "raise the limit of open files (ulimit -n, LimitNOFILE= of systemd), or lower limits.connections"))
		}
	}
	return g, nil
}

// Limits returns the limits in force.
func (g *Guard) Limits() Config { return g.limits }

// Ready returns what is wrong now, in words.
func (g *Guard) Ready(context.Context) (warnings []string, err error) { return g.board.Warnings(), nil }

// Problems returns the states of trouble that last.
func (g *Guard) Problems() []trouble.Problem { return g.board.Problems() }

// now returns the time since the Guard was made, in nanoseconds. It costs less than time.Now.
func (g *Guard) now() int64 { return int64(time.Since(g.epoch)) }

// filesReserved is how many of a process's files are kept for its storage, servers and itself, when it may open that many.
const filesReserved = 256

// connectionsWithin returns how many connections each listener may hold so that a reserve of the files is left.
func connectionsWithin(files, listeners int) int {
	return max(1, (files-min(filesReserved, files/4))/listeners)
}
