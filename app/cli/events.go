package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/rule"
)

func newEvents(s streams) *cobra.Command {
	cmd := &cobra.Command{Use: "events", Short: "list and follow judged events, and explain one"}
	f := addClientFlags(cmd)
	cmd.AddCommand(eventsList(s, f), eventsShow(s, f), eventsFollow(s, f))
	return cmd
}

// filterFlag is a flag that becomes a parameter of the query.
type filterFlag struct{ name, param, about string }

// eventFilters are the filters that list and follow have in common.
func eventFilters() []filterFlag {
	return []filterFlag{
		{"host", "hostname", "who reported it"}, {"severity", "severity", "err for err and worse, err..warning for a range; of what the device said"},
		{"fate", "fate", "forwarded, recorded, ignored, unhandled, silenced, shed or poison"}, {"rule", "rule_id", "ID of the rule that matched"}, {"team", "team", "who got it"},
		{"handling", "handling", "Page_and_ticket, Page_only, Ticket_only, Ignore or Log_only"}, {"source", "source", "http, syslog, snmptrap, replay or meta"},
		{"env", "env", "prod or dev"}, {"correlation-id", "correlation_id", "of the request that brought it"}, {"text", "q", "part of the message"},
	}
}

// addFilters adds filters to a command, with the completion of those whose words are known, and returns the query of those that are set.
func addFilters(cmd *cobra.Command, s streams, f *clientFlags, flags ...filterFlag) func() url.Values {
	values := map[string]*string{}
	for _, flag := range flags {
		values[flag.param] = cmd.Flags().String(flag.name, "", flag.about)
	}
	words := map[string][]string{"severity": event.SeverityNames(), "env": {"prod", "dev"}}
	for _, fate := range event.Fates() {
		words["fate"] = append(words["fate"], fate.String())
	}
	for _, handling := range event.Handlings() {
		words["handling"] = append(words["handling"], handling.String())
	}
	for _, source := range event.Sources() {
		words["source"] = append(words["source"], source.String())
	}
	for flag, known := range words {
		must(cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(known, cobra.ShellCompDirectiveNoFileComp)))
	}
	must(cmd.RegisterFlagCompletionFunc("host", func(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
		return f.complete(s, func(ctx context.Context, c *apiclient.Client) ([]string, error) {
			q := url.Values{}
			if begun != "" {
				q.Set("prefix", begun)
			}
			var seen apiclient.HostsSeen
			err := c.Do(ctx, apiclient.Call{Method: http.MethodGet, Path: []string{"events", "hosts"}, Query: q}, &seen)
			return seen.Hosts, err
		})(cmd, args, begun)
	}))
	return func() url.Values {
		q := url.Values{}
		for param, value := range values {
			if *value != "" {
				q.Set(param, *value)
			}
		}
		return q
	}
}

func eventsList(s streams, f *clientFlags) *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "list judged events, newest first", Args: noArgs,
		Long: "Shows a page of the events that fit all filters. With -o ndjson all of them are written, up to 10,000, one JSON object a line.",
		Example: "  mutt events list --host sw1 --fate unhandled --start 2026-11-01\n" +
			"  mutt events list --severity err --start 2026-11-30T03:00:00Z -o ndjson > events.ndjson"}
	page := addPageFlags(cmd)
	filters := addFilters(cmd, s, f, append(eventFilters(), filterFlag{"id", "id", "ID of one event"},
		filterFlag{"start", "start_date", "from this time on: RFC 3339 or a date, UTC"}, filterFlag{"end", "end_date", "before this time; a date means the whole day"},
		filterFlag{"cursor", "cursor", "go on where an export or an answer in JSON ended, instead of --page"})...)
	output := outputFlag(cmd.Flags(), cmd, ndjson)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		f.output = output
		q := filters()
		if *output == ndjson {
			if cmd.Flags().Changed("page") || cmd.Flags().Changed("limit") {
				return usageError{errors.New("-o ndjson writes all events that fit, up to 10,000: leave out --page and --limit")}
			}
			return exportEvents(cmd, s, f, q)
		}
		walk := q.Has("cursor")
		maps.Copy(q, page())
		if walk {
			if cmd.Flags().Changed("page") {
				return usageError{errors.New("give --page or --cursor, not both")}
			}
			q.Del("page")
		}
		return ask(cmd, s, f, apiclient.Call{Method: http.MethodGet, Path: []string{"audit-logs"}, Query: q}, func(w io.Writer, got apiclient.AuditLogs) error {
			rows := [][]string{{"ID", "RECEIVED", "HOST", "FATE", "RULE", "TEAM"}}
			for _, l := range got.Logs {
				rows = append(rows, []string{l.ID, l.ReceivedAt.Format(time.RFC3339), l.Hostname, l.Fate, l.RuleName, l.Team})
			}
			p, err := got.Pagination, errors.Join(table(w, rows), pageText(w, got.Pagination))
			switch {
			case p.LookedFrom != nil:
				err = errors.Join(err, printf(w, "looked back to %s; more: --cursor %s\n", p.LookedFrom.Format(time.RFC3339), p.NextCursor))
			case walk && p.NextCursor != "":
				err = errors.Join(err, printf(w, "more: --cursor %s\n", p.NextCursor))
			}
			return err
		})
	}
	return cmd
}

// exportEvents writes events as the server sends them.
func exportEvents(cmd *cobra.Command, s streams, f *clientFlags, q url.Values) error {
	c, err := f.client(s)
	if err != nil {
		return err
	}
	next, err := c.Copy(cmd.Context(), apiclient.Call{Path: []string{"audit-logs", "export"}, Query: q}, cmd.OutOrStdout())
	if err != nil || next == "" {
		return err
	}
	return printf(cmd.ErrOrStderr(), "there may be more: --cursor %s\n", next)
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
	filters := addFilters(cmd, s, f, eventFilters()...)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := f.client(s)
		if err != nil {
			return err
		}
		ctx, q, w := cmd.Context(), filters(), cmd.OutOrStdout()
		pause := time.NewTicker(time.Second)
		defer pause.Stop()
		for ctx.Err() == nil { // the server ends a stream after a minute
			err := c.Stream(ctx, apiclient.Call{Path: []string{"events", "stream"}, Query: q}, func(data []byte) error { return sampleText(w, *f.output, data) })
			if err != nil && ctx.Err() == nil {
				return err
			}
			select { // a server, or a proxy before it, that ends each stream at once is not asked without a pause
			case <-pause.C:
			case <-ctx.Done():
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
	if got.Now != nil {
		rows = append(rows, judgingRows("by today's rules", *got.Now)...)
	}
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
