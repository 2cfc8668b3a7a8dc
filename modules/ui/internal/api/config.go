package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/config"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/store"
)

// dynamic lets a call pass unless dynamic configuration is switched off.
func (a *API) dynamic(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if !a.DynamicEnabled {
			return fault.New(fault.FeatureOff, "dynamic configuration is switched off: every key has its default").
				WithRemedy("set dynamic_config.enabled to true and restart")
		}
		return next(c)
	}
}

func (a *API) listConfig(c echo.Context) error {
	set, err := a.readConfig(c)
	if err != nil {
		return err
	}
	out := apiclient.Config{Config: map[string]any{}}
	for _, k := range a.Dynamic.Registry().Keys() {
		item := a.item(k, set.values[k.Name])
		out.Config[k.Name] = item.Value
		if strings.HasPrefix(c.Request().URL.Path, "/api/v2/") {
			out.Items = append(out.Items, item)
		}
	}
	return answerList(c, set.at.Revision, out)
}

func (a *API) getConfig(c echo.Context) error {
	key, err := a.key(c)
	if err != nil {
		return err
	}
	set, err := a.readConfig(c)
	if err != nil {
		return err
	}
	item := a.item(key, set.values[key.Name])
	return answerOne(c, item.Revision, item)
}

func (a *API) setConfig(c echo.Context) error {
	key, err := a.key(c)
	if err != nil {
		return err
	}
	var in apiclient.ConfigInput
	if err := readJSON(c, &in); err != nil {
		return err
	}
	if in.Value == nil {
		return fault.Field(fault.Unprocessable, "value", "is required")
	}
	value, err := key.Parse(in.Value)
	if err != nil {
		return err
	}
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("render the value of %s: %w", key.Name, err)
	}
	return a.changeConfig(c, key, in.Reason, value, func(tx change, _ *store.ConfigValue) error { return tx.SetConfig(key.Name, string(text)) })
}

// unsetConfig puts a key back to its variable's value, else its default. A key that is not set stays so.
func (a *API) unsetConfig(c echo.Context) error {
	key, err := a.key(c)
	if err != nil {
		return err
	}
	return a.changeConfig(c, key, "", a.Dynamic.Initial(key), func(tx change, old *store.ConfigValue) error {
		if old == nil {
			return nil
		}
		return tx.UnsetConfig(key.Name)
	})
}

// changeConfig changes one key to a value, and answers with its values before and after, both as this change saw them.
func (a *API) changeConfig(c echo.Context, key *config.Key, reason string, value any, fn func(change, *store.ConfigValue) error) error {
	out := apiclient.ConfigChanged{Key: key.Name, NewValue: value}
	_, err := a.change(c, reason, func(tx change) error {
		old, err := tx.ConfigValue(key.Name)
		if err != nil {
			return err
		}
		before := a.item(key, parsed(key, old))
		if err := tx.want.check(key.Name, before.Revision); err != nil {
			return err
		}
		if err := fn(tx, old); err != nil {
			return err
		}
		now, err := tx.ConfigValue(key.Name)
		if out.OldValue, out.Revision = before.Value, 0; now != nil {
			out.Revision = now.Revision
		}
		return err
	})
	if err != nil {
		return err
	}
	c.Response().Header().Set("ETag", revisionTag(out.Revision))
	return answer(c, http.StatusOK, out)
}

func (a *API) key(c echo.Context) (*config.Key, error) {
	name, err := pathParam(c, "key")
	if err != nil {
		return nil, err
	}
	return a.Dynamic.Registry().Lookup(name)
}

// setting is a stored value. value is nil where this version cannot use the text.
type setting struct {
	store.ConfigValue
	value any
}

// parsed returns the setting of a row, nil for none.
func parsed(key *config.Key, row *store.ConfigValue) *setting {
	if row == nil {
		return nil
	}
	s := &setting{ConfigValue: *row}
	if v, err := key.Parse(json.RawMessage(row.Value)); err == nil {
		s.value = v
	}
	return s
}

// storedConfig are the values that are set, by key, as of a state of the store.
type storedConfig struct {
	at     store.Position
	values map[string]*setting
}

// readConfig reads and parses what is set, when anything was changed since the last time. While the store is unavailable
// it returns what is in force in this process: reading the configuration goes on.
func (a *API) readConfig(c echo.Context) (storedConfig, error) {
	ctx, cancel := context.WithTimeout(c.Request().Context(), storeBound)
	defer cancel()
	at, err := a.Store.Position(ctx)
	if have := a.config.Load(); err == nil && have != nil && have.at == at {
		return *have, nil
	}
	var rows []store.ConfigValue
	if err == nil {
		rows, err = a.Store.ConfigValues(ctx)
	}
	if err != nil {
		if !storeAway(c, err) {
			return storedConfig{}, err
		}
		stale(c)
		return a.inForce(), nil
	}
	now := &storedConfig{at, make(map[string]*setting, len(rows))}
	for i := range rows {
		if key, err := a.Dynamic.Registry().Lookup(rows[i].Key); err == nil { // else another version's
			now.values[key.Name] = parsed(key, &rows[i])
		}
	}
	a.config.Store(now)
	return *now, nil
}

// inForce returns the values that this process works with. When and by whom they were set is known only if they were
// read before.
func (a *API) inForce() storedConfig {
	current := a.Dynamic.Current()
	have := a.config.Load()
	if have != nil && have.at.Revision == current.Revision {
		return *have
	}
	now := storedConfig{store.Position{Revision: current.Revision}, map[string]*setting{}}
	for _, k := range a.Dynamic.Registry().Keys() {
		if value := current.Of(k); value != a.Dynamic.Initial(k) {
			now.values[k.Name] = &setting{value: value}
		}
	}
	return now
}

// item describes a key with its stored value, nil for none. A stored value that this version cannot use counts as
// none, as it does for the readers.
func (a *API) item(key *config.Key, set *setting) apiclient.ConfigItem {
	item := apiclient.ConfigItem{
		Key: key.Name, Value: a.Dynamic.Initial(key), Default: key.Default, Type: string(key.Type),
		Options: key.Options, Unit: key.Unit, Description: key.Description, Readers: key.Readers,
	}
	if key.Type == config.Int || key.Type == config.Float {
		item.Min, item.Max = &key.Min, &key.Max
	}
	if set == nil {
		return item
	}
	if set.value != nil {
		item.Value = set.value
	}
	if at := set.UpdatedAt.UTC(); !set.UpdatedAt.IsZero() {
		item.UpdatedAt = &at
	}
	item.UpdatedBy, item.Revision = set.UpdatedBy, set.Revision
	return item
}
