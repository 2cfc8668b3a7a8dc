package api

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/fault"
)

const (
	csvType    = "text/csv" // RFC 4180
	maxCSVRows = 200_000
	separators = ",;\t|" // the first is preferred
)

// column is a column that a file must have: its name, and the headings that stand for it, the likeliest first. A heading of a
// file is compared by its bareHeading, in the singular or plural.
type column struct {
	name     string
	headings []string
}

func hostColumn() column {
	return column{"hostname", []string{"hostname", "host", "fqdn", "dnsname", "sysname", "developmenthost", "devhost", "devicename", "device", "nodename", "node", "systemname", "system",
		"servername", "server", "computername", "computer", "machine", "entry", "pattern", "name", "ipaddress", "address", "ip"}}
}

func teamColumn() column {
	return column{"team_assignment", []string{"teamassignment", "team", "teamname", "assignment", "assignedteam", "assignmentgroup", "supportgroup", "supportteam", "responsible", "owner", "group",
		"department"}}
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
// heading with the columns in any order, and more of them; without one, the file has exactly the columns in their order. Byte
// order marks, Excel's line "sep=;", records without text, empty cells at the end of a record and spaces around cells are
// passed over. check looks at each record; all faults are gathered and named by line.
func parseCSV(body []byte, columns []column, check func(cells []string) error) (csvFile, error) {
	body, err := textOf(body)
	if err != nil {
		return csvFile{}, err
	}
	sep, rest, said := sepLine(body)
	if said {
		body = append([]byte("\n"), rest...) // so that lines keep their numbers
	} else {
		sep = separator(body, columns)
	}
	r := csv.NewReader(bytes.NewReader(body))
	r.Comma, r.FieldsPerRecord = sep, -1
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
		if strings.Join(cells, "") == "" {
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

// textOf returns a file as UTF-8 with line ends that the reader of CSV knows.
func textOf(body []byte) ([]byte, error) {
	body = bytes.TrimPrefix(body, []byte("\xef\xbb\xbf"))
	remedy := "save it as \"CSV UTF-8\", or convert it: iconv -t UTF-8"
	switch {
	case bytes.HasPrefix(body, []byte("\xff\xfe")), bytes.HasPrefix(body, []byte("\xfe\xff")), bytes.IndexByte(body, 0) >= 0:
		return nil, fault.New(fault.BadRequest, "the file must be UTF-8 text, and it is UTF-16 or has NUL bytes").WithRemedy("%s", remedy)
	case !utf8.Valid(body):
		return nil, fault.New(fault.BadRequest, "the file must be UTF-8 text, and it has bytes of another encoding").WithRemedy("%s", remedy)
	case bytes.IndexByte(body, '\n') < 0: // of old Macintosh programs
		body = bytes.ReplaceAll(body, []byte("\r"), []byte("\n"))
	}
	return body, nil
}

// sepLine reads the line "sep=;" that tells Excel the separator, and returns what follows it.
func sepLine(body []byte) (sep rune, rest []byte, ok bool) {
	line, rest, _ := bytes.Cut(body, []byte("\n"))
	said, ok := strings.CutPrefix(strings.ToLower(strings.Trim(string(line), "\" \r")), "sep=")
	if !ok || len(said) != 1 || !strings.Contains(separators, said) {
		return 0, body, false
	}
	return rune(said[0]), rest, true
}

// separator returns the one that finds the most headings in the first line, else the most cells; a comma when all are alike.
func separator(body []byte, columns []column) rune {
	line, _, _ := bytes.Cut(bytes.TrimLeft(body, " \r\n"), []byte("\n"))
	best, most := ',', -1
	for _, sep := range separators {
		r := csv.NewReader(bytes.NewReader(line))
		r.Comma = sep
		cells, err := r.Read()
		if err != nil {
			continue
		}
		known := 0
		for _, c := range columns {
			if at, _ := c.find(cells); at >= 0 {
				known++
			}
		}
		if score := known*1000 + min(len(cells), 999); score > most {
			best, most = sep, score
		}
	}
	return best
}

// find returns the place of the likeliest heading of the column, -1 when there is none, and another place with the same
// heading, else -1.
func (c *column) find(cells []string) (at, twin int) {
	for _, heading := range c.headings {
		at = -1
		for i, cell := range cells {
			switch {
			case !slices.Contains([]string{heading, heading + "s", heading + "es"}, bareHeading(cell)):
			case at < 0:
				at = i
			default:
				return at, i
			}
		}
		if at >= 0 {
			return at, -1
		}
	}
	return -1, -1
}

// bareHeading returns the letters of a heading in lower case, without what stands in parentheses: "Host_Name (FQDN):" is
// hostname.
func bareHeading(cell string) string {
	before, rest, _ := strings.Cut(cell, "(")
	_, after, _ := strings.Cut(rest, ")")
	return strings.Map(func(r rune) rune {
		if !unicode.IsLetter(r) {
			return -1
		}
		return unicode.ToLower(r)
	}, before+after)
}

// readHeading returns where the columns are. A record with some of the headings is a heading that lacks the others.
func readHeading(cells []string, columns []column) (at []int, known bool, err error) {
	var missing []string
	for _, c := range columns {
		i, twin := c.find(cells)
		if twin >= 0 {
			return nil, true, fmt.Errorf("is a heading with two columns for %s, %d and %d: rename one of them", c.name, i+1, twin+1)
		}
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
		if !slices.Contains(at, i) && cell != "" {
			names = append(names, printable(cell))
		}
	}
	return names
}

// pickCells returns the cells of the columns. Empty cells beyond the width are what spreadsheets add.
func pickCells(cells []string, at []int, width int, columns []column) ([]string, error) {
	for len(cells) > width && cells[len(cells)-1] == "" {
		cells = cells[:len(cells)-1]
	}
	if len(cells) != width {
		has := fmt.Sprintf("has %d cells", len(cells))
		if len(cells) == 1 {
			has = "has 1 cell"
		}
		if width != len(columns) {
			return nil, fmt.Errorf("%s, and the heading has %d", has, width)
		}
		return nil, fmt.Errorf("%s, want %s", has, columnNames(columns))
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
	key := event.FoldHost(cells[0])
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
