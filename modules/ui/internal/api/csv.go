package api

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/muttproject/mutt/platform/fault"
)

const csvType = "text/csv" // RFC 4180

// csvRow is one record with the line where it begins.
type csvRow struct {
	line  int
	cells []string
}

// parseCSV reads records of the given columns. A first record that repeats the column names is a heading; a byte
// order mark, blank lines and spaces around cells are passed over. check looks at each record; all faults are
// gathered and named by line.
func parseCSV(body []byte, columns []string, check func(cells []string) error) ([]csvRow, error) {
	r := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(body, []byte("\xef\xbb\xbf"))))
	r.FieldsPerRecord = -1
	var rows []csvRow
	var bad []string
	seen := map[string]int{}
	for first := true; ; first = false {
		cells, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if parse := (*csv.ParseError)(nil); errors.As(err, &parse) {
			return nil, fault.Field(fault.BadRequest, lineName(parse.Line), "is not valid CSV: %v", parse.Err)
		}
		if err != nil {
			return nil, fault.Wrap(fault.BadRequest, err, "the body is not valid CSV")
		}
		line, _ := r.FieldPos(0)
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if first && isHeading(cells, columns) {
			continue
		}
		if len(cells) == 1 && cells[0] == "" {
			continue
		}
		if err := checkRow(cells, columns, check, seen, line); err != nil {
			bad = append(bad, fmt.Sprintf("line %d: %s", line, err))
			continue
		}
		rows = append(rows, csvRow{line, cells})
	}
	if len(bad) > 0 {
		return nil, badLines(bad)
	}
	if len(rows) == 0 {
		return nil, fault.New(fault.BadRequest, "the body has no records: want lines of %s", strings.Join(columns, ","))
	}
	return rows, nil
}

func isHeading(cells, columns []string) bool {
	if len(cells) != len(columns) {
		return false
	}
	for i := range cells {
		if !strings.EqualFold(cells[i], columns[i]) {
			return false
		}
	}
	return true
}

// checkRow looks at one record; seen holds the lines of the first cells, which must not repeat in any case.
func checkRow(cells, columns []string, check func([]string) error, seen map[string]int, line int) error {
	if len(cells) != len(columns) {
		return fmt.Errorf("has %d cells, want %s", len(cells), strings.Join(columns, ","))
	}
	if err := check(cells); err != nil {
		if f, ok := fault.As(err); ok {
			return fmt.Errorf("%s %s", f.Field, f.Message)
		}
		return err
	}
	key := strings.ToLower(cells[0])
	if first, twice := seen[key]; twice {
		return fmt.Errorf("%s %q is in line %d already", columns[0], printable(cells[0]), first)
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
