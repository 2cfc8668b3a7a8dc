package apiclient

// RollbackRequest asks to put back what a change replaced.
type RollbackRequest struct {
	AuditID int64  `json:"audit_id"`         // the row of the change audit
	Reason  string `json:"reason,omitempty"` // why, for the audit
	// Force puts back although the present state is no longer what that change made.
	Force bool `json:"force,omitempty"`
}

// RolledBack answers a rollback. OldValue and NewValue are the values of a dynamic key before and after, as in
// ConfigChanged; of a rule, host or team they are the whole record, null where there is none.
type RolledBack struct {
	Key       string `json:"key,omitempty"` // of a dynamic key
	OldValue  any    `json:"old_value"`
	NewValue  any    `json:"new_value"`
	Revision  int64  `json:"revision"` // of the record now, 0 when there is none
	AuditID   int64  `json:"audit_id"` // of the new row of the change audit
	TableName string `json:"table_name"`
	RecordID  string `json:"record_id"`
	Operation string `json:"operation"` // what the rollback did: CREATE, UPDATE or DELETE
}
