package cli

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/rule"
)

func newEvents(s streams) *cobra.Command {
	cmd := &cobra.Command{Use: "events", Short: "list judged events, and explain one"}
	f := addClientFlags(cmd)
	cmd.AddCommand(eventsList(s, f), eventsShow(s, f))
	return cmd
}

func eventsList(s streams, f *clientFlags) *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "list judged events, newest first", Args: noArgs,
		Example: "  mutt events list --host sw1 --fate unhandled --start 2026-11-01"}
	query := addPageFlags(cmd)
	filters := map[string]*string{}
	for _, flag := range [...]struct{ name, param, about string }{
		{"host", "hostname", "who reported it"}, {"rule", "rule_id", "ID of the rule that matched"}, {"team", "team", "who got it"},
		{"fate", "fate", "forwarded, recorded, ignored, unhandled, silenced, shed or poison"}, {"handling", "handling", "Page_and_ticket, Page_only, Ticket_only, Ignore or Log_only"},
		{"correlation-id", "correlation_id", "of the request that brought it"}, {"text", "q", "part of the message"},
		{"start", "start_date", "from this time on: RFC 3339 or a date, UTC"}, {"end", "end_date", "before this time; a date means the whole day"},
	} {
		filters[flag.param] = cmd.Flags().String(flag.name, "", flag.about)
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		q := query()
		for param, value := range filters {
			if *value != "" {
				q.Set(param, *value)
			}
		}
		return ask(cmd, s, f, apiclient.Call{Method: http.MethodGet, Path: []string{"audit-logs"}, Query: q}, func(w io.Writer, got apiclient.AuditLogs) error {
			rows := [][]string{{"ID", "RECEIVED", "HOST", "FATE", "RULE", "TEAM"}}
			for _, l := range got.Logs {
				rows = append(rows, []string{l.ID, l.ReceivedAt.Format(time.RFC3339), l.Hostname, l.Fate, l.RuleName, l.Team})
			}
			return errors.Join(table(w, rows), pageText(w, got.Pagination))
		})
	}
	return cmd
}

func eventsShow(s streams, f *clientFlags) *cobra.Command {
	return &cobra.Command{Use: "show ID", Short: "explain one judged event: how the rules of then and of today judge it, and which rules came near", Args: exactly(1, "one ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return ask(cmd, s, f, apiclient.Call{Method: http.MethodGet, Path: []string{"events", args[0]}}, explainText)
		}}
}

func explainText(w io.Writer, got apiclient.EventExplained) error {
	e := got.Event
	rows := [][]string{{"event", e.ID}, {"received", e.ReceivedAt.Format(time.RFC3339Nano)}, {"host", e.Hostname}, {"recorded", verdictText(e.RuleName, e.Handling, e.Fate, e.Team)}}
	if got.Then == nil {
		rows = append(rows, []string{"by the rules of then", "not known: " + got.ThenUnknown})
	} else {
		rows = append(rows, judgingRows("by the rules of then", *got.Then)...)
	}
	rows = append(rows, judgingRows("by today's rules", got.Now)...)
	return table(w, append(rows, []string{"whole event", string(e.RawMessage)}))
}

func judgingRows(name string, j apiclient.Judging) [][]string {
	text := verdictText(j.RuleName, j.Handling, j.Fate, j.Team)
	if j.AsRecorded {
		text += " (as recorded)"
	}
	rows := [][]string{{name, text}}
	for _, l := range j.Losers {
		rows = append(rows, []string{"  not " + l.Name, missesText(l)})
	}
	return rows
}

func missesText(l rule.Loser) string {
	if len(l.Misses) == 0 {
		return "it matches too, and is tried later"
	}
	reasons := make([]string, len(l.Misses))
	for i, m := range l.Misses {
		reasons[i] = m.Reason
	}
	return strings.Join(reasons, "; ")
}

func verdictText(ruleName, handling, fate, team string) string {
	if ruleName == "" {
		return fate + ", no rule matches"
	}
	return fmt.Sprintf("%s by rule %s: %s, team %s", fate, ruleName, handling, team)
}
