package cli

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/muttproject/mutt/app"
	"github.com/muttproject/mutt/platform/config/static"
)

// configFlags are the flags of commands that read the whole configuration.
type configFlags struct {
	file string
	set  []string
	own  map[string]func() (text string, given bool) // by path
}

// addConfigFlags adds --config, --set and the own flags of settings.
func addConfigFlags(cmd *cobra.Command) *configFlags {
	f := &configFlags{own: map[string]func() (string, bool){}}
	cmd.Flags().StringVar(&f.file, "config", "", "configuration file (also MUTT_CONFIG; default the first that exists of "+strings.Join(app.ConfigFiles(), ", ")+")")
	cmd.Flags().StringArrayVar(&f.set, "set", nil, "give any setting, as path=value; may be repeated")
	must(cmd.RegisterFlagCompletionFunc("set", completeSet))
	for _, s := range app.Settings() {
		if s.Flag == "" {
			continue
		}
		cmd.Flags().String(s.Flag, "", strings.ToLower(s.About[:1])+s.About[1:]+" (also "+s.Variables[0].Name+"; default "+s.Default+")")
		flag := cmd.Flags().Lookup(s.Flag)
		f.own[s.Path] = func() (string, bool) { return flag.Value.String(), flag.Changed }
		if words := s.Value.Words(); words != nil {
			must(cmd.RegisterFlagCompletionFunc(s.Flag, func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
				return words, cobra.ShellCompDirectiveNoFileComp
			}))
		}
	}
	return f
}

// completeSet completes paths, and after the = the values of settings that have few.
func completeSet(_ *cobra.Command, _ []string, begun string) (out []string, _ cobra.ShellCompDirective) {
	path, _, hasValue := strings.Cut(begun, "=")
	for _, s := range app.Settings() {
		switch {
		case !hasValue:
			out = append(out, s.Path+"=\t"+s.About)
		case s.Path == path:
			for _, word := range s.Value.Words() {
				out = append(out, path+"="+word)
			}
		}
	}
	return out, cobra.ShellCompDirectiveNoSpace | cobra.ShellCompDirectiveNoFileComp
}

// load reads the configuration. What is wrong with a flag is a usage error.
func (f *configFlags) load(s streams) (app.Config, []string, error) {
	from := app.Sources{Set: f.set, Flags: map[string]string{}}
	for path, flag := range f.own {
		if text, given := flag(); given {
			from.Flags[path] = text
		}
	}
	if _, _, err := app.Load(from); err != nil {
		return app.Config{}, nil, usageError{err}
	}
	from.File, from.Search, from.Environ = f.file, app.ConfigFiles(), s.environ
	return app.Load(from)
}

func newConfig(s streams) *cobra.Command {
	cmd := &cobra.Command{Use: "config", Short: "static settings: show, check, document; dynamic keys of a running server: read, change, watch",
		Long: "Static settings come from a file, the environment and flags, and are read when a process starts: print, lint, docs.\n" +
			"Dynamic keys live in the store and are changed while MUTT runs, in every process within a second: get, set, unset, history,\n" +
			"rollback, watch talk to a running server."}
	static, dynamic := &cobra.Group{ID: "static", Title: "Static settings:"}, &cobra.Group{ID: "dynamic", Title: "Dynamic keys of a running server:"}
	cmd.AddGroup(dynamic, static)
	for _, c := range newDynamic(s) {
		c.GroupID = dynamic.ID
		cmd.AddCommand(c)
	}
	for _, c := range []*cobra.Command{newConfigPrint(s), newConfigLint(s), newConfigDocs()} {
		c.GroupID = static.ID
		cmd.AddCommand(c)
	}
	return cmd
}

func newConfigPrint(s streams) *cobra.Command {
	cmd := &cobra.Command{Use: "print", Short: "show the effective settings with the source of each, secrets redacted",
		Long: "Reads the configuration as 'mutt serve' does, with the same flags, and shows it. As YAML it is a file that gives the\n" +
			"same settings, but for secrets of the environment. The providers of secrets are asked which one each comes from.", Args: noArgs}
	flags := addConfigFlags(cmd)
	offline := cmd.Flags().Bool("offline", false, "do not ask Vault and the files of secrets which secrets they have")
	output := cmd.Flags().StringP("output", "o", "table", "table, yaml or json")
	must(cmd.RegisterFlagCompletionFunc("output", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return []string{"table", "yaml", "json"}, cobra.ShellCompDirectiveNoFileComp
	}))
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, warnings, err := flags.load(s)
		if err != nil {
			return err
		}
		for _, w := range warnings {
			_ = printf(s.err, "warning: %s\n", w)
		}
		var origins []app.ConfigValue
		if !*offline {
			if origins, err = cfg.Origins(cmd.Context()); err != nil {
				_ = printf(s.err, "warning: where secrets come from is not known: %s\n", err)
			}
		}
		switch *output {
		case "json":
			return print(s.out, "json", cfg.Static(origins...), nil)
		case "yaml":
			return errors.Join(cfg.WriteYAML(s.out), commentOrigins(s.out, origins))
		case "table":
			return configTable(s.out, append(cfg.Values(), origins...))
		default:
			return usageError{fmt.Errorf("-o takes table, yaml or json, not %q", *output)}
		}
	}
	return cmd
}

// commentOrigins writes where secrets come from below the settings of a file.
func commentOrigins(w io.Writer, origins []app.ConfigValue) (err error) {
	for _, o := range origins {
		if err == nil {
			err = printf(w, "# %s: %s\n", o.Path, o.Source)
		}
	}
	return err
}

func configTable(w io.Writer, values []app.ConfigValue) error {
	rows := [][]string{{"SETTING", "VALUE", "SOURCE"}}
	for _, v := range values {
		text := fmt.Sprint(v.Value)
		if words, ok := v.Value.([]string); ok {
			text = strings.Join(words, ",")
		}
		rows = append(rows, []string{v.Path, text, v.Source})
	}
	return table(w, rows)
}

func newConfigLint(s streams) *cobra.Command {
	cmd := &cobra.Command{Use: "lint FILE...", Short: "check configuration files; each problem with file, line and column",
		Long: "Checks keys and values, and opens no file of a secret. FILE may be - for the standard input.",
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usageError{fmt.Errorf("%s takes at least one FILE", c.CommandPath())}
			}
			return nil
		}}
	output := outputFlag(cmd.Flags(), cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		problems := []static.Problem{}
		for _, name := range args {
			data, err := readInput(s, name)
			if err != nil {
				return err
			}
			problems = append(problems, app.LintFile(name, data)...)
		}
		err := print(s.out, *output, problems, func(w io.Writer) error {
			for _, p := range problems {
				if err := line(w, p.String()); err != nil {
					return err
				}
			}
			return nil
		})
		if err == nil && len(problems) > 0 {
			err = fmt.Errorf("%d problems were found", len(problems))
		}
		return err
	}
	return cmd
}

func newConfigDocs() *cobra.Command {
	cmd := &cobra.Command{Use: "docs", Short: "write the reference page of the settings, or a sample file", Args: noArgs,
		Example: "  mutt config docs --sample >mutt.yaml"}
	sample := cmd.Flags().Bool("sample", false, "write a configuration file with every setting commented out")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		text := app.ConfigurationReference()
		if *sample {
			text = app.SampleConfiguration()
		}
		_, err := io.WriteString(cmd.OutOrStdout(), text)
		return err
	}
	return cmd
}
