package config

// Names of the keys of retention, for the janitor.
const (
	RetentionEnabled        = "retention_enabled"
	RetentionDryRun         = "retention_dry_run"
	RetentionAuditDays      = "retention_audit_days"
	RetentionEventAuditDays = "retention_event_audit_days"
	RetentionDLQDays        = "retention_dlq_days"
	RetentionBatchSize      = "retention_batch_size"
)

// retentionKeys declares the keys of retention. The change audit stays for 30 days at the least: a stolen admin key must
// not make its own traces vanish.
func retentionKeys() []Key {
	janitor := []string{"janitor"}
	return []Key{
		{RetentionEnabled, Bool, true, 0, 0, "", nil, "remove what is past its days, once an hour", janitor},
		{RetentionDryRun, Bool, false, 0, 0, "", nil, "only log what would be removed", janitor},
		{RetentionAuditDays, Int, int64(365), 30, 36500, "days", nil, "whole days that the change audit is kept", janitor},
		{RetentionEventAuditDays, Int, int64(90), 1, 36500, "days", nil, "whole days that judged events are kept, by their time of receipt", janitor},
		{RetentionDLQDays, Int, int64(30), 1, 36500, "days", nil, "whole days that dead letters are kept, from when they became such", janitor},
		{RetentionBatchSize, Int, int64(1000), 10, 10_000, "rows", nil, "rows that one transaction of retention removes at the most", janitor},
	}
}
