package apiclient

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"github.com/muttproject/mutt/platform/rule"
)

// Write goes with every change: why, and the revision that it is based on (0 for any).
type Write struct {
	Reason  string
	IfMatch int64
}

func (c *Client) get(ctx context.Context, out any, query url.Values, path ...string) error {
	return c.Do(ctx, Call{Method: http.MethodGet, Path: path, Query: query}, out)
}

func (c *Client) send(ctx context.Context, method string, w Write, body, out any, path ...string) error {
	return c.Do(ctx, Call{Method: method, Path: path, Body: body, Reason: w.Reason, IfMatch: w.IfMatch}, out)
}

// Version asks what answers. It needs no key.
func (c *Client) Version(ctx context.Context) (out Version, err error) {
	return out, c.get(ctx, &out, nil, "version")
}

// Whoami asks whose key this is.
func (c *Client) Whoami(ctx context.Context) (out Whoami, err error) {
	return out, c.get(ctx, &out, nil, "whoami")
}

// Rules lists the rules.
func (c *Client) Rules(ctx context.Context) ([]rule.Rule, error) {
	var out Rules
	err := c.get(ctx, &out, nil, "rules")
	return out.Rules, err
}

// Rule gives one rule.
func (c *Client) Rule(ctx context.Context, id int64) (out rule.Rule, err error) {
	return out, c.get(ctx, &out, nil, "rules", strconv.FormatInt(id, 10))
}

// DeleteRule deletes a rule.
func (c *Client) DeleteRule(ctx context.Context, id int64, w Write) (out RuleSaved, err error) {
	return out, c.send(ctx, http.MethodDelete, w, nil, &out, "rules", strconv.FormatInt(id, 10))
}

// ImportOptions say how rules are imported.
type ImportOptions struct {
	Write
	Replace bool // delete the rules that the file does not name
	DryRun  bool
}

// ImportRules imports a rule file (YAML; JSON in the form of the export is YAML too).
func (c *Client) ImportRules(ctx context.Context, file []byte, o ImportOptions) (out ImportResult, err error) {
	query := url.Values{}
	if o.Replace {
		query.Set("mode", "replace")
	}
	if o.DryRun {
		query.Set("dry_run", "true")
	}
	return out, c.Do(ctx, Call{Method: http.MethodPost, Path: []string{"rules", "import"}, Query: query, Body: file,
		ContentType: "application/yaml", Reason: o.Reason, IfMatch: o.IfMatch}, &out)
}

// ExportRules gives all rules as a file, in the format "yaml" or "json".
func (c *Client) ExportRules(ctx context.Context, format string) (file []byte, err error) {
	return file, c.get(ctx, &file, url.Values{"format": {format}}, "rules", "export")
}

// Hosts lists the development hosts.
func (c *Client) Hosts(ctx context.Context) ([]Host, error) {
	var out Hosts
	err := c.get(ctx, &out, nil, "dev-hosts")
	return out.Hosts, err
}

// AddHost adds a development host.
func (c *Client) AddHost(ctx context.Context, hostname string, w Write) (out Done, err error) {
	return out, c.send(ctx, http.MethodPost, w, Host{Hostname: hostname}, &out, "dev-hosts")
}

// DeleteHost removes a development host.
func (c *Client) DeleteHost(ctx context.Context, hostname string, w Write) (out Done, err error) {
	return out, c.send(ctx, http.MethodDelete, w, nil, &out, "dev-hosts", hostname)
}

// Teams lists the teams of devices.
func (c *Client) Teams(ctx context.Context) ([]Team, error) {
	var out Teams
	err := c.get(ctx, &out, nil, "teams")
	return out.Teams, err
}

// Config lists the dynamic configuration.
func (c *Client) Config(ctx context.Context) (out Config, err error) {
	return out, c.get(ctx, &out, nil, "config")
}

// ConfigItem gives one dynamic key.
func (c *Client) ConfigItem(ctx context.Context, key string) (out ConfigItem, err error) {
	return out, c.get(ctx, &out, nil, "config", key)
}

// SetConfig sets a dynamic key. value is what JSON can say of the key's type.
func (c *Client) SetConfig(ctx context.Context, key string, value any, w Write) (out ConfigChanged, err error) {
	body := struct {
		Value any `json:"value"`
	}{value}
	return out, c.send(ctx, http.MethodPut, w, body, &out, "config", key)
}

// UnsetConfig puts a dynamic key back to its variable's value, else its default.
func (c *Client) UnsetConfig(ctx context.Context, key string, w Write) (out ConfigChanged, err error) {
	return out, c.send(ctx, http.MethodDelete, w, nil, &out, "config", key)
}

// AuditLogs gives a page of judged events; query has the filters of the contract.
func (c *Client) AuditLogs(ctx context.Context, query url.Values) (out AuditLogs, err error) {
	return out, c.get(ctx, &out, query, "audit-logs")
}

// Queues gives the depth of every queue.
func (c *Client) Queues(ctx context.Context) ([]Queue, error) {
	var out Queues
	err := c.get(ctx, &out, nil, "queues")
	return out.Queues, err
}

// DeadLetters gives a page of a queue's dead letters; cursor is "" for the first, else Pagination.NextCursor.
func (c *Client) DeadLetters(ctx context.Context, queue, cursor string, limit int) (out DeadLetters, err error) {
	query := url.Values{"limit": {strconv.Itoa(limit)}}
	if cursor != "" {
		query.Set("cursor", cursor)
	}
	return out, c.get(ctx, &out, query, "dlq", queue)
}

// DeadLetter gives one dead letter.
func (c *Client) DeadLetter(ctx context.Context, queue, id string) (out DeadLetter, err error) {
	return out, c.get(ctx, &out, nil, "dlq", queue, id)
}

// Replay puts dead letters back.
func (c *Client) Replay(ctx context.Context, queue string, r ReplayRequest) (out Replayed, err error) {
	return out, c.send(ctx, http.MethodPost, Write{}, r, &out, "dlq", queue, "replay")
}

// Discard deletes a dead letter.
func (c *Client) Discard(ctx context.Context, queue, id, reason string) (out Done, err error) {
	return out, c.send(ctx, http.MethodDelete, Write{Reason: reason}, nil, &out, "dlq", queue, id)
}

// Metrics gives the rates of received events.
func (c *Client) Metrics(ctx context.Context) (out Metrics, err error) {
	return out, c.get(ctx, &out, nil, "metrics")
}

// Ledger gives the two books.
func (c *Client) Ledger(ctx context.Context) (out Ledger, err error) {
	return out, c.get(ctx, &out, nil, "ledger")
}
