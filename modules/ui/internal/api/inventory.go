package api

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/openapi"
	"github.com/muttproject/mutt/platform/store"
)

const (
	// maxEntryChanges is how many changes the answer of an import lists.
	maxEntryChanges = 1000
	// maxChanged bounds the entries or rules that one change adds, changes and removes. They are one transaction, and on SQLite judging
	// waits for it: see docs/guides/exposure.md.
	maxChanged = 100_000
)

// inventory is a list that is imported from CSV: development hosts, as entries without a team, or teams.
type inventory struct {
	what    string // in messages
	columns []column
	check   func(store.Team) error
	read    func() ([]store.Team, error)
	present func(change) ([]store.Team, error)
	put     func(change, store.Team) error
	remove  func(change, string) error
}

// inventoryParams are the parameters of a CSV import.
func inventoryParams() openapi.Part {
	return openapi.All(
		openapi.InQuery("mode", "of a CSV file: merge adds and changes; replace removes the entries that it does not name as well", openapi.OneOf(modeMerge, modeReplace).WithDefault(modeMerge)),
		openapi.InQuery("dry_run", "of a CSV file: only report what would change", openapi.Flag().WithDefault(false)))
}

// oneEntry refuses the parameters of an import for a single entry: it would be stored all the same.
func oneEntry(c echo.Context) error {
	for _, name := range [...]string{"mode", "dry_run"} {
		if c.QueryParam(name) != "" {
			return fault.Field(fault.InvalidField, name, "is for CSV files, and the body is JSON").WithRemedy("leave it out, or send a file with Content-Type: text/csv")
		}
	}
	return nil
}

// importInventory brings a list to what a CSV file says, all or nothing.
func (a *API) importInventory(c echo.Context, list inventory) error {
	opts, err := importOptionsOf(c)
	if err != nil {
		return err
	}
	body, _, err := readBody(c, maxImport, csvType)
	if err != nil {
		return err
	}
	file, err := parseCSV(body, list.columns, func(cells []string) error { return list.check(entryFrom(cells)) })
	if err != nil {
		return err
	}
	wanted := make([]store.Team, len(file.rows))
	for i, row := range file.rows {
		wanted[i] = entryFrom(row.cells)
	}
	var changes []apiclient.EntryChange
	var last int64 // row of the change audit
	if opts.dryRun {
		if err := a.unchanged(c); err != nil {
			return err
		}
		present, err := list.read()
		if err != nil {
			return err
		}
		if changes, err = entryChanges(present, wanted, opts.mode == modeReplace); err != nil {
			return err
		}
	} else if _, err = a.changeMany(c, "", func(tx change) error {
		if err := tx.unchanged(); err != nil {
			return err
		}
		present, err := list.present(tx)
		if err != nil {
			return err
		}
		if changes, err = entryChanges(present, wanted, opts.mode == modeReplace); err != nil {
			return err
		}
		for _, ch := range changes {
			if ch.Operation == "delete" {
				err = list.remove(tx, ch.Hostname)
			} else {
				err = list.put(tx, store.Team{Hostname: ch.Hostname, TeamAssignment: ch.To})
			}
			if err != nil {
				return err
			}
		}
		if last = 0; len(changes) > 0 {
			last = tx.AuditID()
		}
		return nil
	}); err != nil {
		return err
	}
	out := imported(list.what, opts, file, changes)
	out.AuditID = last
	return answer(c, http.StatusOK, out)
}

func entryFrom(cells []string) (t store.Team) {
	if t.Hostname = cells[0]; len(cells) > 1 {
		t.TeamAssignment = cells[1]
	}
	return t
}

// entryChanges compares entries by their names in any case; the spelling that is stored stays. TooLarge when they are more
// than one change may have.
func entryChanges(present, wanted []store.Team, replace bool) (changes []apiclient.EntryChange, err error) {
	known := make(map[string]store.Team, len(present))
	for _, t := range present {
		known[event.FoldHost(t.Hostname)] = t
	}
	for _, t := range wanted {
		old, there := known[event.FoldHost(t.Hostname)]
		delete(known, event.FoldHost(t.Hostname))
		switch {
		case !there:
			changes = append(changes, apiclient.EntryChange{Operation: "create", Hostname: t.Hostname, To: t.TeamAssignment})
		case old.TeamAssignment != t.TeamAssignment:
			changes = append(changes, apiclient.EntryChange{Operation: "update", Hostname: old.Hostname, From: old.TeamAssignment, To: t.TeamAssignment})
		}
	}
	for _, t := range present { // in the order of the list
		if _, left := known[event.FoldHost(t.Hostname)]; left && replace {
			changes = append(changes, apiclient.EntryChange{Operation: "delete", Hostname: t.Hostname, From: t.TeamAssignment})
		}
	}
	return changes, checkChanged(len(changes), "entries")
}

// checkChanged refuses an import that changes more than one transaction may.
func checkChanged(n int, what string) error {
	if n <= maxChanged {
		return nil
	}
	return fault.New(fault.TooLarge, "the file changes %d %s, and one import changes at most %d", n, what, maxChanged).
		WithRemedy("split the file into parts of at most %d %s and import one after the other in mode merge; "+
			"the whole file in mode replace then only removes what it does not name", maxChanged, what)
}

// imported describes what an import did, or would do.
func imported(what string, opts importOptions, file csvFile, changes []apiclient.EntryChange) apiclient.Imported {
	out := apiclient.Imported{DryRun: opts.dryRun, IgnoredColumns: file.ignored, Changes: changes, Unchanged: len(file.rows)}
	for _, ch := range changes {
		switch ch.Operation {
		case "create":
			out.Created++
			out.Unchanged--
		case "update":
			out.Updated++
			out.Unchanged--
		case "delete":
			out.Deleted++
		}
	}
	if n := len(changes) - maxEntryChanges; n > 0 {
		out.Changes, out.ChangesLeftOut = changes[:maxEntryChanges], n
	}
	if out.Changes == nil {
		out.Changes = []apiclient.EntryChange{}
	}
	verb := ""
	if opts.dryRun {
		verb = "would be "
	}
	out.Message = fmt.Sprintf("%s: %d %sadded, %d %schanged, %d %sremoved, %d unchanged", what, out.Created, verb, out.Updated, verb, out.Deleted, verb, out.Unchanged)
	if len(file.ignored) > 0 {
		out.Message += "; ignored columns: " + strings.Join(file.ignored, ", ")
	}
	return out
}
