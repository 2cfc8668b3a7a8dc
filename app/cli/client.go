package cli

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/spf13/cobra"

	"github.com/muttproject/mutt/app"
	"github.com/muttproject/mutt/platform/apiclient"
)

// clientFlags say which server a command talks to.
type clientFlags struct {
	server string
	key    keyFlags
	trust  trustFlags
	output *string
}

// addClientFlags adds --server, --key and -o to a command and what is below it.
func addClientFlags(cmd *cobra.Command) *clientFlags {
	f := &clientFlags{}
	f.addTo(cmd)
	return f
}

func (f *clientFlags) addTo(cmd *cobra.Command) {
	cmd.PersistentFlags().StringVar(&f.server, "server", "", "admin address of a running MUTT (also MUTT_SERVER; default 127.0.0.1:8090, with https when the admin listener has a certificate)")
	f.trust.addTo(cmd.PersistentFlags())
	f.key.addTo(cmd.PersistentFlags(), "API key", "MUTT_API_KEY", "the generated one in the data directory, for a server on this machine")
	f.output = outputFlag(cmd.PersistentFlags(), cmd)
}

// client makes the client that the flags and the environment describe.
func (f *clientFlags) client(s streams) (*apiclient.Client, error) {
	server := f.server
	if server == "" {
		server = lookup(s.environ, "MUTT_SERVER")
	}
	if server == "" {
		server = localURL(s, app.AdminListener, "8090")
	}
	key, err := f.key.find(s, server, app.AdminKeyFile, "MUTT_API_KEY", "WEBUI_API_KEY")
	if err != nil {
		return nil, err
	}
	over, err := f.trust.config(s, hostOf(server), app.AdminListener)
	if err != nil {
		return nil, err
	}
	return apiclient.New(apiclient.Options{BaseURL: server, Key: key, UserAgent: "mutt/" + app.Version, Transport: transport(over)})
}

// transport returns the default one with a TLS configuration.
func transport(over *tls.Config) *http.Transport {
	tr := http.DefaultTransport.(*http.Transport).Clone() // its documented type
	tr.TLSClientConfig = over
	return tr
}

// do makes one call to the server and decodes its answer into out.
func (f *clientFlags) do(ctx context.Context, s streams, call apiclient.Call, out any) error {
	c, err := f.client(s)
	if err != nil {
		return err
	}
	return c.Do(ctx, call, out)
}

// ask makes one call to the server and shows the answer: as it is, or as text.
func ask[T any](cmd *cobra.Command, s streams, f *clientFlags, call apiclient.Call, text func(w io.Writer, got T) error) error {
	var got T
	if err := f.do(cmd.Context(), s, call, &got); err != nil {
		return err
	}
	return print(cmd.OutOrStdout(), *f.output, got, func(w io.Writer) error { return text(w, got) })
}

// list makes a command that shows a list of the server's: as it is, or in rows whose first is the head.
func (f *clientFlags) list(s streams, use, short string, read func(context.Context, *apiclient.Client) (any, [][]string, error)) *cobra.Command {
	return &cobra.Command{Use: use, Short: short, Args: noArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		c, err := f.client(s)
		if err != nil {
			return err
		}
		got, rows, err := read(cmd.Context(), c)
		if err != nil {
			return err
		}
		return printTable(cmd.OutOrStdout(), *f.output, got, rows)
	}}
}

// readInput reads a file, or the standard input for "-".
func readInput(s streams, name string) ([]byte, error) {
	if name == "-" {
		in, err := s.take()
		if err != nil {
			return nil, err
		}
		return io.ReadAll(in)
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("read the input: %w", err)
	}
	return data, nil
}

// exactly refuses any other number of arguments as a usage error.
func exactly(n int, what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) != n {
			return usageError{fmt.Errorf("%s takes %s\nsee '%s --help'", c.CommandPath(), what, c.CommandPath())}
		}
		return nil
	}
}
