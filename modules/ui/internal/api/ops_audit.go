package api

import (
	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/openapi"
)

const tagAudit = "Audit"

func opListChanges(id, summary string) openapi.Operation {
	return openapi.Op(tagAudit, id, summary, "Every change of configuration, rules, hosts and teams, newest first: who, what, from what to what, why. "+
		"Changes of API keys are shown to the role admin only.",
		filtered("changed_by", "name of a key or user"), choice("operation", "in any case", "operation"),
		filtered("table_name", "what was changed, as table_name of an answer"), filtered("record_id", "which of them"),
		timed(), paged(), openapi.Gives(ok, "a page of changes", apiclient.Changes{}), openapi.Tagged())
}

func opGetChange() openapi.Operation {
	return openapi.Op(tagAudit, "getChange", "Show a change", "A change of an API key takes the role admin.", named("id", "number of the row", openapi.Whole(1, greatest)),
		openapi.Gives(ok, "the row of the change audit", apiclient.Change{}), openapi.Tagged())
}

func opAuditHead() openapi.Operation {
	return openapi.Op(tagAudit, "auditHead", "Show the end of the change audit", "To be kept outside of MUTT: /audit/verify can expect it later.",
		openapi.Gives(ok, "the last row and the last anchor", apiclient.AuditHead{}), openapi.Tagged())
}

func opVerifyAudit() openapi.Operation {
	point := func(name, about string) openapi.Part {
		return openapi.InQuery(name, about, openapi.Text(maxParam).WithExample("0:"))
	}
	return openapi.Op(tagAudit, "verifyAudit", "Verify the change audit", "Recomputes the chain of hashes from the last anchor of retention, at most limit rows of it. "+
		"A broken chain is an answer: valid is false, broken_at names the row.",
		point("after", "ID:HASH up to which a call before found it valid"), point("expect", "ID:HASH of /audit/head, noted before: the chain must go through it"),
		openapi.InQuery("limit", "rows at the most", openapi.Whole(1, maxVerify).WithDefault(defaultVerify)),
		openapi.Gives(ok, "what was found", apiclient.AuditVerified{}))
}

func opVerifyRecords() openapi.Operation {
	return openapi.Op(tagAudit, "verifyRecords", "Compare the tables with the change audit", "Compares the last audited state of each rule, host, team, value, API key and rotation with the tables, "+
		"at most limit records, and in the first part the triggers that guard the change audit with those of the migrations. It relies on the chain: verify that too. "+
		"A difference is an answer: valid is false, differences names it.",
		openapi.InQuery("after", "TABLE:RECORD up to which a call before compared", openapi.Text(maxParam).WithExample("alert_rules:1")),
		openapi.InQuery("limit", "records at most", openapi.Whole(1, maxRecords).WithDefault(defaultRecords)),
		openapi.Gives(ok, "what was found", apiclient.RecordsVerified{}))
}

func opRollback() openapi.Operation {
	return openapi.Op(tagAudit, "rollback", "Roll a change back", "Puts back what a change replaced, as a new change: of dynamic keys, which takes an admin, rules, hosts and teams. With whole, everything that was changed together with that row, such as an import.",
		openapi.TakesAs(openapi.Content{MediaType: openapi.JSON, Type: apiclient.RollbackRequest{}, Example: map[string]any{"audit_id": 12, "reason": "it was wrong"}}), changed(),
		openapi.Gives(ok, "it is as it was before that change", apiclient.RolledBack{}),
		openapi.Fails(fault.NotFound, fault.Conflict, fault.AlreadyExists), switchedOff())
}

func opListAuditLogs() openapi.Operation {
	return openapi.Op(tagAudit, "listAuditLogs", "List the judged events", "Newest first, by page or by cursor. Times are those at which MUTT received the events.",
		auditFiltered(), walked(), openapi.Gives(ok, "a page of events", apiclient.AuditLogs{}), openapi.Tagged())
}

func opExportAuditLogs() openapi.Operation {
	return openapi.Op(tagAudit, "exportAuditLogs", "Export judged events", "The objects of /audit-logs, newest first, one a line, at most 10,000, and as many as are found in 30 seconds. "+
		"When there may be more, the trailer "+apiclient.NextCursorTrailer+" has the cursor that goes on. A process writes 2 exports at once. An export that fails breaks the connection.",
		auditFiltered(), openapi.InQuery("cursor", "goes on where another export or list ended", openapi.Text(maxParam)),
		openapi.GivesAs(openapi.Answer{Status: ok, About: "one event a line", Headers: []string{"Content-Disposition"}, Contents: []openapi.Content{{MediaType: ndjson, Schema: openapi.Text(0)}}}), openapi.Fails(fault.Busy))
}

func opHostsSeen() openapi.Operation {
	return openapi.Op(tagAudit, "hostsSeen", "List hosts that were seen", "At most 20 hosts whose names begin with prefix and of which an event came within 24 hours, by name; to complete what a person types.",
		filtered("prefix", "how their names begin, in any case of the letters A to Z; all hosts when it is absent"), openapi.Gives(ok, "the hosts", apiclient.HostsSeen{}))
}

func eventInPath() openapi.Part {
	return named("id", "id of the event", openapi.Formatted("uuid").WithExample("019ab3c8-5b4c-7000-8000-000000000001"))
}

func opGetAuditLog() openapi.Operation {
	return openapi.Op(tagAudit, "getAuditLog", "Show a judged event", "", eventInPath(), openapi.Gives(ok, "its row", apiclient.AuditLog{}), openapi.Tagged())
}

func opGetEvent() openapi.Operation {
	return openapi.Op(tagAudit, "getEvent", "Explain a judged event", "Its row, and how the rules of then and of today judge it, with the rules that came nearest. The rules of then are found by the change audit; `ruleset` leaves one of the two out. "+
		"A caller has one such call at once, the process a few (`limits.tryouts`); one that takes longer than `limits.tryout_time` is refused with 422.",
		eventInPath(), openapi.InQuery("ruleset", "the rules to judge it by; both when it is absent", openapi.OneOf("then", "now")), openapi.Gives(ok, "the event, explained", apiclient.EventExplained{}), openapi.Fails(fault.Unprocessable, fault.RateLimited, fault.Busy))
}

func opDraftRule() openapi.Operation {
	return openapi.Op(tagAudit, "draftRule", "Suggest a rule for events like one", "By the OID of a trap, else by the mnemonic of the message or its longest part that does not vary; not bound to the host, with the message as an example. Nothing is stored.",
		eventInPath(), openapi.Gives(ok, "the draft", apiclient.RuleDraft{}))
}

// auditFiltered takes the filters of judged events, times included.
func auditFiltered() openapi.Part {
	return openapi.All(auditKind(), openapi.InQuery("id", "the one event that has it", openapi.Formatted("uuid").WithExample("019ab3c8-5b4c-7000-8000-000000000001")), timed())
}

// auditKind takes the filters of judged events.
func auditKind() openapi.Part {
	return openapi.All(filtered("hostname", "who reported it, in any case of the letters A to Z"), openapi.InQuery("rule_id", "the rule that matched", openapi.Whole(1, greatest)),
		filtered("team", "who got it"), choice("handling", "in any case", "handling"), choice("fate", "what judging made of it", "fate"),
		openapi.InQuery("severity", "what the device said: err is err and worse (emerg, alert, crit, err), err..warning is a range, err..err is err alone; a number from 0 (emerg) to 7 (debug) does for a word. "+
			"An event without a severity fits none", openapi.Text(maxParam).WithExample("err")),
		choice("source", "which listener received it", "source"), openapi.InQuery("env", "the environment of its host", openapi.OneOf("prod", "dev")),
		filtered("correlation_id", "of the request that brought it"), filtered("q", "part of the message, over a bounded window: see partial"))
}

func opHistogram() openapi.Operation {
	return openapi.Op(tagAudit, "histogram", "Count judged events by time and fate", "In at most 96 steps, from start_date (one hour back when it is absent) to end_date (now), over a bounded window of the newest events: see partial.",
		auditFiltered(), openapi.Gives(ok, "the counts", apiclient.Histogram{}))
}

func opStreamEvents() openapi.Operation {
	return openapi.Op(tagAudit, "streamEvents", "Follow what is judged", "Server-sent events: each second at most one message `sample`, whose data is a StreamSample as JSON: 20 events at most, fair over hosts, and how many there were. "+
		"A line of comment comes every 10 seconds. A stream ends after a minute, and the client calls again; a session or key that has ended gets 401 then. A process has 200 streams at most, 20 of one caller.",
		auditKind(), openapi.GivesAs(openapi.Answer{Status: ok, About: "the stream", Contents: []openapi.Content{{MediaType: eventStream, Schema: openapi.Text(0)}}}), openapi.Fails(fault.RateLimited, fault.Busy))
}
