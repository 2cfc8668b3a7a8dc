package cli

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/authn"
)

func newKeys(s streams) *cobra.Command {
	cmd := &cobra.Command{Use: "keys", Short: "list, create, change, rotate and delete API keys",
		Long: "API keys of senders, scripts and people, each with a role: ingest, viewer, operator or admin. A secret is shown once,\n" +
			"when it is made. All of it needs an admin key."}
	f := addClientFlags(cmd)
	list := f.list(s, "list", "list the API keys", func(ctx context.Context, c *apiclient.Client) (any, [][]string, error) {
		got, err := listKeys(ctx, c)
		rows := [][]string{{"NAME", "ID", "ROLE", "PER MINUTE", "EXPIRES", "LAST USED", "REMARKS"}}
		for _, k := range got.Keys {
			rows = append(rows, []string{k.Name, decimal(k.ID), k.Role, limited(k.RateLimit), moment(k.ExpiresAt), moment(k.LastUsed), remarks(k)})
		}
		return got, rows, err
	})
	cmd.AddCommand(list, keysShow(s, f), keysGenerate(f), keysCreate(s, f), keysUpdate(s, f), keysRotate(s, f), keysDelete(s, f))
	return cmd
}

func limited(perMinute int64) string {
	if perMinute == 0 {
		return "any"
	}
	return decimal(perMinute)
}

func moment(t *time.Time) string {
	if t == nil {
		return "never"
	}
	return t.Format(time.RFC3339)
}

// remarks says what is special about a key.
func remarks(k apiclient.Key) string {
	switch second := k.SecondSecret; {
	case second == nil && k.Bootstrap:
		return "of the secret source"
	case second == nil:
		return ""
	case k.Bootstrap:
		return "of the secret source; its next secret was last used: " + moment(second.LastUsed)
	default:
		return fmt.Sprintf("its old secret goes on until %s; last used: %s", moment(second.ExpiresAt), moment(second.LastUsed))
	}
}

// keysGenerate asks no server: what it prints is for a secret source.
func keysGenerate(f *clientFlags) *cobra.Command {
	return &cobra.Command{Use: "generate", Short: "print a new key for INGEST_API_KEY or WEBUI_API_KEY", Args: noArgs,
		Long: "Prints a key in the form of MUTT's own keys, of 256 random bits, and keeps it nowhere. It is for the secret source: Vault, a file\n" +
			"or a variable. For any other key see 'mutt keys create'.",
		Example: "  mutt keys generate >/run/secrets/ingest_api_key",
		RunE: func(cmd *cobra.Command, _ []string) error {
			made := struct {
				Secret string `json:"secret"`
			}{authn.NewSecret().Reveal()}
			return print(cmd.OutOrStdout(), *f.output, made, func(w io.Writer) error {
				return line(w, made.Secret)
			})
		}}
}

func keysShow(s streams, f *clientFlags) *cobra.Command {
	return &cobra.Command{Use: "show ID|NAME", Short: "show one API key", Args: exactly(1, "one ID or NAME"), ValidArgsFunction: f.complete(s, keyNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := f.keyNamed(cmd.Context(), s, args[0])
			if err != nil {
				return err
			}
			return ask(cmd, s, f, apiclient.Call{Method: http.MethodGet, Path: []string{"keys", id}}, func(w io.Writer, got apiclient.Key) error { return fields(w, got) })
		}}
}

func keysDelete(s streams, f *clientFlags) *cobra.Command {
	cmd := &cobra.Command{Use: "delete ID|NAME…", Short: "delete API keys", Args: atLeastOne, ValidArgsFunction: f.complete(s, keyNames),
		Long: "Deletes keys: within a second they are refused everywhere, and the sessions that were opened with them have ended."}
	change := addDeleteFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := change.sure(s, quoted("API keys", args)); err != nil {
			return err
		}
		c, err := f.client(s)
		if err != nil {
			return err
		}
		ids, err := keyIDs(cmd.Context(), c, args...) // all first: a misspelt one changes nothing
		if err != nil {
			return err
		}
		return each(cmd, *f.output, args, func(name string) (string, error) {
			var got apiclient.Done
			err := c.Do(cmd.Context(), change.of(apiclient.Call{Method: http.MethodDelete, Path: []string{"keys", ids[name]}}), &got)
			return got.Message, err
		})
	}
	return cmd
}

// keyNamed returns the id of one key at the server that the flags describe.
func (f *clientFlags) keyNamed(ctx context.Context, s streams, name string) (string, error) {
	c, err := f.client(s)
	if err != nil {
		return "", err
	}
	ids, err := keyIDs(ctx, c, name)
	return ids[name], err
}

// keyIDs returns the ids of keys that are named by their ids or names.
func keyIDs(ctx context.Context, c *apiclient.Client, words ...string) (map[string]string, error) {
	keys, err := listKeys(ctx, c)
	if err != nil {
		return nil, err
	}
	things := make([]named, len(keys.Keys))
	for i, k := range keys.Keys {
		things[i] = named{k.ID, k.Name}
	}
	return pickAll("API key", "mutt keys list", words, things)
}

func listKeys(ctx context.Context, c *apiclient.Client) (got apiclient.Keys, err error) {
	err = c.Do(ctx, apiclient.Call{Method: http.MethodGet, Path: []string{"keys"}}, &got)
	return got, err
}

// keyNames completes the names of keys.
func keyNames(ctx context.Context, c *apiclient.Client) (names []string, err error) {
	got, err := listKeys(ctx, c)
	for _, k := range got.Keys {
		names = append(names, k.Name+"\t"+k.Role)
	}
	return names, err
}

// roleWords completes a role.
func roleWords(*cobra.Command, []string, string) (words []string, _ cobra.ShellCompDirective) {
	for _, r := range authn.Roles() {
		words = append(words, r.String())
	}
	return words, cobra.ShellCompDirectiveNoFileComp
}

func newWhoami(s streams) *cobra.Command {
	cmd := &cobra.Command{Use: "whoami", Short: "show whose API key this is, and its role", Args: noArgs}
	f := addClientFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return ask(cmd, s, f, apiclient.Call{Method: http.MethodGet, Path: []string{"whoami"}}, func(w io.Writer, got apiclient.Whoami) error { return line(w, got.Name+" "+got.Role) })
	}
	return cmd
}
