package vault

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"

	lib "github.com/hashicorp/vault-client-go"

	"github.com/muttproject/mutt/platform/fault"
)

// refusal is an answer of Vault that is an error. It keeps less than the library's error does, which holds the whole request and
// so the token.
type refusal struct {
	status int
	texts  []string
	body   []byte // when it has no texts
}

// Error implements error. What Vault says of a refusal is in its own words, which name no secret.
func (r *refusal) Error() string {
	return strings.TrimSpace(fmt.Sprintf("Vault answers %d %s: %s", r.status, http.StatusText(r.status), strings.Join(r.texts, ", ")))
}

// refused takes what may be kept out of an error of the library.
func refused(err error) error {
	var answered *lib.ResponseError
	var redirected *lib.RedirectError
	switch {
	case errors.As(err, &answered):
		return &refusal{status: answered.StatusCode, texts: answered.Errors, body: answered.RawResponseBytes}
	case errors.As(err, &redirected):
		return &refusal{status: redirected.StatusCode, texts: []string{redirected.Message}}
	default:
		return err
	}
}

// status gives the status of a refusal, 0 for any other error.
func status(err error) int {
	var r *refusal
	if errors.As(err, &r) {
		return r.status
	}
	return 0
}

// dead reports whether a status says that Vault does not take the token any more, or the role and secret id.
func dead(err error) bool {
	s := status(err)
	return s == http.StatusForbidden || s == http.StatusBadRequest || s == http.StatusNotFound
}

// Fault gives an error its meaning; doing says what was being done ("log in to Vault"). Cancellation and what has a code already are
// returned as they are.
func Fault(err error, doing string) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return err
	}
	if _, ok := fault.As(err); ok {
		return err
	}
	message, remedy, ofTLS := peer().Explain(err)
	switch s := status(err); {
	case s == http.StatusServiceUnavailable:
		return away(err, "unseal it, or look in its log", "%s: Vault is sealed or not ready", doing)
	case s == http.StatusForbidden:
		return away(err, "check that the role and its policy exist ('mutt vault init' makes them), and the secret id or the token", "%s: Vault does not permit it", doing)
	case s == http.StatusBadRequest:
		return away(err, "the log has what Vault says", "%s: Vault refuses it", doing)
	case s == http.StatusNotFound:
		return away(err, "check VAULT_ADDR, VAULT_NAMESPACE and VAULT_SECRETS_PATH; 'mutt vault init' makes what is missing", "%s: Vault has nothing there", doing)
	case s != 0:
		return away(err, "look in the log of Vault", "%s: Vault answers with status %d", doing, s)
	case ofTLS:
		return away(err, remedy, "%s: %s", doing, message)
	case errors.Is(err, http.ErrSchemeMismatch):
		return away(err, "give VAULT_ADDR as an http URL, or the port that speaks TLS", "%s: Vault does not speak TLS", doing)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return away(err, "check that Vault runs and is not overloaded", "%s: Vault did not answer in time", doing)
	default:
		return away(err, "check that Vault runs, and VAULT_ADDR", "%s: Vault cannot be reached", doing)
	}
}

func away(err error, remedy, format string, args ...any) error {
	return fault.Wrap(fault.SecretsUnavailable, err, format, args...).WithRemedy("%s", remedy)
}
