package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"unicode"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"

	"github.com/muttproject/mutt/platform/yamltext"
)

// outputs are the forms that every command can write its answer in.
var outputs = [...]string{"text", "json", "yaml", "name"}

// outputFlag adds -o and gives where its value is. It has been checked when a command runs: nothing is changed by a
// command whose answer cannot be shown.
func outputFlag(flags *pflag.FlagSet, cmd *cobra.Command) *string {
	o := &choice{value: outputs[0], words: outputs[:]}
	flags.VarP(o, "output", "o", "text, json or yaml; name gives only the names or ids of a list")
	must(cmd.RegisterFlagCompletionFunc("output", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return o.words, cobra.ShellCompDirectiveNoFileComp
	}))
	return &o.value
}

// choice is a flag that takes one of a few words.
type choice struct {
	value string
	words []string
}

// String gives the word that holds.
func (c *choice) String() string { return c.value }

// Type is shown in the help.
func (c *choice) Type() string { return "string" }

// Set takes one of the words.
func (c *choice) Set(word string) error {
	if !slices.Contains(c.words, word) {
		last := len(c.words) - 1
		return fmt.Errorf("takes %s or %s", strings.Join(c.words[:last], ", "), c.words[last])
	}
	c.value = word
	return nil
}

// print writes v as JSON or YAML, or as text by the given function.
func print(w io.Writer, output string, v any, text func(w io.Writer) error) error {
	switch output {
	case "json":
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		return enc.Encode(v)
	case "yaml":
		return printYAML(w, v)
	default:
		return text(w)
	}
}

// printYAML writes what JSON would say, with the same names in the same order.
func printYAML(w io.Writer, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("render the answer: %w", err)
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	node, err := yamlNode(dec)
	if err != nil {
		return fmt.Errorf("render the answer: %w", err)
	}
	enc := yaml.NewEncoder(w)
	enc.SetIndent(2)
	return errors.Join(enc.Encode(node), enc.Close())
}

// yamlNode reads one JSON value.
func yamlNode(dec *json.Decoder) (*yaml.Node, error) {
	token, err := dec.Token()
	if err != nil {
		return nil, err
	}
	n := &yaml.Node{}
	switch t := token.(type) {
	case json.Delim:
		n.Kind = yaml.SequenceNode
		if t == '{' {
			n.Kind = yaml.MappingNode // its names and values take turns in the token stream, as in Content
		}
		for dec.More() {
			child, err := yamlNode(dec)
			if err != nil {
				return nil, err
			}
			n.Content = append(n.Content, child)
		}
		if len(n.Content) == 0 {
			n.Style = yaml.FlowStyle
		}
		_, err = dec.Token() // the closing one
	case json.Number:
		n = yamltext.Number(t.String())
	case string:
		n = yamltext.Text(t)
	default: // true, false and null
		err = n.Encode(t)
	}
	return n, err
}

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
			text = oneLine(plain)
		}
		rows = append(rows, []string{fmt.Sprint(name), text})
	}
	return table(w, rows)
}

// line writes a line of text.
func line(w io.Writer, text string) error {
	_, err := fmt.Fprintln(w, text)
	return err
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

// oneLine takes out what would break a table or move the cursor.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s)
}

// table writes rows in columns; the first row is the head.
func table(w io.Writer, rows [][]string) error {
	tw := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	for _, r := range rows {
		if _, err := fmt.Fprintln(tw, strings.Join(r, "\t")); err != nil {
			return err
		}
	}
	return tw.Flush()
}
