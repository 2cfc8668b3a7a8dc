package cli

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/muttproject/mutt/platform/connect/vault"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/secret"
	"github.com/muttproject/mutt/platform/secret/provision"
	"github.com/muttproject/mutt/platform/secret/secrets"
)

func newVault(s streams) *cobra.Command {
	cmd := &cobra.Command{Use: "vault", Short: "set Vault up for MUTT, and see what a process gets of it"}
	cmd.AddCommand(newVaultInit(s), newVaultStatus(s))
	return cmd
}

// tokenFlag takes an operator's token from a file, else from the environment. It stands in no argument, which others could see.
func tokenFlag(cmd *cobra.Command, s streams) func() (secret.Secret, error) {
	file := cmd.Flags().String("token-file", "", "file of an operator's token, - for the standard input (default the variable VAULT_TOKEN)")
	return func() (secret.Secret, error) {
		text := lookup(s.environ, "VAULT_TOKEN")
		if *file != "" {
			data, err := readInput(s, *file)
			if err != nil {
				return secret.Secret{}, err
			}
			text = string(data)
		}
		text, err := secret.HeaderValue.Fit(strings.TrimSpace(secret.Tidy(text)))
		if err != nil {
			return secret.Secret{}, fault.New(fault.SecretUnfit, "the operator's token %s", err)
		}
		if text == "" {
			return secret.Secret{}, fault.New(fault.ConfigInvalid, "there is no operator's token").WithRemedy("set VAULT_TOKEN, or give --token-file; the token is used for this command and kept nowhere")
		}
		return secret.New(text), nil
	}
}

func newVaultInit(s streams) *cobra.Command {
	cmd := &cobra.Command{Use: "init", Short: "make what MUTT needs in Vault: engine, policy, AppRole and secrets",
		Long: "Makes, where they are missing: a KV engine of version 2, the AppRole method, and for each environment a policy that\n" +
			"lets its role read its secrets and nothing else, the role, the secrets with strong passwords, and a secret id in a\n" +
			"file (mode 0600). What is there stays: a second run changes nothing. Needs an operator's token, which is kept nowhere.\n" +
			"The settings of Vault (VAULT_ADDR, VAULT_CACERT, VAULT_NAMESPACE) are those of 'mutt serve'.",
		Example: "  VAULT_ADDR=https://vault.example.net:8200 mutt vault init --token-file ~/.vault-token --dry-run\n" +
			"  mutt vault init --environments prod --values existing.yaml --secret-id-dir /etc/mutt", Args: noArgs}
	flags, token, output := addConfigFlags(cmd), tokenFlag(cmd, s), outputFlag(cmd.Flags(), cmd)
	var o provision.Options
	base := cmd.Flags().String("path", "secret/mutt", "where the secrets of the environments are; the first part is the KV engine's mount")
	values := cmd.Flags().String("values", "", "YAML file of secrets to take instead of making them, such as a password that is in use (mode 0600)")
	cmd.Flags().StringSliceVar(&o.Environments, "environments", []string{"prod", "dev"}, "environments to make, each with a role and secrets of its own")
	cmd.Flags().StringVar(&o.Files, "secret-id-dir", ".", "directory for the files of the secret ids")
	cmd.Flags().StringVar(&o.User, "db-user", "mutt", "role of PostgreSQL, for DB_USER")
	cmd.Flags().DurationVar(&o.AppRole.TokenTTL, "token-ttl", time.Hour, "life of a token without renewal")
	cmd.Flags().DurationVar(&o.AppRole.TokenMaxTTL, "token-max-ttl", 24*time.Hour, "life of a token at the most; then a process logs in anew")
	cmd.Flags().DurationVar(&o.AppRole.SecretIDTTL, "secret-id-ttl", 0, "life of a secret id; 0 for no end")
	whole(cmd.Flags(), &o.AppRole.SecretIDUses, "secret-id-uses", "", 0, "logins with one secret id; 0 for any number")
	cmd.Flags().BoolVar(&o.Force, "force", false, "replace what is there: settings that differ, and every secret by a new one")
	cmd.Flags().BoolVar(&o.DryRun, "dry-run", false, "say what would be done, and change nothing")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, _, err := flags.load(s)
		if err != nil {
			return err
		}
		if err := vaultInitOptions(cmd, &o, *base, *values); err != nil {
			return err
		}
		key, err := token()
		if err != nil {
			return err
		}
		operator, err := cfg.VaultOperator(key)
		if err != nil {
			return err
		}
		result, err := provision.Run(cmd.Context(), operator, o)
		if len(result.Steps) > 0 {
			if printErr := print(cmd.OutOrStdout(), *output, result, func(w io.Writer) error { return provisioned(w, result) }); printErr != nil && err == nil {
				err = printErr
			}
		}
		return err
	}
	return cmd
}

// vaultInitOptions completes the options from the flags that are no plain values.
func vaultInitOptions(cmd *cobra.Command, o *provision.Options, base, values string) (err error) {
	if o.Base, err = vault.ParsePath(base); err != nil {
		return usageError{fmt.Errorf("--path %w", err)}
	}
	for _, env := range o.Environments {
		if env == "" || strings.Trim(env, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return usageError{fmt.Errorf("--environments takes names of a-z, 0-9 and -, not %q", env)}
		}
	}
	if a := o.AppRole; a.TokenTTL < time.Second || a.TokenMaxTTL < a.TokenTTL || a.SecretIDTTL < 0 || a.SecretIDUses < 0 {
		return usageError{fmt.Errorf("--token-ttl is a second at least and not above --token-max-ttl; no life and no number is below 0")}
	}
	if values == "" {
		return nil
	}
	given, err := secrets.File{Path: values}.Read(cmd.Context())
	if err != nil {
		return fmt.Errorf("read --values: %w", err)
	}
	o.Values = map[string]secret.Secret{}
	set, err := secrets.NewSet(given)
	if err != nil {
		return fmt.Errorf("read --values: %w", err)
	}
	for _, k := range secrets.Keys() {
		if v := set.Secret(k); !v.Empty() {
			o.Values[string(k)] = v
		}
	}
	return nil
}

func provisioned(w io.Writer, r provision.Result) error {
	if r.DryRun {
		if err := line(w, "Nothing was changed. This would be done:"); err != nil {
			return err
		}
	}
	rows, differ := [][]string{{"ACTION", "WHAT", "DETAIL"}}, false
	for _, s := range r.Steps {
		rows = append(rows, []string{string(s.Action), s.What, s.Detail})
		differ = differ || s.Action == provision.Differs
	}
	if err := table(w, rows); err != nil {
		return err
	}
	if differ {
		if err := line(w, "What differs was left as it is; --force replaces it, and every secret too."); err != nil {
			return err
		}
	}
	for _, a := range r.Access {
		id := a.RoleID
		if id == "" {
			id = "(made with the role)"
		}
		if err := printf(w, "\nFor the processes of %s:\n  VAULT_ROLE_ID=%s\n  VAULT_SECRET_ID_FILE=%s\n  VAULT_SECRETS_PATH=%s\n", a.Environment, id, a.SecretIDFile, a.SecretsPath); err != nil {
			return err
		}
	}
	return nil
}

func newVaultStatus(s streams) *cobra.Command {
	cmd := &cobra.Command{Use: "status", Short: "log in to Vault as a process would, and show which secrets it gets",
		Long: "Logs in with the settings of 'mutt serve' and reads the secrets. Shows names and the version, never values.", Args: noArgs}
	flags, output := addConfigFlags(cmd), outputFlag(cmd.Flags(), cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, _, err := flags.load(s)
		if err != nil {
			return err
		}
		got, err := cfg.VaultStatus(cmd.Context())
		if err != nil {
			return err
		}
		return print(cmd.OutOrStdout(), *output, got, func(w io.Writer) error {
			ends := "not known"
			if got.TokenEnds != nil {
				ends = got.TokenEnds.Format(time.RFC3339)
			}
			names := make([]string, len(got.Secrets))
			for i, k := range got.Secrets {
				names[i] = string(k)
			}
			return table(w, [][]string{{"path", got.SecretsPath}, {"version", strconv.FormatInt(got.Version, 10)}, {"secrets", strings.Join(names, " ")}, {"token ends", ends}})
		})
	}
	return cmd
}
