// Command vaultserver is a real Vault server, assembled from Vault's own modules, for the tests of MUTT.
//
// Principles:
//  1. It is a module of its own: nothing of Vault's server gets into MUTT's go.mod or binary.
//  2. What MUTT does not use is left out: KV version 2, AppRole and tokens are there, clouds and plugins are not.
//  3. Its data is in a directory, so that a server that was killed starts again with what it had. It unseals itself.
package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	kv "github.com/hashicorp/vault-plugin-secrets-kv"
	"github.com/hashicorp/vault/audit"
	"github.com/hashicorp/vault/builtin/credential/approle"
	vaulthttp "github.com/hashicorp/vault/http"
	"github.com/hashicorp/vault/internalshared/configutil"
	"github.com/hashicorp/vault/sdk/helper/consts"
	"github.com/hashicorp/vault/sdk/logical"
	"github.com/hashicorp/vault/sdk/physical/file"
	"github.com/hashicorp/vault/vault"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:0", "where to listen")
	dir := flag.String("dir", "", "directory of the data and of keys.json")
	cert := flag.String("cert", "", "certificate, PEM; with -key the server talks TLS only")
	key := flag.String("key", "", "key of the certificate")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := run(ctx, *addr, *dir, *cert, *key); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run serves until ctx ends.
func run(ctx context.Context, addr, dir, cert, key string) error {
	core, err := open(dir)
	if err != nil {
		return fmt.Errorf("make the core: %w", err)
	}
	defer func() { _ = core.Shutdown() }()
	if err := unseal(ctx, core, filepath.Join(dir, "keys.json")); err != nil {
		return err
	}
	l, err := listen(ctx, addr, cert, key)
	if err != nil {
		return err
	}
	srv := &http.Server{ReadHeaderTimeout: 10 * time.Second,
		Handler: vaulthttp.Handler.Handler(&vault.HandlerProperties{Core: core, ListenerConfig: &configutil.Listener{}})}
	fmt.Println("listening on", l.Addr())
	go func() { <-ctx.Done(); _ = srv.Close() }()
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func listen(ctx context.Context, addr, cert, key string) (net.Listener, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil || cert == "" {
		return l, err
	}
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("load the certificate: %w", err)
	}
	return tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}), nil
}

// open makes a sealed core on the directory.
func open(dir string) (*vault.Core, error) {
	log := hclog.New(&hclog.LoggerOptions{Name: "vault", Level: hclog.Warn, Output: os.Stderr})
	data, err := file.NewFileBackend(map[string]string{"path": filepath.Join(dir, "data")}, log)
	if err != nil {
		return nil, err
	}
	return vault.NewCore(&vault.CoreConfig{
		Physical: data, Logger: log, DisableMlock: true, BuiltinRegistry: registry{},
		LogicalBackends:    map[string]logical.Factory{"kv": kv.Factory},
		CredentialBackends: map[string]logical.Factory{"approle": approle.Factory},
		AuditBackends:      map[string]audit.Factory{},
	})
}

// keys open a server and rule over it.
type keys struct {
	RootToken string `json:"root_token"`
	UnsealKey []byte `json:"unseal_key"`
}

// unseal opens the core with the keys of the file, which the first start makes.
func unseal(ctx context.Context, core *vault.Core, path string) error {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return initialize(ctx, core, path)
	}
	var k keys
	if err == nil {
		err = json.Unmarshal(text, &k)
	}
	if err == nil {
		_, err = core.Unseal(k.UnsealKey)
	}
	if err != nil {
		return fmt.Errorf("unseal: %w", err)
	}
	return nil
}

func initialize(ctx context.Context, core *vault.Core, path string) error {
	one := &vault.SealConfig{SecretShares: 1, SecretThreshold: 1}
	made, err := core.Initialize(ctx, &vault.InitParams{BarrierConfig: one, RecoveryConfig: one})
	if err != nil {
		return fmt.Errorf("initialize: %w", err)
	}
	k := keys{RootToken: made.RootToken, UnsealKey: made.SecretShares[0]}
	if _, err := core.Unseal(k.UnsealKey); err != nil {
		return fmt.Errorf("unseal: %w", err)
	}
	text, err := json.Marshal(k)
	if err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o600)
}

// registry knows the plugins that are part of the program.
type registry struct{}

func (registry) factory(name string, kind consts.PluginType) logical.Factory {
	switch {
	case kind == consts.PluginTypeSecrets && name == "kv":
		return kv.Factory
	case kind == consts.PluginTypeCredential && name == "approle":
		return approle.Factory
	default:
		return nil
	}
}

// Contains implements vault.BuiltinRegistry.
func (r registry) Contains(name string, kind consts.PluginType) bool {
	return r.factory(name, kind) != nil
}

// Get implements vault.BuiltinRegistry.
func (r registry) Get(name string, kind consts.PluginType) (func() (any, error), bool) {
	f := r.factory(name, kind)
	return func() (any, error) { return f, nil }, f != nil
}

// Keys implements vault.BuiltinRegistry.
func (r registry) Keys(kind consts.PluginType) []string {
	switch kind {
	case consts.PluginTypeSecrets:
		return []string{"kv"}
	case consts.PluginTypeCredential:
		return []string{"approle"}
	default:
		return nil
	}
}

// DeprecationStatus implements vault.BuiltinRegistry.
func (r registry) DeprecationStatus(name string, kind consts.PluginType) (consts.DeprecationStatus, bool) {
	return consts.Supported, r.Contains(name, kind)
}

// IsBuiltinEntPlugin implements vault.BuiltinRegistry.
func (registry) IsBuiltinEntPlugin(string, consts.PluginType) bool { return false }
