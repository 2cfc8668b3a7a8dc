package api

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/muttproject/mutt/platform/fault"
)

const (
	csvType    = "text/csv" // RFC 4180
	maxCSVRows = 200_000
)

// column is a column that a file must have: its name, and the headings that stand for it, the likeliest first. They are
// compared in any case, without blanks, hyphens and underscores.
type column struct {
	name     string
	headings []string
}

func hostColumn() column {
	return column{"hostname", []string{"hostname", "host", "fqdn", "dnsname", "sysname", "devicename", "device", "nodename", "node", "systemname", "system", "servername", "server",
		"entry", "pattern", "name", "ipaddress", "address", "ip"}}
}

func teamColumn() column {
	return column{"team_assignment", []string{"teamassignment", "team", "teamname", "assignment", "assignedteam", "assignmentgroup", "supportgroup", "supportteam", "responsible", "owner", "group"}}
}

// csvRow is one record with the line where it begins, its cells in the order of the columns.
type csvRow struct {
	line  int
	cells []string
}

// csvFile is what was read of a file.
type csvFile struct {
	rows    []csvRow
	ignored []string // headings of columns that have no meaning here
}

// parseCSV reads records of the given columns, separated by comma, semicolon, tab or bar. The first record may be a
// heading with the columns in any order, and more of them; without one, the file has exactly the columns in their order. A byte
// order mark, blank lines and spaces around cells are passed over. check looks at each record; all faults are gathered and named by
// line.
func parseCSV(body []byte, columns []column, check func(cells []string) error) (csvFile, error) {
	body = bytes.TrimPrefix(body, []byte("\xef\xbb\xbf"))
	r := csv.NewReader(bytes.NewReader(body))
	r.FieldsPerRecord = -1
	r.Comma = separator(body, columns)
	var f csvFile
	var bad []string
	at, width := make([]int, len(columns)), len(columns) // where a column is, and how many cells a record has
	for i := range at {
		at[i] = i
	}
	seen := map[string]int{}
	for first := true; ; {
		cells, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if parse := (*csv.ParseError)(nil); errors.As(err, &parse) {
			return f, fault.Field(fault.BadRequest, lineName(parse.Line), "is not valid CSV: %v", parse.Err)
		}
		if err != nil {
			return f, fault.Wrap(fault.BadRequest, err, "the body is not valid CSV")
		}
		line, _ := r.FieldPos(0)
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if strings.Join(cells, "") == "" && len(cells) == 1 {
			continue
		}
		if first {
			first = false
			heading, known, err := readHeading(cells, columns)
			if err != nil {
				return f, fault.Field(fault.Unprocessable, lineName(line), "%v", err)
			}
			if known {
				at, width, f.ignored = heading, len(cells), unused(cells, heading)
				continue
			}
		}
		row, err := pickCells(cells, at, width, columns)
		if err == nil {
			err = checkRow(row, columns, check, seen, line)
		}
		if err != nil {
			bad = append(bad, fmt.Sprintf("line %d: %s", line, err))
			continue
		}
		if f.rows = append(f.rows, csvRow{line, row}); len(f.rows) > maxCSVRows {
			return f, fault.New(fault.TooLarge, "the file has more than %d records", maxCSVRows)
		}
	}
	if len(bad) > 0 {
		return f, badLines(bad)
	}
	if len(f.rows) == 0 {
		return f, fault.New(fault.BadRequest, "the body has no records: want lines of %s", columnNames(columns))
	}
	return f, nil
}

// separator returns the one that finds the most headings in the first line, else the most cells; a comma when all are alike.
func separator(body []byte, columns []column) rune {
	line, _, _ := bytes.Cut(bytes.TrimLeft(body, " \r\n"), []byte("\n"))
	best, most := ',', -1
	for _, sep := range ",;\t|" {
		r := csv.NewReader(bytes.NewReader(line))
		r.Comma = sep
		cells, err := r.Read()
		if err != nil {
			continue
		}
		known := 0
		for _, c := range columns {
			if c.find(cells) >= 0 {
				known++
			}
		}
		if score := known*1000 + min(len(cells), 999); score > most {
			best, most = sep, score
		}
	}
	return best
}

// find returns the place of the likeliest heading of the column, -1 when there is none.
func (c *column) find(cells []string) int {
	for _, heading := range c.headings {
		for i, cell := range cells {
			if strings.NewReplacer(" ", "", "_", "", "-", "").Replace(strings.ToLower(cell)) == heading {
				return i
			}
		}
	}
	return -1
}

// readHeading returns where the columns are. A record with some of the headings is a heading that lacks the others.
func readHeading(cells []string, columns []column) (at []int, known bool, err error) {
	var missing []string
	for _, c := range columns {
		i := c.find(cells)
		if at = append(at, i); i < 0 {
			missing = append(missing, c.name)
		}
	}
	if len(missing) == len(columns) {
		return nil, false, nil
	}
	if len(missing) > 0 {
		return nil, false, fmt.Errorf("is a heading without a column for %s: name one so", strings.Join(missing, " and "))
	}
	return at, true, nil
}

func unused(cells []string, at []int) (names []string) {
	for i, cell := range cells {
		if !slices.Contains(at, i) {
			names = append(names, printable(cell))
		}
	}
	return names
}

// pickCells returns the cells of the columns.
func pickCells(cells []string, at []int, width int, columns []column) ([]string, error) {
	if len(cells) != width {
		if width != len(columns) {
			return nil, fmt.Errorf("has %d cells, and the heading has %d", len(cells), width)
		}
		return nil, fmt.Errorf("has %d cells, want %s", len(cells), columnNames(columns))
	}
	row := make([]string, len(at))
	for i, place := range at {
		row[i] = cells[place]
	}
	return row, nil
}

func columnNames(columns []column) string {
	var names []string
	for _, c := range columns {
		names = append(names, c.name)
	}
	return strings.Join(names, ",")
}

// checkRow looks at one record; seen holds the lines of the first cells, which must not repeat in any case.
func checkRow(cells []string, columns []column, check func([]string) error, seen map[string]int, line int) error {
	if err := check(cells); err != nil {
		if f, ok := fault.As(err); ok {
			return fmt.Errorf("%s %s", f.Field, f.Message)
		}
		return err
	}
	key := strings.ToLower(cells[0])
	if first, twice := seen[key]; twice {
		return fmt.Errorf("%s %q is in line %d already", columns[0].name, printable(cells[0]), first)
	}
	seen[key] = line
	return nil
}

func badLines(bad []string) error {
	name, message, _ := strings.Cut(bad[0], ": ")
	rest := bad[1:]
	if len(rest) > maxFaults {
		rest = append(rest[:maxFaults:maxFaults], fmt.Sprintf("and %d more lines", len(rest)-maxFaults))
	}
	if len(rest) > 0 {
		message += "; " + strings.Join(rest, "; ")
	}
	return fault.Field(fault.Unprocessable, name, "%s", message).WithRemedy("correct the lines and send the file again: nothing of it was imported")
}

func lineName(n int) string { return fmt.Sprintf("line %d", n) }
