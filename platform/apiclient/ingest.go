package apiclient

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
