package testkit

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/muttproject/mutt/platform/secret"
)

// VaultOptions say what server there should be. The zero value is right for most.
type VaultOptions struct {
	TLS  bool // answers on TLS only, with a certificate of its own authority
	Bare bool // as a new server is: no KV at secret/, no AppRole
}

// VaultServer is one running Vault. It keeps its data over a restart and unseals itself then.
type VaultServer struct {
	Addr   string        // its URL
	Token  secret.Secret // of root
	CAFile string        // PEM of the authority, "" without TLS

	process
	unseal string // key
	client *http.Client
}

// Vault runs a server until the test ends, unsealed, with KV version 2 at secret/ and AppRole at approle/.
func Vault(t testing.TB, o VaultOptions) *VaultServer {
	t.Helper()
	own := &owner{}
	dir, port := newDir(t, "vault", own), strconv.Itoa(FreePort(t))
	s := &VaultServer{Addr: "http://127.0.0.1:" + port, client: &http.Client{Timeout: patience}}
	s.process = process{t: t, dir: dir, owner: own, ready: s.answers}
	s.argv = []string{vaultBinary(t), "-addr", "127.0.0.1:" + port, "-dir", dir}
	if o.TLS {
		s.secure(port)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the log of Vault %s:\n%s", s.Addr, s.log())
		}
		s.kill()
	})
	s.Start()
	s.readKeys()
	if !o.Bare {
		s.Do("POST", "sys/mounts/secret", map[string]any{"type": "kv", "options": map[string]string{"version": "2"}})
		s.Do("POST", "sys/auth/approle", map[string]any{"type": "approle"})
		// A new mount upgrades itself to version 2 first, and answers 400 meanwhile.
		if !await(patience, func() bool { status, _ := s.Try(s.Token, "GET", "secret/config", nil); return status == http.StatusOK }) {
			t.Fatalf("KV does not get ready\n%s", s.log())
		}
	}
	return s
}

func (s *VaultServer) secure(port string) {
	a := NewAuthority(s.t)
	cert, key := a.issue()
	certFile, keyFile := filepath.Join(s.dir, "cert.pem"), filepath.Join(s.dir, "key.pem")
	s.owner.write(s.t, certFile, cert)
	s.owner.write(s.t, keyFile, key)
	s.argv = append(s.argv, "-cert", certFile, "-key", keyFile)
	s.Addr, s.CAFile = "https://127.0.0.1:"+port, a.CAFile
	s.client.Transport = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: a.Client().RootCAs, MinVersion: tls.VersionTLS12}, DisableKeepAlives: true}
}

// answers looks whether it is unsealed; the answer is 503 when it is not.
func (s *VaultServer) answers() error {
	client := *s.client
	client.Timeout = time.Second
	resp, err := client.Get(s.Addr + "/v1/sys/health")
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("it answers %s", resp.Status)
	}
	_ = resp.Body.Close()
	return err
}

// readKeys takes what the server's first start made.
func (s *VaultServer) readKeys() {
	s.t.Helper()
	var keys struct {
		RootToken string `json:"root_token"`
		UnsealKey string `json:"unseal_key"`
	}
	text, err := os.ReadFile(filepath.Join(s.dir, "keys.json"))
	if err == nil {
		err = json.Unmarshal(text, &keys)
	}
	if err != nil {
		s.t.Fatalf("read the keys of Vault: %v", err)
	}
	s.Token, s.unseal = secret.New(keys.RootToken), keys.UnsealKey
}

// Start starts it again on the same port and data. Like all of the next ones it does nothing when that is so already.
func (s *VaultServer) Start() { s.t.Helper(); s.start() }

// Stop ends it in order (SIGTERM).
func (s *VaultServer) Stop() { s.t.Helper(); s.stop(syscall.SIGTERM) }

// Kill ends it with SIGKILL.
func (s *VaultServer) Kill() { s.kill() }

// Pause freezes it: connections stay open and nothing answers.
func (s *VaultServer) Pause() { s.pause() }

// Resume ends a pause.
func (s *VaultServer) Resume() { s.resume() }

// Seal locks it: it answers 503 to everything until Unseal.
func (s *VaultServer) Seal() { s.t.Helper(); s.Do("POST", "sys/seal", nil) }

// Unseal ends a seal.
func (s *VaultServer) Unseal() {
	s.t.Helper()
	s.Do("POST", "sys/unseal", map[string]any{"key": s.unseal})
	if !await(patience, func() bool { return s.answers() == nil }) {
		s.t.Fatalf("Vault does not get ready after the unsealing\n%s", s.log())
	}
}

// Do calls the API as root and gives the data of the answer. The test fails when the call does.
func (s *VaultServer) Do(method, path string, body any) map[string]any {
	s.t.Helper()
	status, answer := s.Try(s.Token, method, path, body)
	if status >= 300 {
		s.t.Fatalf("%s %s: Vault answers %d: %v", method, path, status, answer["errors"])
	}
	return answer
}

// Try calls the API with a token and gives the status and the answer, whose "data" or "auth" is what was asked for. The status is 0 when
// it does not answer.
func (s *VaultServer) Try(token secret.Secret, method, path string, body any) (int, map[string]any) {
	s.t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		s.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.Addr+"/v1/"+path, bytes.NewReader(text))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("X-Vault-Token", token.Reveal())
	resp, err := s.client.Do(req)
	if err != nil {
		return 0, map[string]any{"errors": err.Error()}
	}
	defer func() { _ = resp.Body.Close() }()
	answer := map[string]any{}
	d := json.NewDecoder(resp.Body)
	d.UseNumber()
	if err := d.Decode(&answer); err != nil && err != io.EOF {
		return 0, map[string]any{"errors": err.Error()}
	}
	return resp.StatusCode, answer
}

// PutSecrets writes a new version of a path below secret/ and gives its number.
func (s *VaultServer) PutSecrets(path string, data map[string]string) int64 {
	s.t.Helper()
	answer := s.Do("POST", "secret/data/"+path, map[string]any{"data": data})
	n, err := answer["data"].(map[string]any)["version"].(json.Number).Int64()
	if err != nil {
		s.t.Fatalf("the version of %s: %v", path, err)
	}
	return n
}

// VaultRole is an AppRole that may read one path.
type VaultRole struct {
	Name, RoleID string
	SecretIDFile string // of mode 0600
}

// NewRole makes an AppRole that may read a path below secret/. settings are further ones of the role, such as token_ttl.
func (s *VaultServer) NewRole(t testing.TB, path string, settings map[string]any) VaultRole {
	t.Helper()
	name := "test-" + strings.NewReplacer("/", "-", " ", "-").Replace(t.Name()+"-"+path)
	s.Do("PUT", "sys/policies/acl/"+name, map[string]any{"policy": fmt.Sprintf("path \"secret/data/%s\" { capabilities = [\"read\"] }", path)})
	role := map[string]any{"token_policies": []string{name}}
	for k, v := range settings {
		role[k] = v
	}
	s.Do("POST", "auth/approle/role/"+name, role)
	id := s.Do("GET", "auth/approle/role/"+name+"/role-id", nil)["data"].(map[string]any)["role_id"].(string)
	r := VaultRole{Name: name, RoleID: id, SecretIDFile: filepath.Join(t.TempDir(), "secret-id")}
	s.NewSecretID(t, r)
	return r
}

// NewOperator gives a token that may do with a path below secret/ what an operator has to, and nothing else.
func (s *VaultServer) NewOperator(t testing.TB, path string) secret.Secret {
	t.Helper()
	name := "operator-" + strings.ReplaceAll(path, "/", "-")
	s.Do("PUT", "sys/policies/acl/"+name, map[string]any{"policy": fmt.Sprintf("path \"secret/data/%s\" { capabilities = [\"create\", \"read\", \"update\", \"patch\"] }", path)})
	auth := s.Do("POST", "auth/token/create", map[string]any{"policies": []string{name}})["auth"].(map[string]any)
	return secret.New(auth["client_token"].(string))
}

// NewSecretID replaces the secret id in the role's file and gives it. The former one stays valid until it is destroyed.
func (s *VaultServer) NewSecretID(t testing.TB, r VaultRole) secret.Secret {
	t.Helper()
	id := s.Do("POST", "auth/approle/role/"+r.Name+"/secret-id", map[string]any{})["data"].(map[string]any)["secret_id"].(string)
	if err := os.WriteFile(r.SecretIDFile+".new", []byte(id+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(r.SecretIDFile+".new", r.SecretIDFile); err != nil {
		t.Fatal(err)
	}
	return secret.New(id)
}
