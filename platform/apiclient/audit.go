package apiclient

// RollbackRequest asks to put back what a change replaced.
type RollbackRequest struct {
	AuditID int64  `json:"audit_id" doc:"the row of the change audit" min:"1"`
	Reason  string `json:"reason,omitempty" doc:"for the change audit" maxlen:"1000"`
	Force   bool   `json:"force,omitempty" doc:"put back although the present state is no longer what that change made"`
}

// RolledBack answers a rollback. OldValue and NewValue are the values of a dynamic key before and after, as in
// ConfigChanged; of a rule, host or team they are the whole record, null where there is none.
type RolledBack struct {
	Key       string `json:"key,omitempty" doc:"of a dynamic key"`
	OldValue  any    `json:"old_value" doc:"before: of a dynamic key its value, else the whole record; null for none"`
	NewValue  any    `json:"new_value" doc:"after: of a dynamic key its value, else the whole record; null for none"`
	Revision  int64  `json:"revision" doc:"of the record now, 0 when there is none"`
	AuditID   int64  `json:"audit_id" doc:"of the new row of the change audit"`
	TableName string `json:"table_name" doc:"what was changed"`
	RecordID  string `json:"record_id" doc:"which of them"`
	Operation string `json:"operation" doc:"what the rollback did" enum:"operation"`
}
