package httpin

import (
	"net/http"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/authn"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/openapi"
)

const tagEvents = "Events"

// Operations declares the routes for the API's document. POST /ingest stands for the three paths that take events.
func Operations() []openapi.Operation {
	send := openapi.Op(tagEvents, "ingest", "Send events",
		"One object, an array of objects, or objects with newlines between them; plain or with Content-Encoding gzip or zstd. 200 is a promise: "+
			"the events are on disk. A batch names each bad event by its index and takes the others. What MUTT does not know of an event is kept.",
		openapi.InHeader("Idempotency-Key", "a UUID, or any id: the same request within a day is taken once", openapi.Text(128).WithPattern("^[!-~]+$")),
		openapi.InHeader("Content-Encoding", "how the body is compressed", openapi.OneOf("identity", "gzip", "zstd")),
		openapi.TakesAs(
			openapi.Content{MediaType: openapi.JSON, AnyOf: []any{apiclient.EventInput{}, []apiclient.EventInput{}}, Example: exampleEvent()},
			openapi.Content{MediaType: "application/x-ndjson", Schema: openapi.Text(0)}),
		openapi.GivesAs(openapi.Answer{Status: http.StatusOK, About: "one event, or some of a batch, are on disk",
			Contents: []openapi.Content{{MediaType: openapi.JSON, AnyOf: []any{apiclient.QueuedBatch{}, apiclient.Queued{}}}}}),
		openapi.GivesAs(openapi.Answer{Status: http.StatusBadRequest, About: "every event of the batch is bad",
			Contents: []openapi.Content{{MediaType: openapi.JSON, Type: apiclient.QueuedBatch{}}}}),
		openapi.Fails(fault.BadRequest, fault.InvalidField, fault.Unauthorized, fault.Forbidden, fault.UnsupportedVersion, fault.TooLarge, fault.UnsupportedType,
			fault.TooSlow, fault.RateLimited, fault.Busy, fault.QueueFull, fault.QueueUnavailable, fault.Closed))
	send.Method, send.Path, send.Role = http.MethodPost, "/ingest", authn.Ingest.String()
	config := openapi.Op(tagEvents, "ingestConfig", "Show the configuration of an ingestor", "What is in force in the process that answers.",
		openapi.Gives(http.StatusOK, "static and dynamic settings", apiclient.IngestConfig{}),
		openapi.Fails(fault.BadRequest, fault.Unauthorized, fault.Forbidden, fault.UnsupportedVersion, fault.Closed))
	config.Method, config.Path, config.Role = http.MethodGet, "/admin/config", authn.Admin.String()
	send.Sender, config.Sender = true, true
	return []openapi.Operation{send, config}
}

func exampleEvent() map[string]any {
	return map[string]any{"hostname": "sw1", "timestamp": "2026-11-23T08:00:00Z", "message": "link down on Gi0/1", "syslog_severity": 3}
}
