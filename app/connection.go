package app

import (
	"crypto/tls"
	"crypto/x509"
	"os"

	"github.com/muttproject/mutt/platform/connect"
	"github.com/muttproject/mutt/platform/connect/redis"
	"github.com/muttproject/mutt/platform/fault"
)

// connection gives what the connector needs; name is shown in the server's list of clients.
func (c *RedisConfig) connection(name string) (redis.Config, error) {
	modes := map[string]redis.Mode{RedisStandalone: redis.Standalone, RedisSentinel: redis.Sentinel, RedisCluster: redis.Cluster}
	t, err := tlsConfig(c.TLS, c.CAFile, "", "REDIS_CA_CERT_PATH")
	out := redis.Config{Mode: modes[c.Mode], Addrs: c.Addrs, Master: c.Master, Database: c.Database, TLS: t, Name: "mutt-" + name}
	var order []connect.Credential
	for _, p := range c.Passwords {
		order = append(order, connect.Credential{User: c.User, Password: p})
	}
	out.Credentials = func() []connect.Credential { return order }
	return out, err
}

// tlsConfig verifies the server by the authorities in a file, or the system's; nil when TLS is off.
func tlsConfig(on bool, caFile, server, setting string) (*tls.Config, error) {
	if !on {
		return nil, nil
	}
	t := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: server}
	if caFile == "" {
		return t, nil
	}
	pem, err := os.ReadFile(caFile)
	if err != nil {
		return nil, fault.Wrap(fault.ConfigInvalid, err, "%s: the file cannot be read", setting)
	}
	t.RootCAs = x509.NewCertPool()
	if !t.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fault.New(fault.ConfigInvalid, "%s: %s holds no certificate in PEM form", setting, caFile)
	}
	return t, nil
}
