package cli

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/muttproject/mutt/platform/apiclient"
)

func keysCreate(s streams, f *clientFlags) *cobra.Command {
	cmd := &cobra.Command{Use: "create NAME", Short: "create an API key and show its secret, this once", Args: exactly(1, "a NAME"),
		Example: "  mutt keys create router-logs --role ingest --rate-limit 6000 --reason 'new collector'\n" +
			"  KEY=$(mutt keys create netops-ci --role operator --expires 90d -q)"}
	var body apiclient.KeyCreate
	change, quiet := addChangeFlags(cmd), addQuiet(cmd)
	cmd.Flags().StringVar(&body.Role, "role", "", "ingest, viewer, operator or admin (required)")
	whole(cmd.Flags(), &body.RateLimit, "rate-limit", "", 0, "requests per minute at the most; 0 for any number")
	expires := cmd.Flags().String("expires", "", "when it ends: 90d, 12h or a time (RFC 3339); by default never")
	must(cmd.RegisterFlagCompletionFunc("role", roleWords))
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if body.Role == "" {
			return usageError{errors.New("give a --role: ingest, viewer, operator or admin")}
		}
		body.Name = args[0]
		body.ExpiresAt, body.ExpiresIn = expiry(*expires)
		return f.made(cmd, s, *quiet, change.of(apiclient.Call{Method: http.MethodPost, Path: []string{"keys"}, Body: body}))
	}
	return cmd
}

func keysUpdate(s streams, f *clientFlags) *cobra.Command {
	cmd := &cobra.Command{Use: "update ID|NAME", Short: "change an API key", Args: exactly(1, "one ID or NAME"), ValidArgsFunction: f.complete(s, keyNames),
		Long:    "What is not named stays as it is. The secret stays too: see 'mutt keys rotate'.",
		Example: "  mutt keys update netops-ci --role viewer --expires never --reason 'reads only'"}
	var body apiclient.KeyUpdate
	change := addChangeFlags(cmd)
	name, role := cmd.Flags().String("name", "", "another name"), cmd.Flags().String("role", "", "ingest, viewer, operator or admin")
	var limit int64
	whole(cmd.Flags(), &limit, "rate-limit", "", 0, "requests per minute at the most; 0 for any number")
	expires := cmd.Flags().String("expires", "", "when it ends: 90d, 12h, a time (RFC 3339), or never")
	cmd.Flags().BoolVar(&body.DropSecondSecret, "drop-old-secret", false, "refuse the secret before the last rotation from now on")
	must(cmd.RegisterFlagCompletionFunc("role", roleWords))
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		given := func(flag string) bool { return cmd.Flags().Changed(flag) }
		if given("name") {
			body.Name = name
		}
		if given("role") {
			body.Role = role
		}
		if given("rate-limit") {
			body.RateLimit = &limit
		}
		body.ExpiresAt, body.ExpiresIn = expiry(*expires)
		if !given("name") && !given("role") && !given("rate-limit") && !given("expires") && !body.DropSecondSecret {
			return usageError{errors.New("say what to change: --name, --role, --expires, --rate-limit or --drop-old-secret")}
		}
		id, err := f.keyNamed(cmd.Context(), s, args[0])
		if err != nil {
			return err
		}
		return ask(cmd, s, f, change.of(apiclient.Call{Method: http.MethodPatch, Path: []string{"keys", id}, Body: body}), func(w io.Writer, got apiclient.Key) error {
			return line(w, fmt.Sprintf("key %q changed", got.Name))
		})
	}
	return cmd
}

func keysRotate(s streams, f *clientFlags) *cobra.Command {
	cmd := &cobra.Command{Use: "rotate ID|NAME", Short: "give an API key a new secret and show it, this once", Args: exactly(1, "one ID or NAME"), ValidArgsFunction: f.complete(s, keyNames),
		Long: "The key keeps its name, role and history. With --grace the old secret is accepted beside the new one for a time; 'mutt keys list'\n" +
			"shows whether it is still used. Without, it is refused within a second.",
		Example: "  mutt keys rotate netops-ci --grace 24h --reason yearly"}
	var body apiclient.KeyRotate
	change, quiet := addChangeFlags(cmd), addQuiet(cmd)
	cmd.Flags().StringVar(&body.Grace, "grace", "", "how long the old secret is still accepted: 1h, 7d")
	cmd.Flags().BoolVarP(&change.yes, "yes", "y", false, "do not ask")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if body.Grace == "" && !change.yes && !confirm(s, "Refuse the old secret of "+args[0]+" at once?") {
			return errors.New("nothing was changed; say --grace 1h to keep the old secret for a while, or --yes to refuse it at once without being asked")
		}
		id, err := f.keyNamed(cmd.Context(), s, args[0])
		if err != nil {
			return err
		}
		return f.made(cmd, s, *quiet, change.of(apiclient.Call{Method: http.MethodPost, Path: []string{"keys", id, "rotate"}, Body: body}))
	}
	return cmd
}

// addQuiet adds -q.
func addQuiet(cmd *cobra.Command) *bool {
	return cmd.Flags().BoolP("quiet", "q", false, "print the secret alone, for a script")
}

// made does a call that is answered with a secret, and shows it.
func (f *clientFlags) made(cmd *cobra.Command, s streams, quiet bool, call apiclient.Call) error {
	var got apiclient.KeyMade
	if err := f.do(cmd.Context(), s, call, &got); err != nil {
		return err
	}
	if quiet {
		return line(cmd.OutOrStdout(), got.Secret)
	}
	return print(cmd.OutOrStdout(), *f.output, got, func(w io.Writer) error { return printf(w, "%s\n%s\n", got.Message, got.Secret) })
}

// expiry tells a time from a length of time, which the server reads.
func expiry(text string) (at *time.Time, in string) {
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return &t, ""
	}
	return nil, text
}
