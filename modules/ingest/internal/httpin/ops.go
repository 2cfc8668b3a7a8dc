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
			openapi.Content{MediaType: openapi.JSON, Schema: &openapi.Schema{OneOf: []*openapi.Schema{eventSchema(), {Type: openapi.Types{"array"}, Items: eventSchema()}}}, Example: exampleEvent()},
			openapi.Content{MediaType: "application/x-ndjson", Schema: openapi.Text(0)}),
		openapi.GivesAs(openapi.Answer{Status: http.StatusOK, About: "one event, or some of a batch, are on disk",
			Contents: []openapi.Content{{MediaType: openapi.JSON, AnyOf: []any{apiclient.QueuedBatch{}, apiclient.Queued{}}}}}),
		openapi.GivesAs(openapi.Answer{Status: http.StatusBadRequest, About: "every event of the batch is bad",
			Contents: []openapi.Content{{MediaType: openapi.JSON, Type: apiclient.QueuedBatch{}}}}),
		openapi.Fails(fault.BadRequest, fault.InvalidField, fault.Unauthorized, fault.Forbidden, fault.UnsupportedVersion, fault.TooLarge, fault.UnsupportedType,
			fault.RateLimited, fault.QueueFull, fault.QueueUnavailable, fault.Closed))
	send.Method, send.Path, send.Role = http.MethodPost, "/ingest", authn.Ingest.String()
	config := openapi.Op(tagEvents, "ingestConfig", "Show the configuration of an ingestor", "What is in force in the process that answers.",
		openapi.Gives(http.StatusOK, "static and dynamic settings", apiclient.IngestConfig{}),
		openapi.Fails(fault.BadRequest, fault.Unauthorized, fault.Forbidden, fault.UnsupportedVersion, fault.Closed))
	config.Method, config.Path, config.Role = http.MethodGet, "/admin/config", authn.Admin.String()
	send.Sender, config.Sender = true, true
	return []openapi.Operation{send, config}
}

// eventSchema is the event of the contract.
func eventSchema() *openapi.Schema {
	text := func(about string) *openapi.Schema {
		s := openapi.Text(0)
		s.Description = about
		return s
	}
	some := func(about string, types ...string) *openapi.Schema {
		return &openapi.Schema{Type: types, Description: about}
	}
	return &openapi.Schema{Type: openapi.Types{"object"}, Required: []string{"hostname", "timestamp", "message"}, Properties: openapi.Properties{
		{Name: "hostname", Schema: text("who reports it")},
		{Name: "timestamp", Schema: some("RFC 3339, Unix seconds or milliseconds, or as in RFC 3164", "string", "number")},
		{Name: "message", Schema: text("what happened")},
		{Name: "syslog_severity", Schema: some("0 to 7, or its name; severity is read too", "integer", "string", "null")},
		{Name: "facility", Schema: some("0 to 23, or its name", "integer", "string", "null")},
		{Name: "trap_oid", Schema: some("of an SNMP trap", "string", "null")},
		{Name: "variables", Schema: some("bindings of an SNMP trap: objects of oid, type and value, or texts oid=value", "array", "null")},
		{Name: "source_ip", Schema: some("address of the device", "string", "null")},
		{Name: "app_name", Schema: some("as in RFC 5424", "string", "null")},
		{Name: "id", Schema: some("the sender's own id: a repeat within a day is taken once", "string", "null")},
		{Name: "_correlation_id", Schema: some("kept when it is sane, else made", "string", "null")},
	}}
}

func exampleEvent() map[string]any {
	return map[string]any{"hostname": "sw1", "timestamp": "2026-11-23T08:00:00Z", "message": "link down on Gi0/1", "syslog_severity": 3}
}
