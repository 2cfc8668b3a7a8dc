package cli

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/rule"
)

func newEvents(s streams) *cobra.Command {
	cmd := &cobra.Command{Use: "events", Short: "list and follow judged events, and explain one"}
	f := addClientFlags(cmd)
	cmd.AddCommand(eventsList(s, f), eventsShow(s, f), eventsFollow(s, f))
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

func eventsFollow(s streams, f *clientFlags) *cobra.Command {
	cmd := &cobra.Command{Use: "follow", Short: "show events as they are judged, at most 20 a second, fair over hosts, and how many are not shown", Args: noArgs,
		Long: "Shows a sample each second until it is interrupted. With -o json each sample is one line. When events of many hosts come, each host has\n" +
			"one event in a sample before any has two.",
		Example: "  mutt events follow --host sw1 --fate unhandled"}
	filters := map[string]*string{}
	for _, flag := range [...]struct{ name, param, about string }{
		{"host", "hostname", "who reported it"}, {"rule", "rule_id", "ID of the rule that matched"}, {"team", "team", "who got it"},
		{"fate", "fate", "forwarded, recorded, ignored, unhandled, silenced, shed or poison"}, {"text", "q", "part of the message"},
	} {
		filters[flag.param] = cmd.Flags().String(flag.name, "", flag.about)
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := f.client(s)
		if err != nil {
			return err
		}
		q := url.Values{}
		for param, value := range filters {
			if *value != "" {
				q.Set(param, *value)
			}
		}
		ctx, w := cmd.Context(), cmd.OutOrStdout()
		for ctx.Err() == nil { // the server ends a stream after a minute
			err := c.Stream(ctx, apiclient.Call{Path: []string{"events", "stream"}, Query: q}, func(data []byte) error { return sampleText(w, *f.output, data) })
			if err != nil && ctx.Err() == nil {
				return err
			}
		}
		return nil
	}
	return cmd
}

// sampleText writes one sample: its events, oldest first, and how many are not shown.
func sampleText(w io.Writer, output string, data []byte) error {
	if output == "json" {
		return line(w, string(data))
	}
	var sample apiclient.StreamSample
	if err := json.Unmarshal(data, &sample); err != nil {
		return fmt.Errorf("read a sample: %w", err)
	}
	for i := range slices.Backward(sample.Events) {
		e := &sample.Events[i]
		var raw struct{ Message string }
		if err := json.Unmarshal(e.RawMessage, &raw); err != nil {
			raw.Message = string(e.RawMessage)
		}
		if err := line(w, fmt.Sprintf("%s %s %s %s %s", e.ReceivedAt.Format(time.RFC3339), e.Hostname, e.Fate, cmp.Or(e.RuleName, "-"), raw.Message)); err != nil {
			return err
		}
	}
	switch unseen := max(0, sample.Judged-int64(sample.LookedAt)); {
	case unseen > 0:
		return line(w, fmt.Sprintf("… %d of %d events that fit are shown; %d more were judged and not looked at", len(sample.Events), sample.Fitting, unseen))
	case sample.Fitting > len(sample.Events):
		return line(w, fmt.Sprintf("… %d of %d events that fit are shown", len(sample.Events), sample.Fitting))
	}
	return nil
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
