package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"slices"
	"strconv"

	"golang.org/x/term"

	"github.com/muttproject/mutt/platform/terminal"
)

// Bounds of what is shown of one value, in columns.
const (
	longest  = 2000 // in a line, and in a list of the members of one thing
	cellMost = 200  // in a table that does not go to a terminal
	cellLeft = 12   // of a column in a table, however narrow the terminal is
)

// printTable writes a list: v as JSON or YAML, else rows whose first is the head; of name the first column without it.
func printTable(w io.Writer, output string, v any, rows [][]string) error {
	if output == "name" {
		for _, r := range rows[1:] {
			if err := line(w, r[0]); err != nil {
				return err
			}
		}
		return nil
	}
	return print(w, output, v, func(w io.Writer) error { return table(w, rows) })
}

// fields writes the members of an object, one in a row, in the order in which JSON has them.
func fields(w io.Writer, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("render the answer: %w", err)
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	if _, err := dec.Token(); err != nil { // the opening brace
		return fmt.Errorf("render the answer: %w", err)
	}
	var rows [][]string
	for dec.More() {
		name, err := dec.Token()
		var value json.RawMessage
		if err := errors.Join(err, dec.Decode(&value)); err != nil {
			return fmt.Errorf("render the answer: %w", err)
		}
		text := string(value)
		if plain := ""; json.Unmarshal(value, &plain) == nil {
			text = plain
		}
		rows = append(rows, []string{fmt.Sprint(name), text})
	}
	return columns(w, rows, longest)
}

// line writes a line of text.
func line(w io.Writer, text string) error {
	_, err := fmt.Fprintln(w, terminal.Cut(terminal.Line(text), longest))
	return err
}

// printf writes by a format, which alone begins lines: of every value that has a text, one line is shown, cleaned and cut.
func printf(w io.Writer, format string, values ...any) error {
	for i, v := range values {
		if !numeric(v) {
			values[i] = terminal.Cut(terminal.Line(fmt.Sprint(v)), longest)
		}
	}
	_, err := fmt.Fprintf(w, format, values...)
	return err
}

// numeric reports whether a value is a number that is written as one.
func numeric(v any) bool {
	if _, hasText := v.(fmt.Stringer); hasText {
		return false
	}
	switch k := reflect.ValueOf(v).Kind(); k {
	case reflect.Float32, reflect.Float64:
		return true
	default:
		return k >= reflect.Bool && k <= reflect.Uint64
	}
}

// decimal writes a whole number.
func decimal(n int64) string { return strconv.FormatInt(n, 10) }

// size shows a number of bytes in the largest binary unit that it fills.
func size(n int64) string {
	if n < 1<<10 {
		return decimal(n) + " B"
	}
	value, units := float64(n)/(1<<10), []string{"KiB", "MiB", "GiB", "TiB"}
	for len(units) > 1 && value >= 1<<10 {
		value, units = value/(1<<10), units[1:]
	}
	return strconv.FormatFloat(value, 'f', 1, 64) + " " + units[0]
}

// table writes rows in columns; the first row is the head. On a terminal the longest columns are cut until a row fits; the first column
// stays, because it names what other commands take.
func table(w io.Writer, rows [][]string) error {
	most, width := cellMost, terminalWidth(w)
	if width > 0 {
		most = widestCell(widths(rows), width)
	}
	return columns(w, rows, most)
}

// columns writes rows in columns, each cell cleaned and cut; those of the first column are cut at cellMost at the earliest.
func columns(w io.Writer, rows [][]string, most int) error {
	clean := make([][]string, len(rows))
	for i, r := range rows {
		for n, cell := range r {
			bound := most
			if n == 0 {
				bound = max(most, cellMost)
			}
			clean[i] = append(clean[i], terminal.Cut(terminal.Line(cell), bound))
		}
	}
	wide := widths(clean)
	var out bytes.Buffer
	for _, r := range clean {
		for n, cell := range r {
			if n < len(r)-1 {
				cell = terminal.Pad(cell, wide[n]+gap)
			}
			out.WriteString(cell)
		}
		out.WriteByte('\n')
	}
	_, err := w.Write(out.Bytes())
	return err
}

// gap is between two columns.
const gap = 2

// widths returns the width of each column.
func widths(rows [][]string) (wide []int) {
	for _, r := range rows {
		for n, cell := range r {
			if n == len(wide) {
				wide = append(wide, 0)
			}
			wide[n] = max(wide[n], terminal.Width(terminal.Line(cell)))
		}
	}
	return wide
}

// widestCell returns the width at which the columns after the first are cut for a row to fit a terminal.
func widestCell(wide []int, width int) int {
	if len(wide) < 2 {
		return width
	}
	left := width - min(wide[0], cellMost)
	rest := slices.Sorted(slices.Values(wide[1:]))
	for n, w := range rest { // narrow columns leave more to the wider ones
		share := left/(len(rest)-n) - gap
		if w > share {
			return max(share, cellLeft)
		}
		left -= w + gap
	}
	return max(rest[len(rest)-1], cellLeft)
}

// fileOf returns the file that a writer leads to; nil when it leads to none.
func fileOf(w any) *os.File {
	if clean, ok := w.(*terminal.Writer); ok {
		w = clean.Unwrap()
	}
	f, _ := w.(*os.File)
	return f
}

// isTerminal reports whether a stream of a command is a terminal.
func isTerminal(w any) bool {
	f := fileOf(w)
	return f != nil && term.IsTerminal(int(f.Fd()))
}

// terminalWidth returns the columns of the terminal that a writer leads to; 0 when it leads to none.
func terminalWidth(w any) int {
	if !isTerminal(w) {
		return 0
	}
	columns, _, err := term.GetSize(int(fileOf(w).Fd()))
	if err != nil {
		return 0
	}
	return columns
}
