package retain

import "github.com/muttproject/mutt/platform/config"

// Dynamic are the dynamic keys of retention.
type Dynamic struct {
	Enabled        config.Value[bool]
	DryRun         config.Value[bool]
	AuditDays      config.Value[int64]
	EventAuditDays config.Value[int64]
	DLQDays        config.Value[int64]
	BatchSize      config.Value[int64]
}

// DeclareDynamic declares the dynamic keys of retention. The change audit is kept for at least 30 days: a stolen admin
// key must not be able to remove its own traces.
func DeclareDynamic(d config.Declarer) Dynamic {
	days := func(name string, def, least int64, about string) config.Value[int64] {
		return d.Whole(config.Whole{Name: name, Default: def, Min: least, Max: 36500, Unit: "days", About: about})
	}
	return Dynamic{
		Enabled:        d.Switch(config.Switch{Name: "retention_enabled", Default: true, About: "remove what is past its days, once an hour"}),
		DryRun:         d.Switch(config.Switch{Name: "retention_dry_run", About: "only log what would be removed"}),
		AuditDays:      days("retention_audit_days", 365, 30, "whole days that the change audit is kept"),
		EventAuditDays: days("retention_event_audit_days", 90, 1, "whole days that judged events are kept, by their time of receipt"),
		DLQDays:        days("retention_dlq_days", 30, 1, "whole days that dead letters are kept, from when they became such"),
		BatchSize: d.Whole(config.Whole{Name: "retention_batch_size", Default: 1000, Min: 10, Max: 10_000, Unit: "rows",
			About: "most rows that one transaction of retention removes"}),
	}
}
