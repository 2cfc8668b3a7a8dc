package cli

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/slo"
)

func newSLO(s streams) *cobra.Command {
	cmd := &cobra.Command{Use: "slo", Short: "show how the service level objectives stand", Args: noArgs,
		Long: "Shows each objective with its target, what was reached, what is left of its error budget and how fast that burns.\n" +
			"What each means: docs/guides/slo.md. With --check the exit status is 1 when one is breaching, a warning or critical."}
	f := addClientFlags(cmd)
	check := cmd.Flags().Bool("check", false, "fail when an objective is not kept")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		var got apiclient.SLOs
		if err := f.do(cmd.Context(), s, apiclient.Call{Method: http.MethodGet, Path: []string{"slo"}}, &got); err != nil {
			return err
		}
		if err := printTable(cmd.OutOrStdout(), *f.output, got, sloRows(got)); err != nil || !*check {
			return err
		}
		for _, o := range got.SLOs {
			if o.Status != slo.OK && o.Status != slo.NoData {
				return fmt.Errorf("%s is %s: %s", o.Name, o.Status, o.Message)
			}
		}
		return nil
	}
	return cmd
}

func sloRows(got apiclient.SLOs) [][]string {
	rows := [][]string{{"OBJECTIVE", "STATUS", "TARGET", "ACTUAL", "BUDGET LEFT", "BURN RATE", "WINDOW", "EVENTS"}}
	for _, o := range got.SLOs {
		target, actual := share(o.Target), share(o.ActualValue)
		if o.TargetSeconds != nil {
			target, actual = seconds(o.TargetSeconds), seconds(o.ActualValue)
		}
		rows = append(rows, []string{o.Name, string(o.Status), target, actual, share(o.Remaining), figure(o.BurnRate, ""),
			strconv.FormatInt(o.WindowHours, 10) + "h", strconv.FormatFloat(o.Events, 'f', 0, 64)})
	}
	return rows
}

func share(f *float64) string {
	if f == nil {
		return "-"
	}
	percent := *f * 100
	return figure(&percent, "%")
}

func seconds(f *float64) string { return figure(f, "s") }

// figure writes a number with its unit, "-" for none.
func figure(f *float64, unit string) string {
	if f == nil {
		return "-"
	}
	return strconv.FormatFloat(*f, 'g', 5, 64) + unit
}

func newMetrics(s streams) *cobra.Command {
	cmd := &cobra.Command{Use: "metrics", Short: "show how many events come in per minute, of late and by the hour", Args: noArgs}
	f := addClientFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		var got apiclient.Metrics
		if err := f.do(cmd.Context(), s, apiclient.Call{Method: http.MethodGet, Path: []string{"metrics"}}, &got); err != nil {
			return err
		}
		rows := [][]string{{"EVENTS PER MINUTE", ""}}
		for _, r := range []struct {
			name string
			rate float64
		}{{"now", got.Summary.CurrentRate1m}, {"last 15 minutes", got.Summary.AvgRate15m}, {"last hour", got.Summary.AvgRate1h}} {
			rows = append(rows, []string{r.name, rate(r.rate)})
		}
		for i, label := range got.Chart24h.Labels {
			rows = append(rows, []string{label + " UTC", rate(got.Chart24h.Data[i])})
		}
		return printTable(cmd.OutOrStdout(), *f.output, got, rows)
	}
	return cmd
}

func rate(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

// overview is what 'mutt status' shows.
type overview struct {
	Version   string              `json:"version"`
	Rates     apiclient.Metrics   `json:"metrics"`
	Queues    []apiclient.Queue   `json:"queues"`
	Processes []apiclient.Process `json:"processes"`
	Ledger    apiclient.Ledger    `json:"ledger"`
	SLOs      []apiclient.SLO     `json:"slos"`
	Problems  []apiclient.Problem `json:"problems"`
}

func newStatus(s streams) *cobra.Command {
	cmd := &cobra.Command{Use: "status", Short: "show a running MUTT at a glance: processes, rates, queues, books, objectives, problems", Args: noArgs}
	f := addClientFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := f.client(s)
		if err != nil {
			return err
		}
		got, err := look(cmd.Context(), c)
		if err != nil {
			return err
		}
		return print(cmd.OutOrStdout(), *f.output, got, got.text)
	}
	return cmd
}

func look(ctx context.Context, c *apiclient.Client) (o overview, err error) {
	var version apiclient.Version
	var queues apiclient.Queues
	var processes apiclient.Processes
	var objectives apiclient.SLOs
	var problems apiclient.Problems
	for _, q := range []struct {
		path string
		into any
	}{{"version", &version}, {"metrics", &o.Rates}, {"queues", &queues}, {"processes", &processes}, {"ledger", &o.Ledger}, {"slo", &objectives}, {"problems", &problems}} {
		if err := c.Do(ctx, apiclient.Call{Method: http.MethodGet, Path: []string{q.path}}, q.into); err != nil {
			return o, err
		}
	}
	o.Version, o.Queues, o.Processes, o.SLOs = version.Version, queues.Queues, processes.Processes, objectives.SLOs
	o.Problems = problems.Problems
	return o, nil
}

func (o overview) text(w io.Writer) error {
	books, balanced := "balanced", o.Ledger.Judging.Balanced && o.Ledger.Delivery.Balanced
	if !balanced {
		books = fmt.Sprintf("judging differs by %d, delivery by %d; see /ledger", o.Ledger.Judging.Difference, o.Ledger.Delivery.Difference)
	}
	rows := [][]string{{"version", o.Version}, {"processes", strconv.Itoa(len(o.Processes))},
		{"events per minute", fmt.Sprintf("%s now, %s in the last hour", rate(o.Rates.Summary.CurrentRate1m), rate(o.Rates.Summary.AvgRate1h))},
		{"received", decimal(o.Ledger.Judging.Received)}, {"delivered", decimal(o.Ledger.Delivery.Delivered)}, {"books", books}}
	for _, q := range o.Queues {
		rows = append(rows, []string{"queue " + q.Name, fmt.Sprintf("%d wait (%s), %d dead letters", q.Depth, size(q.Bytes), q.Dead)})
	}
	for _, objective := range o.SLOs {
		rows = append(rows, []string{"slo " + objective.Name, string(objective.Status) + ": " + objective.Message})
	}
	for _, p := range o.Problems {
		rows = append(rows, []string{"problem " + p.Code, problemText(p, balanced)})
	}
	return table(w, rows)
}

// problemText writes a problem in one line. Its promise holds only while the books balance.
func problemText(p apiclient.Problem, balanced bool) string {
	text := fmt.Sprintf("%s: %s, since %s", p.Severity, p.Fact, p.Since.Format(time.RFC3339))
	if p.Unit != "" {
		text += fmt.Sprintf(" (%d %s)", p.Count, p.Unit)
	}
	if p.Promise != "" && balanced {
		text += "; " + p.Promise
	}
	for _, more := range [...]string{p.Consequence, p.Remedy} {
		if more != "" {
			text += "; " + more
		}
	}
	return text
}
