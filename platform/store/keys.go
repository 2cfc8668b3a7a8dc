package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/fault"
)

const keyColumns = `id, name, role, hash, bootstrap, rate_limit, created_at, expires_at, last_used, second, second_until, second_used, revision`

func scanAPIKey(rows *sql.Rows, k *APIKey) error {
	var created int64
	var expires, used, until, secondUsed sql.NullInt64
	if err := rows.Scan(&k.ID, &k.Name, &k.Role, &k.Hash, &k.Bootstrap, &k.RateLimit, &created, &expires, &used, &k.Second, &until,
		&secondUsed, &k.Revision); err != nil {
		return err
	}
	k.CreatedAt, k.ExpiresAt, k.LastUsed = event.Time(created), timeOrZero(expires), timeOrZero(used)
	k.SecondUntil, k.SecondUsed = timeOrZero(until), timeOrZero(secondUsed)
	return nil
}

func apiKeys(ctx context.Context, q querier) ([]APIKey, error) {
	return list(ctx, q, scanAPIKey, `SELECT `+keyColumns+` FROM api_keys ORDER BY id`)
}

// APIKeys lists the API keys by id.
func (s *Store) APIKeys(ctx context.Context) ([]APIKey, error) {
	out, err := apiKeys(ctx, s.reader)
	return out, s.fail(ctx, err, "read the API keys")
}

// APIKeys lists the API keys as this change sees them.
func (t *Tx) APIKeys() ([]APIKey, error) { return apiKeys(t.ctx, t.tx) }

func (t *Tx) apiKey(id int64) (*APIKey, error) {
	k, err := first(list(t.ctx, t.tx, scanAPIKey, `SELECT `+keyColumns+` FROM api_keys WHERE id = $1`, id))
	if err == nil && k == nil {
		err = fault.New(fault.NotFound, "there is no API key %d", id)
	}
	return k, err
}

// PutAPIKey creates a key (ID 0) or replaces the one of that ID; it returns the ID. AlreadyExists when the name
// belongs to another. CreatedAt is set when zero. LastUsed and SecondUsed are not taken from k: they stay with the
// secrets that they belong to.
func (t *Tx) PutAPIKey(k APIKey) (int64, error) {
	if err := t.checkAPIKey(&k); err != nil {
		return 0, err
	}
	if k.ID == 0 {
		return t.createAPIKey(k)
	}
	old, err := t.apiKey(k.ID)
	if err != nil {
		return 0, err
	}
	if k.CreatedAt.IsZero() {
		k.CreatedAt = old.CreatedAt
	}
	k.LastUsed, k.SecondUsed = old.usedOf(k.Hash), old.usedOf(k.Second)
	before, after := keyObject(old), keyObject(&k)
	if !bytes.Equal(old.Hash, k.Hash) {
		after["secret_replaced"] = json.RawMessage("true")
	}
	if k.Second != nil && old.Second != nil && !bytes.Equal(old.Second, k.Second) {
		after["second_secret_replaced"] = json.RawMessage("true")
	}
	if after.equal(before) {
		return k.ID, nil
	}
	if err := t.exec(`UPDATE api_keys SET name = $1, role = $2, hash = $3, bootstrap = $4, rate_limit = $5, created_at = $6, expires_at = $7,
		last_used = $8, second = $9, second_until = $10, second_used = $11, revision = $12 WHERE id = $13`, k.Name, k.Role, k.Hash, number(k.Bootstrap),
		k.RateLimit, event.Micros(k.CreatedAt), nullTime(k.ExpiresAt), nullTime(k.LastUsed), nullBytes(k.Second), nullTime(k.SecondUntil),
		nullTime(k.SecondUsed), t.revision, k.ID); err != nil {
		return 0, err
	}
	t.record(TableKeys, strconv.FormatInt(k.ID, 10), before, after, "id", "name")
	return k.ID, nil
}

// usedOf says when the secret of a hash was used last, zero when it is none of the key's.
func (k *APIKey) usedOf(hash []byte) time.Time {
	switch {
	case hash == nil:
		return time.Time{}
	case bytes.Equal(hash, k.Hash):
		return k.LastUsed
	case bytes.Equal(hash, k.Second):
		return k.SecondUsed
	}
	return time.Time{}
}

func (t *Tx) createAPIKey(k APIKey) (int64, error) {
	if k.CreatedAt.IsZero() {
		k.CreatedAt = t.at
	}
	if err := t.within(); err != nil {
		return 0, err
	}
	if err := t.tx.QueryRowContext(t.ctx, `INSERT INTO api_keys (name, role, hash, bootstrap, rate_limit, created_at, expires_at, second, second_until, revision)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) RETURNING id`, k.Name, k.Role, k.Hash, number(k.Bootstrap), k.RateLimit,
		event.Micros(k.CreatedAt), nullTime(k.ExpiresAt), nullBytes(k.Second), nullTime(k.SecondUntil), t.revision).Scan(&k.ID); err != nil {
		return 0, err
	}
	t.record(TableKeys, strconv.FormatInt(k.ID, 10), nil, keyObject(&k))
	return k.ID, nil
}

// DeleteAPIKey removes a key: from now on it is refused.
func (t *Tx) DeleteAPIKey(id int64) error {
	old, err := t.apiKey(id)
	if err != nil {
		return err
	}
	if err := t.exec(`DELETE FROM api_keys WHERE id = $1`, id); err != nil {
		return err
	}
	t.record(TableKeys, strconv.FormatInt(id, 10), keyObject(old), nil)
	return nil
}

func (t *Tx) checkAPIKey(k *APIKey) error {
	if k.Name == "" || k.Role == "" {
		return fault.Field(fault.Unprocessable, "name", "an API key needs a name and a role")
	}
	if len(k.Hash) != sha256.Size || k.Second != nil && len(k.Second) != sha256.Size {
		return fmt.Errorf("store API key %q: hashes of %d and %d bytes", k.Name, len(k.Hash), len(k.Second))
	}
	all, err := t.APIKeys()
	if err != nil {
		return err
	}
	for i := range all {
		if all[i].Name == k.Name && all[i].ID != k.ID {
			return fault.Field(fault.AlreadyExists, "name", "an API key is called %q already", k.Name)
		}
	}
	return nil
}

// keyObject is what the audit shows of a key: never a hash, by which a secret is accepted. A digest of the hash shows a
// secret that was put in beside the audit.
func keyObject(k *APIKey) object {
	o := object{
		"id":        json.RawMessage(strconv.FormatInt(k.ID, 10)),
		"name":      event.AppendJSONString(nil, k.Name),
		"role":      event.AppendJSONString(nil, k.Role),
		"bootstrap": json.RawMessage(strconv.FormatBool(k.Bootstrap)),

		"secret_digest": digestOf(k.Hash),
		"created_at":    timeObject(k.CreatedAt),
	}
	if !k.ExpiresAt.IsZero() {
		o["expires_at"] = timeObject(k.ExpiresAt)
	}
	if k.RateLimit != 0 {
		o["rate_limit"] = json.RawMessage(strconv.FormatInt(k.RateLimit, 10))
	}
	if k.Second != nil {
		o["second_secret"], o["second_secret_digest"] = json.RawMessage("true"), digestOf(k.Second)
	}
	if !k.SecondUntil.IsZero() {
		o["second_until"] = timeObject(k.SecondUntil)
	}
	return o
}

// digestOf returns 128 bits of a digest of a secret's hash.
func digestOf(hash []byte) json.RawMessage {
	sum := sha256.Sum256(append([]byte("mutt-key-digest-1\n"), hash...))
	return event.AppendJSONString(nil, hex.EncodeToString(sum[:16]))
}

func timeObject(t time.Time) json.RawMessage {
	return event.AppendJSONString(nil, t.UTC().Truncate(time.Microsecond).Format(time.RFC3339Nano))
}

// number stores a truth value: INTEGER in every database.
func number(b bool) int {
	if b {
		return 1
	}
	return 0
}

// nullBytes keeps "none" apart from empty: a nil []byte in an interface is no NULL for every driver.
func nullBytes(b []byte) any {
	if b == nil {
		return nil
	}
	return b
}

func nullTime(t time.Time) sql.NullInt64 {
	return sql.NullInt64{Int64: event.Micros(t), Valid: !t.IsZero()}
}

func timeOrZero(us sql.NullInt64) time.Time {
	if !us.Valid {
		return time.Time{}
	}
	return event.Time(us.Int64)
}
