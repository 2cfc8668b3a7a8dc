package testkit

import (
	"net/http"
	"strings"
	"testing"

	"github.com/muttproject/mutt/platform/secret"
)

// TestVaultServer is also what builds the server before the other tests want it (make vault-server).
func TestVaultServer(t *testing.T) {
	t.Parallel()
	s := Vault(t, VaultOptions{TLS: true})
	if s.PutSecrets("mutt/prod", map[string]string{"A": "1"}) != 1 || s.PutSecrets("mutt/prod", map[string]string{"A": "2"}) != 2 {
		t.Error("versions count from 1")
	}
	role := s.NewRole(t, "mutt/prod", nil)
	id := s.NewSecretID(t, role)
	auth := s.Do("POST", "auth/approle/login", map[string]any{"role_id": role.RoleID, "secret_id": id.Reveal()})["auth"].(map[string]any)
	token := secret.New(auth["client_token"].(string))
	read := func() int { status, _ := s.Try(token, "GET", "secret/data/mutt/prod", nil); return status }
	if got := read(); got != http.StatusOK {
		t.Errorf("the role reads its path: %d", got)
	}
	if status, _ := s.Try(token, "GET", "secret/data/mutt/dev", nil); status != http.StatusForbidden {
		t.Errorf("the role reads another path: %d", status)
	}
	s.Seal()
	if got := read(); got != http.StatusServiceUnavailable {
		t.Errorf("sealed: %d", got)
	}
	s.Unseal()
	s.Kill()
	if got := read(); got != 0 {
		t.Errorf("killed: %d", got)
	}
	s.Start()
	if got := read(); got != http.StatusOK {
		t.Errorf("started again, it has what it had: %d", got)
	}
	if strings.Contains(s.log(), token.Reveal()) {
		t.Error("its log has the token")
	}
}
