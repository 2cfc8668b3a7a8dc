package cli

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/fault"
)

// addPageFlags adds --page and --limit and gives the query that they make.
func addPageFlags(cmd *cobra.Command) func() url.Values {
	var page, limit int
	whole(cmd.Flags(), &page, "page", "", 1, "which page, from 1")
	whole(cmd.Flags(), &limit, "limit", "", 50, "rows per page, up to 200")
	return func() url.Values {
		return url.Values{"page": {strconv.Itoa(page)}, "limit": {strconv.Itoa(limit)}}
	}
}

// pageText tells that there is more.
func pageText(w io.Writer, p apiclient.Pagination) error {
	if p.Page >= p.Pages {
		return nil
	}
	return printf(w, "page %d of %d; more: --page %d\n", p.Page, p.Pages, p.Page+1)
}

func configHistory(s streams) *cobra.Command {
	cmd := &cobra.Command{Use: "history [KEY]", Short: "list the changes of dynamic keys, newest first", Args: atMost(1, "one KEY at the most"), ValidArgsFunction: completeKey}
	f, query := addClientFlags(cmd), addPageFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		q := query()
		if len(args) == 1 {
			q.Set("key", args[0])
		}
		return ask(cmd, s, f, apiclient.Call{Method: http.MethodGet, Path: []string{"config", "history"}, Query: q}, func(w io.Writer, got apiclient.History) error {
			rows := [][]string{{"ID", "WHEN", "WHO", "KEY", "CHANGE", "REASON"}}
			for _, h := range got.History {
				rows = append(rows, []string{strconv.FormatInt(h.ID, 10), h.ChangedAt.Format(time.RFC3339), h.ChangedBy, h.RecordID, changeOf(h), short(h.Reason, 50)})
			}
			return errors.Join(table(w, rows), pageText(w, got.Pagination))
		})
	}
	return cmd
}

// changeOf shows what happened to a dynamic key.
func changeOf(h apiclient.Change) string {
	show := func(v json.RawMessage) string {
		if len(v) == 0 || string(v) == "null" {
			return "not set"
		}
		return short(string(v), 40)
	}
	return show(h.OldValue) + " → " + show(h.NewValue)
}

func configWatch(s streams) *cobra.Command {
	cmd := &cobra.Command{Use: "watch [KEY]", Short: "show changes of dynamic keys as they happen, until Ctrl-C",
		Long: "With -o json each change is one line of JSON. A server that goes away is waited for.",
		Args: atMost(1, "one KEY at the most"), ValidArgsFunction: completeKey}
	f := addClientFlags(cmd)
	every := cmd.Flags().Duration("interval", time.Second, "how often to look")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if *every < 100*time.Millisecond {
			return usageError{errors.New("--interval is 100ms at the least")}
		}
		c, err := f.client(s)
		if err != nil {
			return err
		}
		w := &watcher{client: c, key: append(args, "")[0], out: cmd.OutOrStdout(), notes: cmd.ErrOrStderr(), output: *f.output}
		if err := w.run(cmd.Context(), *every); cmd.Context().Err() == nil {
			return err
		}
		return nil // Ctrl-C is how it ends
	}
	return cmd
}

// watcher follows the history of dynamic keys.
type watcher struct {
	client     *apiclient.Client
	key        string // "" for all
	out, notes io.Writer
	output     string
	last       int64 // the change that was seen last
	away       bool
}

// run shows what comes after now. Its first look must succeed.
func (w *watcher) run(ctx context.Context, every time.Duration) error {
	newest, err := w.page(ctx, 1, 1)
	if err != nil {
		return err
	}
	for _, h := range newest.History {
		w.last = h.ID
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
			if err := w.look(ctx); err != nil {
				return err
			}
		}
	}
}

func (w *watcher) page(ctx context.Context, page, limit int) (h apiclient.History, err error) {
	q := url.Values{"page": {strconv.Itoa(page)}, "limit": {strconv.Itoa(limit)}}
	if w.key != "" {
		q.Set("key", w.key)
	}
	err = w.client.Do(ctx, apiclient.Call{Method: http.MethodGet, Path: []string{"config", "history"}, Query: q}, &h)
	return h, err
}

// look shows the changes since the last look, oldest first.
func (w *watcher) look(ctx context.Context) error {
	var found []apiclient.Change
	for page := 1; ; page++ {
		got, err := w.page(ctx, page, 50)
		if err != nil {
			return w.failed(err)
		}
		found = append(found, got.History...)
		if n := len(got.History); n == 0 || got.History[n-1].ID <= w.last || page >= int(got.Pagination.Pages) {
			break
		}
	}
	if w.away {
		w.away = false
		_ = line(w.notes, "the server answers again")
	}
	for _, h := range slices.Backward(found) {
		if h.ID <= w.last { // a page may repeat what a new change has pushed down
			continue
		}
		w.last = h.ID
		if err := w.show(h); err != nil {
			return err
		}
	}
	return nil
}

// failed waits for a server that is away, and ends with everything else.
func (w *watcher) failed(err error) error {
	if !fault.Is(err, fault.ServerUnreachable) && !fault.Is(err, fault.StoreUnavailable) && !fault.Is(err, fault.Closed) {
		return err
	}
	if !w.away {
		w.away = true
		_ = printf(w.notes, "waiting: %v\n", err)
	}
	return nil
}

func (w *watcher) show(h apiclient.Change) error {
	switch w.output {
	case "json":
		enc := json.NewEncoder(w.out)
		enc.SetEscapeHTML(false)
		return enc.Encode(h)
	case "yaml":
		if err := line(w.out, "---"); err != nil {
			return err
		}
		return printYAML(w.out, h)
	default:
		return printf(w.out, "%s  %d  %s: %s  by %s  %s\n", h.ChangedAt.Format(time.RFC3339), h.ID, h.RecordID, changeOf(h), h.ChangedBy, short(h.Reason, 80))
	}
}
