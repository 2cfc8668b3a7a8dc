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

// ConfigValue returns a value as this change sees it, nil when it is not set. A row is read once in a change.
func (t *Tx) ConfigValue(key string) (*ConfigValue, error) {
	if row, known := t.config[key]; known {
		return row, nil
	}
	row, err := first(list(t.ctx, t.tx, scanConfigValue, `SELECT `+configColumns+` FROM dynamic_config WHERE key = $1`, key))
	if err != nil {
		return nil, err
	}
	t.keepConfig(key, row)
	return row, nil
}

func (t *Tx) keepConfig(key string, row *ConfigValue) {
	if t.config == nil {
		t.config = map[string]*ConfigValue{}
	}
	t.config[key] = row
}

// SetConfig sets a key to a value, the text of any JSON. The caller has checked key and value against its registry.
func (t *Tx) SetConfig(key, jsonValue string) error {
	var compact bytes.Buffer
	if err := json.Compact(&compact, []byte(jsonValue)); err != nil {
		return fault.Field(fault.Unprocessable, key, "the value is not JSON: %v", err)
	}
	old, err := t.ConfigValue(key)
	if err != nil {
		return err
	}
	var before object
	if old != nil {
		before = configObject(key, old.Value)
	}
	row := &ConfigValue{Key: key, Value: compact.String(), UpdatedAt: t.at, UpdatedBy: t.actor.Name, Revision: t.revision}
	if old != nil && old.Value == row.Value {
		return nil
	}
	if err := t.exec(`INSERT INTO dynamic_config (`+configColumns+`) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (key) DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at,
			updated_by = excluded.updated_by, revision = excluded.revision`,
		row.Key, row.Value, event.Micros(row.UpdatedAt), row.UpdatedBy, row.Revision); err != nil {
		return err
	}
	t.keepConfig(key, row)
	t.record(TableConfig, key, before, configObject(key, row.Value), "key")
	return nil
}

// UnsetConfig removes the value of a key, which then has its default; NotFound when it is not set.
func (t *Tx) UnsetConfig(key string) error {
	old, err := t.ConfigValue(key)
	if err != nil {
		return err
	}
	if old == nil {
		return fault.New(fault.NotFound, "%s is not set", key)
	}
	if err := t.exec(`DELETE FROM dynamic_config WHERE key = $1`, key); err != nil {
		return err
	}
	t.keepConfig(key, nil)
	t.record(TableConfig, key, configObject(key, old.Value), nil)
	return nil
}

func configObject(key, value string) object {
	return object{"key": event.AppendJSONString(nil, key), "value": json.RawMessage(value)}
}
