package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/fault"
)

func newAudit(s streams) *cobra.Command {
	cmd := &cobra.Command{Use: "audit", Short: "list and verify the change audit",
		Long: "The change audit has a row for each change of configuration, rules, hosts, teams and keys: who, what, when and why. Its rows are\n" +
			"chained by hashes, so that an edited or removed one shows."}
	f := addClientFlags(cmd)
	cmd.AddCommand(auditList(s, f), auditShow(s, f), auditVerify(s, f), auditHead(s, f))
	return cmd
}

func auditList(s streams, f *clientFlags) *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "list changes, newest first", Args: noArgs,
		Example: "  mutt audit list --table alert_rules --changed-by key:netops --start 2026-11-01"}
	query := addPageFlags(cmd)
	filters := map[string]*string{}
	for _, flag := range [...]struct{ name, param, about string }{
		{"changed-by", "changed_by", "who: key:NAME, user:NAME, system:janitor"}, {"operation", "operation", "CREATE, UPDATE or DELETE"},
		{"table", "table_name", "alert_rules, development_hosts, device_teams, dynamic_config, api_keys, …"}, {"record", "record_id", "which record of the table"},
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
		return ask(cmd, s, f, apiclient.Call{Method: http.MethodGet, Path: []string{"audit"}, Query: q}, func(w io.Writer, got apiclient.Changes) error {
			rows := [][]string{{"ID", "WHEN", "WHO", "OPERATION", "TABLE", "RECORD", "REASON"}}
			for _, l := range got.Logs {
				rows = append(rows, []string{strconv.FormatInt(l.ID, 10), l.ChangedAt.Format(time.RFC3339), l.ChangedBy, l.Operation, l.TableName, l.RecordID, short(l.Reason, 50)})
			}
			return errors.Join(table(w, rows), pageText(w, got.Pagination))
		})
	}
	return cmd
}

func auditShow(s streams, f *clientFlags) *cobra.Command {
	return &cobra.Command{Use: "show ID", Short: "show one change with its old and new values", Args: exactly(1, "one ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return ask(cmd, s, f, apiclient.Call{Method: http.MethodGet, Path: []string{"audit", args[0]}}, func(w io.Writer, got apiclient.Change) error { return printYAML(w, got) })
		}}
}

func auditHead(s streams, f *clientFlags) *cobra.Command {
	return &cobra.Command{Use: "head", Short: "show the last row as ID:HASH, to be kept elsewhere for 'verify --expect'", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return ask(cmd, s, f, apiclient.Call{Method: http.MethodGet, Path: []string{"audit", "head"}}, func(w io.Writer, got apiclient.AuditHead) error {
				return line(w, got.Point)
			})
		}}
}

func auditVerify(s streams, f *clientFlags) *cobra.Command {
	cmd := &cobra.Command{Use: "verify", Short: "prove that no row was edited, removed or put in, and that the tables are what the rows say; exit status 1 if not",
		Long: "Recomputes the chain of hashes from the last anchor of retention to the head. Then compares rules, hosts, teams, values, keys and rotations\n" +
			"with the last change of each, and the triggers that guard the change audit with those that MUTT creates. Rows that were cut off at the end, or a chain that was\n" +
			"written anew, show only against a head that was kept elsewhere: --expect. See docs/runbooks/audit.md.",
		Args: noArgs, Example: "  mutt audit verify --expect \"$(tail -n 1 heads.txt)\""}
	expect := cmd.Flags().String("expect", "", "ID:HASH of 'mutt audit head', kept elsewhere: the chain must go through it")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := f.client(s)
		if err != nil {
			return err
		}
		progress := io.Discard
		if isTerminal(cmd.ErrOrStderr()) {
			progress = cmd.ErrOrStderr()
		}
		var got verifiedAudit
		if got.AuditVerified, err = verifyAll(cmd.Context(), c, *expect, progress); err == nil && got.Valid {
			got.Records, err = compareAll(cmd.Context(), c, progress)
		}
		if err != nil {
			return err
		}
		if err := print(cmd.OutOrStdout(), *f.output, got, func(w io.Writer) error { return verifiedText(w, got) }); err != nil {
			return err
		}
		switch {
		case !got.Valid:
			return fault.New(fault.Corrupt, "%s", got.Message).WithRemedy("see docs/runbooks/audit.md: compare with a backup; the rows before are intact")
		case !got.Records.Valid:
			return fault.New(fault.Corrupt, "the database is not what the change audit says; differences: %d", len(got.Records.Differences)).
				WithRemedy("see docs/runbooks/audit.md: somebody changed the database without MUTT")
		}
		return nil
	}
	return cmd
}

// verifiedAudit is what 'verify' prints.
type verifiedAudit struct {
	apiclient.AuditVerified
	Records *apiclient.RecordsVerified `json:"records,omitempty"` // nil if the chain does not hold
}

// compareAll compares part after part and sums them up.
func compareAll(ctx context.Context, c *apiclient.Client, progress io.Writer) (*apiclient.RecordsVerified, error) {
	sum := apiclient.RecordsVerified{Valid: true, Differences: []apiclient.AuditDifference{}, Unknown: []apiclient.AuditRecord{}}
	for q := (url.Values{}); !sum.Complete; q.Set("after", sum.To) {
		var part apiclient.RecordsVerified
		if err := c.Do(ctx, apiclient.Call{Method: http.MethodGet, Path: []string{"audit", "verify", "records"}, Query: q}, &part); err != nil {
			return nil, err
		}
		sum.Valid, sum.Complete, sum.To = sum.Valid && part.Valid, part.Complete, part.To
		sum.Compared += part.Compared
		sum.UnknownCount += part.UnknownCount
		sum.Differences = append(sum.Differences, part.Differences...)
		sum.Unknown = append(sum.Unknown, part.Unknown...)
		if !sum.Complete {
			_ = printf(progress, "compared %d records, up to %s\n", sum.Compared, sum.To)
		}
		if len(sum.Differences) >= mostDifferences {
			break
		}
	}
	return &sum, nil
}

// mostDifferences ends the comparison: a person who made that many wrote to the database at length.
const mostDifferences = 1000

// verifyAll verifies part after part and sums them up.
func verifyAll(ctx context.Context, c *apiclient.Client, expect string, progress io.Writer) (sum apiclient.AuditVerified, err error) {
	q := url.Values{}
	if expect != "" {
		q.Set("expect", expect)
	}
	for first := true; ; first = false {
		var part apiclient.AuditVerified
		if err := c.Do(ctx, apiclient.Call{Method: http.MethodGet, Path: []string{"audit", "verify"}, Query: q}, &part); err != nil {
			return sum, err
		}
		part.Rows += sum.Rows
		if !first {
			part.From = sum.From
		}
		if sum = part; !sum.Valid || sum.Complete {
			return sum, nil
		}
		_ = printf(progress, "verified up to row %d of %d\n", sum.To.ID, sum.Head.ID)
		q.Set("after", sum.To.Point)
	}
}

func verifiedText(w io.Writer, v verifiedAudit) error {
	if !v.Valid {
		return nil // the error says it
	}
	from := "the first row"
	if v.Anchor != nil {
		from = fmt.Sprintf("the anchor of %s (the rows up to %d were removed by retention)", v.Anchor.MadeAt.Format(time.DateOnly), v.Anchor.ID)
	}
	if err := printf(w, "%d rows hold, from %s to the head\n%s\n", v.Rows, from, v.Head.Point); err != nil {
		return err
	}
	r := v.Records
	if !r.Valid {
		rows := [][]string{{"TABLE", "RECORD", "MEMBER", "DIFFERENCE"}}
		for _, d := range r.Differences {
			rows = append(rows, []string{d.TableName, d.RecordID, d.Member, d.Message})
		}
		return table(w, rows)
	}
	if err := printf(w, "records that are as the change audit says: %d\n", r.Compared-r.UnknownCount); err != nil || r.UnknownCount == 0 {
		return err
	}
	err := printf(w, "records that cannot be compared, because retention removed all their changes: %d", r.UnknownCount)
	for _, u := range r.Unknown {
		if err == nil {
			err = printf(w, "\n  %s %s", u.TableName, u.RecordID)
		}
	}
	if more := r.UnknownCount - int64(len(r.Unknown)); err == nil && more > 0 {
		err = printf(w, "\n  and %d more", more)
	}
	if err == nil {
		err = line(w, "")
	}
	return err
}
