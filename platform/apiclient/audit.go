package apiclient

import "time"

// RollbackRequest asks to put back what a change replaced.
type RollbackRequest struct {
	AuditID int64  `json:"audit_id" doc:"the row of the change audit" min:"1"`
	Reason  string `json:"reason,omitempty" doc:"for the change audit" maxlen:"1000"`
	Force   bool   `json:"force,omitempty" doc:"put back although the present state is no longer what that change made"`
	Whole   bool   `json:"whole,omitempty" doc:"put back everything that was changed together with that row, such as a whole import: all or nothing"`
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
	Records   int    `json:"records" doc:"how many records were put back; above 1 old_value, new_value and record_id say nothing" min:"1"`
}

// AuditPoint is a row of the change audit, which stands for everything up to it. The number 0 is the beginning.
type AuditPoint struct {
	ID    int64  `json:"id" doc:"number of the row, 0 for the beginning" min:"0"`
	Hash  string `json:"hash" doc:"SHA-256 in hexadecimal, empty for the beginning"`
	Point string `json:"point" doc:"ID:HASH, as /audit/verify takes it"`
}

// AuditAnchor is where the change audit begins since retention removed the rows up to it.
type AuditAnchor struct {
	AuditPoint
	Removed   int64     `json:"removed" doc:"rows, by the last removal" min:"1"`
	OlderThan time.Time `json:"older_than" doc:"all of them were changed before this"`
	MadeAt    time.Time `json:"made_at" doc:"when they were removed"`
}

// AuditHead answers /audit/head: the last row of the change audit.
type AuditHead struct {
	AuditPoint
	ChangedAt *time.Time   `json:"changed_at" doc:"null for an empty audit"`
	Anchor    *AuditAnchor `json:"anchor" doc:"up to where retention removed the rows; null when it has removed none"`
}

// RecordsVerified answers /audit/verify/records: whether the tables are what the change audit says.
type RecordsVerified struct {
	Valid        bool              `json:"valid" doc:"this part has no differences"`
	Complete     bool              `json:"complete" doc:"the part ends with the last record; else the next call goes on after to"`
	Compared     int64             `json:"compared" doc:"records, in this part" min:"0"`
	Differences  []AuditDifference `json:"differences" doc:"between the tables and the change audit, and between the triggers and the migrations"`
	Unknown      []AuditRecord     `json:"unknown" doc:"some of the records of which retention removed every change: nothing can be said about them"`
	UnknownCount int64             `json:"unknown_count" doc:"how many they are, in this part" min:"0"`
	To           string            `json:"to" doc:"TABLE:RECORD up to which was compared"`
}

// AuditDifference is something that is not as the change audit, or this program, says.
type AuditDifference struct {
	TableName string `json:"table_name" doc:"where"`
	RecordID  string `json:"record_id" doc:"which of its records, or the name of a trigger or rule"`
	Member    string `json:"member" doc:"what of it; empty for the whole record"`
	Message   string `json:"message" doc:"how it differs"`
}

// AuditRecord names a record.
type AuditRecord struct {
	TableName string `json:"table_name" doc:"where"`
	RecordID  string `json:"record_id" doc:"which of its records"`
}

// AuditVerified answers /audit/verify. When it is valid and not complete, the next call goes on after To.
type AuditVerified struct {
	Valid    bool         `json:"valid" doc:"nothing in this part was edited, removed but by retention, or put in"`
	Complete bool         `json:"complete" doc:"the part ends at the head; else the next call goes on after to.point"`
	Rows     int64        `json:"rows" doc:"that hold, in this part" min:"0"`
	From     AuditPoint   `json:"from" doc:"the part begins after it"`
	To       AuditPoint   `json:"to" doc:"the chain holds up to it"`
	Head     AuditPoint   `json:"head" doc:"the last row, as the database says"`
	Anchor   *AuditAnchor `json:"anchor" doc:"up to where retention removed the rows; null when it has removed none"`
	BrokenAt int64        `json:"broken_at,omitempty" doc:"the row that is not what it was, or is missing" min:"1"`
	Message  string       `json:"message,omitempty" doc:"what is wrong with it"`
}
