package apiclient

// Error is the body of every answer that is no success.
type Error struct {
	Error         string `json:"error" doc:"field and message in one sentence, as the predecessor's clients read it"`
	Message       string `json:"message" doc:"what is wrong"`
	Code          string `json:"code" doc:"permanent: docs/reference/errors.md lists them" example:"invalid_field"`
	Field         string `json:"field,omitempty" doc:"what it is about" example:"priority"`
	Remedy        string `json:"remedy,omitempty" doc:"what to do"`
	CorrelationID string `json:"correlation_id" doc:"of the request, as in X-Correlation-ID and the log"`
}
