package apiclient

// EventInput is an event as a sender gives it. Which members are required is configuration (ingest.required_fields).
type EventInput struct {
	Hostname      string         `json:"hostname" doc:"who reports it" example:"sw1"`
	Timestamp     any            `json:"timestamp" accepts:"string,number" doc:"RFC 3339, Unix seconds or milliseconds, or as in RFC 3164" example:"2026-11-23T08:00:00Z"`
	Message       string         `json:"message" doc:"what happened" example:"link down on Gi0/1"`
	Severity      any            `json:"syslog_severity,omitempty" accepts:"integer,string" doc:"0 to 7, or its name; severity is read too" example:"3"`
	Facility      any            `json:"facility,omitempty" accepts:"integer,string" doc:"0 to 23, or its name"`
	TrapOID       string         `json:"trap_oid,omitempty" doc:"of an SNMP trap"`
	Variables     []any          `json:"variables,omitempty" doc:"bindings of an SNMP trap: objects of oid, type and value, or texts oid=value"`
	SourceIP      string         `json:"source_ip,omitempty" doc:"address of the device"`
	AppName       string         `json:"app_name,omitempty" doc:"as in RFC 5424"`
	ProcID        string         `json:"proc_id,omitempty" doc:"as in RFC 5424"`
	MsgID         string         `json:"msg_id,omitempty" doc:"as in RFC 5424"`
	ID            string         `json:"id,omitempty" doc:"the sender's own id: a repeat within a day is taken once"`
	CorrelationID string         `json:"_correlation_id,omitempty" doc:"kept when it is sane, else made"`
	Fields        map[string]any `json:",inline" doc:"anything else is kept, shown in the audit and forwarded"`
}

// Queued answers one event.
type Queued struct {
	Status        string `json:"status" doc:"it is on disk" enum:"queued"`
	CorrelationID string `json:"correlation_id" doc:"the event's own, else that of the request"`
	QueueDepth    int64  `json:"queue_depth" doc:"events in the ingest queue" min:"0"`
}

// QueuedBatch answers an array, or newline-delimited objects.
type QueuedBatch struct {
	Status        string       `json:"status" doc:"rejected when every event is bad" enum:"queued|rejected"`
	Accepted      int          `json:"accepted" doc:"events that are on disk" min:"0"`
	Rejected      int          `json:"rejected" doc:"events that are not taken" min:"0"`
	Errors        []EventError `json:"errors" doc:"one for each rejected event"`
	Error         string       `json:"error,omitempty" doc:"when nothing was accepted: what the predecessor's clients read"`
	CorrelationID string       `json:"correlation_id" doc:"of the request"`
	QueueDepth    int64        `json:"queue_depth" doc:"events in the ingest queue" min:"0"`
}

// EventError says why an event of a batch was rejected.
type EventError struct {
	Index     int    `json:"index" doc:"of the event, from 0" min:"0"`
	Message   string `json:"message" doc:"what is wrong"`
	Field     string `json:"field,omitempty" doc:"what it is about" example:"events[3].timestamp"`
	Retryable bool   `json:"retryable,omitempty" doc:"the same event may be accepted later"`
}

// IngestConfig answers GET /admin/config of the ingest listener.
type IngestConfig struct {
	Static  any            `json:"static" doc:"settings of the process, without secrets"`
	Dynamic map[string]any `json:"dynamic" doc:"the effective value of each dynamic key"`
	Enabled bool           `json:"dynamic_config_enabled" doc:"false: defaults apply"`
}
