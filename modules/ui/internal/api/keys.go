package api

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/authn"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/store"
)

// listKeys reads the keys each time: their last use changes without a revision.
func (a *API) listKeys(c echo.Context) error {
	ctx := c.Request().Context()
	revision, _, err := a.Store.Revisions(ctx)
	if err != nil {
		return err
	}
	stored, err := a.Store.APIKeys(ctx)
	if err != nil {
		return err
	}
	out := apiclient.Keys{Keys: make([]apiclient.Key, len(stored))}
	for i := range stored {
		out.Keys[i] = a.shownKey(&stored[i])
	}
	return answerList(c, revision, out)
}

func (a *API) getKey(c echo.Context) error {
	id, err := keyID(c)
	if err != nil {
		return err
	}
	stored, err := a.Store.APIKeys(c.Request().Context())
	if err != nil {
		return err
	}
	k, err := findKey(stored, id)
	if err != nil {
		return err
	}
	return answerOne(c, k.Revision, a.shownKey(k))
}

func (a *API) createKey(c echo.Context) error {
	var in apiclient.KeyCreate
	if err := readJSON(c, &in); err != nil {
		return err
	}
	k := store.APIKey{}
	expires, err := a.expiry(in.ExpiresAt, in.ExpiresIn)
	if err == nil {
		err = edit(&k, &in.Name, &in.Role, &in.RateLimit)
	}
	if err != nil {
		return err
	}
	k.ExpiresAt = expires
	secret := authn.NewSecret()
	hash := authn.HashSecret(secret.Reveal())
	k.Hash = hash[:]
	_, err = a.change(c, in.Reason, func(tx change) error {
		if err := tx.unchanged(); err != nil {
			return err
		}
		return a.putKey(tx, &k)
	})
	if err != nil {
		return err
	}
	return a.answerMade(c, http.StatusCreated, &k, secret.Reveal(), fmt.Sprintf("key %q made; its secret is not shown again", k.Name))
}

func (a *API) updateKey(c echo.Context) error {
	var in apiclient.KeyUpdate
	if err := readJSON(c, &in); err != nil {
		return err
	}
	expires, err := a.expiry(in.ExpiresAt, in.ExpiresIn)
	if err != nil {
		return err
	}
	return a.changeKey(c, in.Reason, func(tx change, k *store.APIKey) error {
		if in.ExpiresAt != nil || in.ExpiresIn != "" {
			k.ExpiresAt = expires
		}
		if in.DropSecondSecret {
			k.Second, k.SecondUntil = nil, time.Time{}
		}
		return edit(k, in.Name, in.Role, in.RateLimit)
	})
}

func (a *API) rotateKey(c echo.Context) error {
	var in apiclient.KeyRotate
	if err := readJSON(c, &in); err != nil {
		return err
	}
	grace, err := span("grace", in.Grace, maxGrace)
	if err != nil {
		return err
	}
	secret := authn.NewSecret()
	hash := authn.HashSecret(secret.Reveal())
	k, err := a.changedKey(c, in.Reason, func(_ change, k *store.APIKey) error {
		if !k.ExpiresAt.IsZero() && !a.Now().Before(k.ExpiresAt) {
			return fault.New(fault.Conflict, "the key %q has expired", k.Name).WithRemedy("move its expiry first")
		}
		k.Second, k.SecondUntil = nil, time.Time{}
		if grace > 0 {
			k.Second, k.SecondUntil = k.Hash, a.Now().Add(grace)
		}
		k.Hash = hash[:]
		return nil
	})
	if err != nil {
		return err
	}
	message := fmt.Sprintf("key %q has a new secret, which is not shown again; the old one is refused", k.Name)
	if grace > 0 {
		message = fmt.Sprintf("key %q has a new secret, which is not shown again; the old one is accepted until %s", k.Name, k.SecondUntil.UTC().Format(time.RFC3339))
	}
	return a.answerMade(c, http.StatusOK, k, secret.Reveal(), message)
}

func (a *API) deleteKey(c echo.Context) error {
	id, err := keyID(c)
	if err != nil {
		return err
	}
	var name string
	_, err = a.change(c, "", func(tx change) error {
		k, err := presentKey(tx, id)
		if err != nil {
			return err
		}
		name = k.Name
		if err := tx.DeleteAPIKey(id); err != nil {
			return err
		}
		return a.keepsAdmin(tx, k.Role)
	})
	if err != nil {
		return err
	}
	return answer(c, http.StatusOK, apiclient.Done{Message: fmt.Sprintf("key %q deleted; it is refused from now on", name)})
}

// changeKey changes the key of the path and answers with it.
func (a *API) changeKey(c echo.Context, reason string, fn func(change, *store.APIKey) error) error {
	k, err := a.changedKey(c, reason, fn)
	if err != nil {
		return err
	}
	c.Response().Header().Set("ETag", revisionTag(k.Revision))
	return answer(c, http.StatusOK, a.shownKey(k))
}

func (a *API) changedKey(c echo.Context, reason string, fn func(change, *store.APIKey) error) (*store.APIKey, error) {
	id, err := keyID(c)
	if err != nil {
		return nil, err
	}
	var k *store.APIKey
	_, err = a.change(c, reason, func(tx change) error {
		if k, err = presentKey(tx, id); err != nil {
			return err
		}
		role := k.Role
		if err := fn(tx, k); err != nil {
			return err
		}
		if err := a.putKey(tx, k); err != nil {
			return err
		}
		return a.keepsAdmin(tx, role)
	})
	return k, err
}

// putKey stores a key and reads it back as it is then.
func (a *API) putKey(tx change, k *store.APIKey) error {
	id, err := tx.PutAPIKey(*k)
	if err != nil {
		return err
	}
	stored, err := tx.APIKeys()
	if err != nil {
		return err
	}
	now, err := findKey(stored, id)
	if err != nil {
		return err
	}
	*k = *now
	return nil
}

// keepsAdmin refuses a change of an admin key after which nobody could make another one.
func (a *API) keepsAdmin(tx change, before string) error {
	if before != authn.Admin.String() {
		return nil
	}
	stored, err := tx.APIKeys()
	if err != nil {
		return err
	}
	for _, k := range stored {
		if k.Role == authn.Admin.String() && (k.ExpiresAt.IsZero() || a.Now().Before(k.ExpiresAt)) {
			return nil
		}
	}
	return fault.New(fault.Conflict, "this is the last key with the role admin: nobody could make another one").
		WithRemedy("create another admin key first, or give WEBUI_API_KEY")
}

// presentKey finds the key that is about to be changed. Those of the secret source are changed there: the next start
// would bring them back as they were.
func presentKey(tx change, id int64) (*store.APIKey, error) {
	stored, err := tx.APIKeys()
	if err != nil {
		return nil, err
	}
	k, err := findKey(stored, id)
	if err != nil {
		return nil, err
	}
	if k.Bootstrap {
		return nil, fault.New(fault.Conflict, "the key %q lives in the secret source and is changed there, not here", k.Name).
			WithRemedy("change INGEST_API_KEY or WEBUI_API_KEY, or the file or Vault secret that gives it; see docs/guides/access.md")
	}
	return k, tx.want.check("the API key "+k.Name, k.Revision)
}

func findKey(stored []store.APIKey, id int64) (*store.APIKey, error) {
	for i := range stored {
		if stored[i].ID == id {
			return &stored[i], nil
		}
	}
	return nil, fault.Field(fault.NotFound, "id", "there is no API key %d", id)
}

func keyID(c echo.Context) (int64, error) {
	text, err := pathParam(c, "id")
	if err != nil {
		return 0, err
	}
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil || id < 1 {
		return 0, fault.Field(fault.InvalidField, "id", "is no key id: a whole number from 1")
	}
	return id, nil
}

func (a *API) answerMade(c echo.Context, status int, k *store.APIKey, secret, message string) error {
	c.Response().Header().Set("ETag", revisionTag(k.Revision))
	c.Response().Header().Set("Cache-Control", "no-store")
	return answer(c, status, apiclient.KeyMade{ID: k.ID, Message: message, Secret: secret, Key: a.shownKey(k)})
}

// shownKey is a key as the API shows it. A second secret whose time is over is not shown.
func (a *API) shownKey(k *store.APIKey) apiclient.Key {
	out := apiclient.Key{ID: k.ID, Name: k.Name, Role: k.Role, Bootstrap: k.Bootstrap, RateLimit: k.RateLimit, CreatedAt: k.CreatedAt.UTC(),
		ExpiresAt: timeOrNull(k.ExpiresAt), LastUsed: timeOrNull(k.LastUsed), Revision: k.Revision}
	if k.Second != nil && (k.SecondUntil.IsZero() || a.Now().Before(k.SecondUntil)) {
		out.SecondSecret = &apiclient.SecondSecret{ExpiresAt: timeOrNull(k.SecondUntil), LastUsed: timeOrNull(k.SecondUsed)}
	}
	return out
}

func timeOrNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}
