package api

import (
	"maps"
	"net/http"
	"strings"

	"github.com/muttproject/mutt/platform/authn"
	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/openapi"
	"github.com/muttproject/mutt/platform/queue"
	"github.com/muttproject/mutt/platform/rule"
	"github.com/muttproject/mutt/platform/store"
)

// Operations declares every endpoint once, for both prefixes, in the order of the table.
func (a *API) Operations() []openapi.Operation {
	var ops []openapi.Operation
	for _, e := range a.endpoints() {
		ops = append(ops, e.operation())
	}
	return ops
}

// operation completes what an endpoint declares with what the table says and what every operation has.
func (e *endpoint) operation() openapi.Operation {
	o := e.op
	o.Method, o.Path, o.Role = e.method, documented(e.path), e.role.String()
	own := o.Errors
	o.Errors = []fault.Code{fault.BadRequest, fault.InvalidField, fault.UnsupportedVersion}
	if e.role != authn.Public {
		o.Add(openapi.Fails(fault.Unauthorized, fault.Forbidden, fault.RateLimited))
		if e.method != http.MethodGet {
			o.Add(openapi.Fails(fault.CSRFToken))
		}
	}
	o.Errors = append(o.Errors, own...)
	if len(o.Bodies) > 0 {
		o.Add(openapi.Fails(fault.TooLarge, fault.UnsupportedType, fault.Unprocessable))
	}
	if e.role != authn.Public {
		o.Add(openapi.Fails(fault.StoreUnavailable, fault.QueueUnavailable, fault.Closed))
	}
	return o
}

// documented turns the router's form of a path into the document's: /rules/:id into /rules/{id}.
func documented(path string) string {
	parts := strings.Split(path, "/")
	for i, part := range parts {
		if name, ok := strings.CutPrefix(part, ":"); ok {
			parts[i] = "{" + name + "}"
		}
	}
	return strings.Join(parts, "/")
}

// The longest number that a page or an id can be.
const greatest = 1<<63 - 1

// paged takes page and limit.
func paged() openapi.Part {
	return openapi.All(
		openapi.InQuery("page", "which page of the list, without a bound", openapi.Whole(1, greatest/maxLimit).WithDefault(1)),
		openapi.InQuery("limit", "rows per page", openapi.Whole(1, maxLimit).WithDefault(defaultLimit)))
}

// walked takes a cursor beside them.
func walked() openapi.Part {
	return openapi.All(paged(), openapi.InQuery("cursor", "next_cursor of the page before, instead of page: a walk neither repeats nor skips",
		openapi.Text(maxParam)))
}

// timed takes a span of time.
func timed() openapi.Part {
	return openapi.All(
		openapi.InQuery("start_date", "from this time on: RFC 3339, or a date; without a zone it is UTC", openapi.Text(maxParam).WithExample("2026-11-23T08:00:00Z")),
		openapi.InQuery("end_date", "before this time; a date means the whole of that day", openapi.Text(maxParam).WithExample("2026-11-23")))
}

// filtered takes an optional text of the query.
func filtered(name, about string) openapi.Part {
	return openapi.InQuery(name, about, openapi.Text(maxParam))
}

// changed is what every write of the configuration takes: a reason, and the revision that its caller has seen.
func changed() openapi.Part {
	return openapi.All(
		openapi.InHeader("If-Match", "the ETag or revision that was read: 412 when it is another by now", openapi.Text(0).WithExample(`"12"`)),
		reasoned(),
		openapi.Fails(fault.PreconditionFail))
}

// reasoned takes a reason in a header.
func reasoned() openapi.Part {
	return openapi.InHeader("X-Reason", "why, for the record; the body's reason goes before it", openapi.Text(maxReason))
}

// named takes the name of something in the path, which must exist.
func named(name, about string, s *openapi.Schema) openapi.Part {
	return openapi.All(openapi.InPath(name, about, s), openapi.Fails(fault.NotFound))
}

const ok = http.StatusOK

// vocabulary gives the words of the enumerations, from where they are defined.
func vocabulary() map[string][]string {
	v := map[string][]string{
		"match_type": {string(rule.Contains), string(rule.Regex), string(rule.Equals), string(rule.Glob), string(rule.OIDPrefix)},
		"operation":  {store.OpCreate, store.OpUpdate, store.OpDelete},
	}
	for _, h := range event.Handlings() {
		v["handling"] = append(v["handling"], h.String())
	}
	v["handling_or_none"] = append([]string{""}, v["handling"]...)
	for _, f := range event.Fates() {
		v["fate"] = append(v["fate"], f.String())
	}
	for _, s := range event.Sources() {
		v["source"] = append(v["source"], s.String())
	}
	for _, q := range queue.Names() {
		v["queue"] = append(v["queue"], string(q))
	}
	for _, r := range authn.Roles() {
		v["role"] = append(v["role"], r.String())
	}
	maps.Copy(v, rotationWords())
	return v
}

// choice is an optional word of a vocabulary.
func choice(name, about, words string) openapi.Part {
	return openapi.InQuery(name, about, openapi.OneOf(vocabulary()[words]...))
}
