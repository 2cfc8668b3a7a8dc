package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/muttproject/mutt/platform/apiclient"
)

func newQueues(s streams) *cobra.Command {
	f := &clientFlags{}
	cmd := f.list(s, "queues", "show what waits in the queues", func(ctx context.Context, c *apiclient.Client) (any, [][]string, error) {
		var got apiclient.Queues
		err := c.Do(ctx, apiclient.Call{Method: http.MethodGet, Path: []string{"queues"}}, &got)
		rows := [][]string{{"QUEUE", "READY", "CLAIMED", "DELAYED", "DEAD", "SIZE", "CONSUMERS", "OLDEST"}}
		for _, q := range got.Queues {
			rows = append(rows, []string{q.Name, decimal(q.Ready), decimal(q.Claimed), decimal(q.Delayed), decimal(q.Dead), size(q.Bytes), strconv.Itoa(q.Consumers),
				(time.Duration(q.OldestAgeSeconds*1000) * time.Millisecond).String()})
		}
		return got, rows, err
	})
	f.addTo(cmd)
	return cmd
}

func newDLQ(s streams) *cobra.Command {
	cmd := &cobra.Command{Use: "dlq", Short: "list, show, replay and discard dead letters",
		Long: "Dead letters are events that could not be judged (queue ingest) and alerts that could not be delivered or were\n" +
			"shed under pressure (queue alert). They wait here until they are replayed or discarded. The janitor replays by itself\n" +
			"what the destination did not refuse; 'mutt dlq list' says what it will do and when."}
	f := addClientFlags(cmd)
	queue := cmd.PersistentFlags().String("queue", "alert", "ingest or alert")
	must(cmd.RegisterFlagCompletionFunc("queue", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return []string{"ingest", "alert"}, cobra.ShellCompDirectiveNoFileComp
	}))
	cmd.AddCommand(dlqList(s, f, queue), dlqShow(s, f, queue), dlqReplay(s, f, queue), dlqDiscard(s, f, queue))
	return cmd
}

func dlqList(s streams, f *clientFlags, queue *string) *cobra.Command {
	var limit int
	var cursor string
	cmd := &cobra.Command{Use: "list", Short: "list dead letters, oldest first", Args: noArgs}
	whole(cmd.Flags(), &limit, "limit", "", 50, "how many at the most, up to 200")
	cmd.Flags().StringVar(&cursor, "cursor", "", "go on where a former list ended")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		q := url.Values{"limit": {strconv.Itoa(limit)}}
		if cursor != "" {
			q.Set("cursor", cursor)
		}
		return ask(cmd, s, f, apiclient.Call{Method: http.MethodGet, Path: []string{"dlq", *queue}, Query: q}, func(w io.Writer, got apiclient.DeadLetters) error {
			rows := [][]string{{"ID", "DIED", "HOST", "CODE", "ATTEMPTS", "REPLAYS", "REASON"}}
			for _, d := range got.Items {
				replays := strconv.Itoa(d.Replays)
				if d.GivenUp {
					replays += " (given up)"
				}
				rows = append(rows, []string{d.ID, d.DiedAt.Format(time.RFC3339), d.Hostname, d.Code, strconv.Itoa(d.Attempts), replays, short(d.Reason, 60)})
			}
			if err := table(w, rows); err != nil {
				return err
			}
			if s := got.Summary; s != nil {
				if err := printf(w, "%d in all: %s\n", s.Count, s.Plan); err != nil {
					return err
				}
			}
			if got.Pagination.NextCursor == "" {
				return nil
			}
			err := printf(w, "more: mutt dlq list --queue %s --cursor %s\n", *queue, got.Pagination.NextCursor)
			return err
		})
	}
	return cmd
}

func dlqShow(s streams, f *clientFlags, queue *string) *cobra.Command {
	return &cobra.Command{Use: "show ID", Short: "show one dead letter whole", Args: exactly(1, "one ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return ask(cmd, s, f, apiclient.Call{Method: http.MethodGet, Path: []string{"dlq", *queue, args[0]}}, func(w io.Writer, got apiclient.DeadLetter) error {
				enc := json.NewEncoder(w)
				enc.SetIndent("", "  ")
				enc.SetEscapeHTML(false)
				return enc.Encode(got)
			})
		}}
}

func dlqReplay(s streams, f *clientFlags, queue *string) *cobra.Command {
	var all bool
	var count int
	var reason string
	cmd := &cobra.Command{Use: "replay [ID…]", Short: "put dead letters back into their queue",
		Example: "  mutt dlq replay --all --reason 'destination repaired'\n  mutt dlq replay --count 10 --reason 'a first try'"}
	cmd.Flags().BoolVar(&all, "all", false, "every dead letter of the queue")
	whole(cmd.Flags(), &count, "count", "", 0, "the oldest so many")
	cmd.Flags().StringVar(&reason, "reason", "", "why, for the change audit (required)")
	cmd.RunE = func(cmd *cobra.Command, ids []string) error {
		ways := 0
		for _, given := range []bool{all, count > 0, len(ids) > 0} {
			if given {
				ways++
			}
		}
		if ways != 1 {
			return usageError{fmt.Errorf("say which: one or more IDs, --count N, or --all")}
		}
		if strings.TrimSpace(reason) == "" {
			return usageError{fmt.Errorf("say why with --reason: the change audit keeps it")}
		}
		return ask(cmd, s, f, apiclient.Call{Method: http.MethodPost, Path: []string{"dlq", *queue, "replay"},
			Body: apiclient.ReplayRequest{IDs: ids, All: all, Count: count, Reason: reason}}, func(w io.Writer, got apiclient.Replayed) error {
			what := "events"
			if got.Queue == "alert" {
				what = "alerts"
			}
			if got.Replayed == 1 {
				what = strings.TrimSuffix(what, "s")
			}
			return printf(w, "replayed %d %s\n", got.Replayed, what)
		})
	}
	return cmd
}

func dlqDiscard(s streams, f *clientFlags, queue *string) *cobra.Command {
	var yes bool
	var reason string
	cmd := &cobra.Command{Use: "discard ID…", Short: "delete dead letters for good", Args: atLeastOne}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	cmd.Flags().StringVar(&reason, "reason", "", "why, for the change audit (required)")
	cmd.RunE = func(cmd *cobra.Command, ids []string) error {
		if strings.TrimSpace(reason) == "" {
			return usageError{fmt.Errorf("say why with --reason: a discarded dead letter is gone, and the change audit keeps the reason")}
		}
		if !yes && !confirm(s, fmt.Sprintf("Discard %d dead letters of %s for good?", len(ids), *queue)) {
			return fmt.Errorf("nothing was discarded; say --yes to discard without being asked")
		}
		c, err := f.client(s)
		if err != nil {
			return err
		}
		for i, id := range ids {
			if err := c.Do(cmd.Context(), apiclient.Call{Method: http.MethodDelete, Path: []string{"dlq", *queue, id}, Reason: reason}, nil); err != nil {
				return fmt.Errorf("after %d of %d: %w", i, len(ids), err)
			}
		}
		result := struct {
			Discarded int `json:"discarded"`
		}{len(ids)}
		return print(cmd.OutOrStdout(), *f.output, result, func(w io.Writer) error {
			return printf(w, "%d discarded\n", len(ids))
		})
	}
	return cmd
}

// atLeastOne refuses a command line without an ID as a usage error.
func atLeastOne(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return usageError{fmt.Errorf("%s takes one ID or more\nsee '%s --help'", c.CommandPath(), c.CommandPath())}
	}
	return nil
}
