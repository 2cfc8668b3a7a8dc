package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"

	"github.com/muttproject/mutt/platform/yamltext"
)

// ndjson is a form of lists that may be long.
const ndjson = "ndjson"

// outputs are the forms that every command can write its answer in.
var outputs = [...]string{"text", "json", "yaml", "name"}

// outputFlag adds -o, with the forms of this command in addition to those of all, and returns where its value is. It has been checked when a
// command runs: nothing is changed by a command whose answer cannot be shown.
func outputFlag(flags *pflag.FlagSet, cmd *cobra.Command, own ...string) *string {
	o := &choice{value: outputs[0], words: append(outputs[:], own...)}
	about := "text, json or yaml; name gives only the names or ids of a list"
	if slices.Contains(own, ndjson) {
		about += "; ndjson writes one JSON object a line"
	}
	flags.VarP(o, "output", "o", about)
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
