package store

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"

	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/fault"
)

const configColumns = `key, value, updated_at, updated_by, revision`

func scanConfigValue(rows *sql.Rows, v *ConfigValue) error {
	var at int64
	if err := rows.Scan(&v.Key, &v.Value, &at, &v.UpdatedBy, &v.Revision); err != nil {
		return err
	}
	v.UpdatedAt = event.Time(at)
	return nil
}

// ConfigValues lists the dynamic configuration values that are set, by key.
func (s *Store) ConfigValues(ctx context.Context) ([]ConfigValue, error) {
	out, err := list(ctx, s.reader, scanConfigValue, `SELECT `+configColumns+` FROM dynamic_config ORDER BY key`)
	return out, s.fail(ctx, err, "read the configuration")
}

// ConfigValue gives a value as this change sees it, nil when it is not set.
func (t *Tx) ConfigValue(key string) (*ConfigValue, error) {
	return first(list(t.ctx, t.tx, scanConfigValue,
		`SELECT `+configColumns+` FROM dynamic_config WHERE key = $1`, key))
}

// SetConfig sets a key to a value, the text of any JSON. The caller has checked key and value against its registry.
func (t *Tx) SetConfig(key, jsonValue string, ifRevision int64) error {
	var compact bytes.Buffer
	if err := json.Compact(&compact, []byte(jsonValue)); err != nil {
		return fault.Field(fault.Unprocessable, key, "the value is not JSON: %v", err)
	}
	old, err := t.ConfigValue(key)
	if err != nil {
		return err
	}
	var present int64
	var before object
	if old != nil {
		present, before = old.Revision, configObject(key, old.Value)
	}
	if err := matches(key, present, ifRevision); err != nil {
		return err
	}
	value := compact.String()
	if old != nil && old.Value == value {
		return nil
	}
	if err := t.exec(`INSERT INTO dynamic_config (key, value, updated_at, updated_by, revision) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (key) DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at,
			updated_by = excluded.updated_by, revision = excluded.revision`,
		key, value, event.Micros(t.at), t.actor.Name, t.revision); err != nil {
		return err
	}
	t.record(TableConfig, key, before, configObject(key, value), "key")
	return nil
}

// UnsetConfig puts a key back to its default; NotFound when it is not set.
func (t *Tx) UnsetConfig(key string, ifRevision int64) error {
	old, err := t.ConfigValue(key)
	if err != nil {
		return err
	}
	if old == nil {
		return fault.New(fault.NotFound, "%s is not set", key)
	}
	if err := matches(key, old.Revision, ifRevision); err != nil {
		return err
	}
	if err := t.exec(`DELETE FROM dynamic_config WHERE key = $1`, key); err != nil {
		return err
	}
	t.record(TableConfig, key, configObject(key, old.Value), nil)
	return nil
}

func configObject(key, value string) object {
	return object{"key": event.AppendJSONString(nil, key), "value": json.RawMessage(value)}
}
