package vault

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/secret"
)

// Path is where secrets are in a KV engine of version 2.
type Path struct{ Mount, Name string }

// ParsePath reads "secret/mutt/prod", whose first part is the engine's mount. The form of the HTTP API, "team/kv/data/mutt/prod", is
// understood too: what stands before its first "data" is the mount, which may then have several parts.
func ParsePath(text string) (Path, error) {
	trimmed := strings.Trim(text, "/")
	mount, name, ok := strings.Cut(trimmed, "/data/")
	if !ok {
		mount, name, ok = strings.Cut(trimmed, "/")
	}
	odd := func(r rune) bool {
		return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./", r)
	}
	if !ok || mount == "" || name == "" || strings.ContainsFunc(text, odd) || strings.Contains(text, "//") || strings.Contains(text, "..") {
		return Path{}, errors.New("takes the mount of a KV engine and a path in it, such as secret/mutt/prod, or team/kv/data/mutt/prod for a mount of several parts")
	}
	return Path{mount, name}, nil
}

// String returns what ParsePath reads: "secret/mutt/prod", or the form of the API where that would be another path.
func (p Path) String() string {
	short := p.Mount + "/" + p.Name
	if again, err := ParsePath(short); err != nil || again != p {
		return p.data()
	}
	return short
}

// data and metadata are the paths of the API and of policies.
func (p Path) data() string     { return p.Mount + "/data/" + p.Name }
func (p Path) metadata() string { return p.Mount + "/metadata/" + p.Name }

// Secrets are one version of a path.
type Secrets struct {
	Values map[string]secret.Secret
	// Others are the values that are not texts, which other applications may keep beside ours: kept for the next Write as they are.
	Others  map[string]any
	Version int64 // 0 when nothing was ever written
	// Deleted is set when this version was deleted or destroyed; it has no values then.
	Deleted bool
	Created time.Time
}

// Read gives a version of a path, 0 the latest. A path that was never written is Version 0 and no error.
func (c *Client) Read(ctx context.Context, token secret.Secret, p Path, version int64) (Secrets, error) {
	r := request{method: http.MethodGet, path: p.data(), token: token}
	if version > 0 {
		r.query = url.Values{"version": {strconv.FormatInt(version, 10)}}
	}
	a, err := c.call(ctx, r)
	if status(err) == http.StatusNotFound {
		return missing(err)
	}
	if err != nil {
		return Secrets{}, err
	}
	return decode(a.Data, p)
}

// missing tells a deleted version, whose 404 has its metadata, from a path with nothing.
func missing(err error) (Secrets, error) {
	var r *refusal
	var body struct{ Data map[string]any }
	if !errors.As(err, &r) || len(r.texts) > 0 { // no such mount
		return Secrets{}, err
	}
	d := json.NewDecoder(strings.NewReader(string(r.body)))
	d.UseNumber()
	if d.Decode(&body) != nil || body.Data == nil {
		return Secrets{}, nil
	}
	s := Secrets{Deleted: true}
	meta, _ := body.Data["metadata"].(map[string]any)
	return s, s.describe(meta)
}

func decode(data map[string]any, p Path) (Secrets, error) {
	values, ok := data["data"].(map[string]any)
	meta, ok2 := data["metadata"].(map[string]any)
	if !ok || !ok2 {
		return Secrets{}, fault.New(fault.ConfigInvalid, "VAULT_SECRETS_PATH: the engine at %s is not KV version 2", p.Mount).WithRemedy("give a path in a KV engine of version 2")
	}
	s := Secrets{Values: make(map[string]secret.Secret, len(values)), Others: map[string]any{}}
	for k, v := range values {
		if text, ok := v.(string); ok {
			s.Values[k] = secret.New(text)
		} else {
			s.Others[k] = v
		}
	}
	return s, s.describe(meta)
}

// describe takes the version from the metadata.
func (s *Secrets) describe(meta map[string]any) (err error) {
	n, _ := meta["version"].(json.Number)
	if s.Version, err = n.Int64(); err != nil {
		return fmt.Errorf("the version of the secrets: %w", err)
	}
	text, _ := meta["created_time"].(string)
	s.Created, _ = time.Parse(time.RFC3339Nano, text) // for people; the zero time when it is none
	return nil
}

// Write puts the values of a path as the version after the one that they were read as, and returns its number. If another version was
// written since, it is a fault.Conflict and nothing was written.
func (c *Client) Write(ctx context.Context, token secret.Secret, p Path, s Secrets) (int64, error) {
	data, cas := make(map[string]any, len(s.Values)+len(s.Others)), s.Version
	maps.Copy(data, s.Others)
	for k, v := range s.Values {
		data[k] = v.Reveal()
	}
	a, err := c.call(ctx, request{method: http.MethodPost, path: p.data(), token: token, body: map[string]any{"data": data, "options": map[string]any{"cas": cas}}})
	if status(err) == http.StatusBadRequest {
		if now, readErr := c.Read(ctx, token, p, 0); readErr == nil && now.Version != cas {
			return 0, fault.Wrap(fault.Conflict, err, "%s was changed meanwhile: it has version %d, not %d", p, now.Version, cas)
		}
	}
	if err != nil {
		return 0, err
	}
	var written Secrets
	err = written.describe(a.Data)
	return written.Version, err
}
