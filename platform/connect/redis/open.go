package redis

import (
	"context"
	"crypto/tls"
	"net"
	"slices"
	"time"

	"github.com/redis/rueidis"

	"github.com/muttproject/mutt/platform/connect"
	"github.com/muttproject/mutt/platform/connect/tlsconf"
	"github.com/muttproject/mutt/platform/fault"
)

// Client is a connected client; the name saves its users the import of the library.
type Client = rueidis.Client

// Mode is how Redis is run.
type Mode int

// The modes.
const (
	Standalone Mode = iota // one server
	Sentinel               // a primary and replicas, which Sentinels watch
	Cluster                // slots spread over several primaries
)

// Credential is a user with its password. An empty user is Redis's default user.
type Credential = connect.Credential

// Config says where Redis is and how to speak to it.
type Config struct {
	Mode     Mode
	Addrs    []string       // host:port: the server, some Sentinels, or some nodes of the Cluster
	Master   string         // the name of the primary, with Sentinel
	Database int            // number of the database; a Cluster has 0 only
	TLS      tlsconf.Client // nil for plain TCP; Sentinels use the same
	Name     string         // of the connections in CLIENT LIST, without spaces
	// Credentials say who logs in; none means that there is no password. Sentinels get the same, and may also do without any.
	Credentials *connect.Credentials
	Exposure    *connect.Exposure // notes the connections; nil for none
}

// Times bound how long a call can hang. A silent server is noticed after at most two times idleCheck plus answerWithin.
const (
	answerWithin = 3 * time.Second  // the connection itself, one answer, or the PING that the library sends on a silent connection
	loginWithin  = 10 * time.Second // all tries for a connection, and the question to the providers of secrets between them
	idleCheck    = time.Second      // how often it looks for silence, and TCP's keep-alive
	// refreshEvery corrects what the client knows of a Cluster or of Sentinel's primary, should it have missed a change.
	refreshEvery = 5 * time.Second
)

// connectionBuffer is in bytes, for each direction of each connection; larger values bypass it.
const connectionBuffer = 128 << 10

// Open connects and checks that Redis answers. The error is a fault: QueueUnavailable, or ConfigInvalid.
// The client reconnects by itself from then on; Close it at the end.
func Open(ctx context.Context, c Config) (*Connection, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	client, err := c.connect(ctx)
	if err != nil {
		return nil, Fault(err, "connect to Redis")
	}
	if c.Mode == Cluster && client.Mode() != rueidis.ClientModeCluster {
		client.Close()
		return nil, fault.New(fault.ConfigInvalid, "this Redis does not run as a Cluster").
			WithRemedy("choose the mode that this Redis runs in")
	}
	return newConnection(c, client), nil
}

// connect makes a client and sees it answer.
func (c Config) connect(ctx context.Context) (rueidis.Client, error) {
	d := &dialer{credentials: c.Credentials, exposure: c.Exposure, tls: c.TLS, sentinels: c.Mode == Sentinel}
	return d.open(ctx, c.options(d))
}

func (c Config) validate() error {
	switch {
	case len(c.Addrs) == 0:
		return fault.New(fault.ConfigInvalid, "there is no address of Redis")
	case c.Mode == Sentinel && c.Master == "":
		return fault.New(fault.ConfigInvalid, "Redis with Sentinel needs the name of the primary")
	case c.Mode == Cluster && c.Database != 0:
		return fault.New(fault.ConfigInvalid, "a Redis Cluster has no database %d", c.Database)
	case c.Mode == Standalone && len(c.Addrs) > 1:
		return fault.New(fault.ConfigInvalid, "%d addresses for one Redis", len(c.Addrs)).
			WithRemedy("give one address, or choose Sentinel or Cluster")
	}
	return nil
}

func (c Config) options(d *dialer) rueidis.ClientOption {
	tcp := net.Dialer{Timeout: answerWithin, KeepAlive: idleCheck}
	var t *tls.Config // the library only looks whether there is one: it is the dialer that speaks TLS
	if c.TLS != nil {
		t = c.TLS()
	}
	o := rueidis.ClientOption{
		InitAddress: slices.Clone(c.Addrs), ForceSingleClient: c.Mode == Standalone, ShuffleInit: true,
		DialCtxFn: d.dial, Dialer: tcp, TLSConfig: t,
		ClientName: c.Name, SelectDB: c.Database,
		ConnWriteTimeout: answerWithin, DisableRetry: true, DisableCache: true, AlwaysPipelining: true,
		ReadBufferEachConn: connectionBuffer, WriteBufferEachConn: connectionBuffer,
	}
	switch c.Mode {
	case Sentinel:
		o.Sentinel = rueidis.SentinelOption{MasterSet: c.Master, Dialer: tcp, TLSConfig: t, ClientName: c.Name,
			TopologyRefreshInterval: refreshEvery}
	case Cluster:
		o.ClusterOption = rueidis.ClusterOption{ShardsRefreshInterval: refreshEvery}
	case Standalone:
	}
	return o
}
