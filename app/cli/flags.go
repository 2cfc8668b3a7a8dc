package cli

import (
	"fmt"
	"strconv"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// whole adds a flag of a whole number, which is decimal: pflag would read 0100 as octal.
func whole[T int | int64](fl *pflag.FlagSet, into *T, name, short string, absent T, usage string) {
	*into = absent
	fl.VarP(&wholeFlag[T]{into}, name, short, usage)
}

type wholeFlag[T int | int64] struct{ into *T }

func (w *wholeFlag[T]) Set(text string) error {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || int64(T(n)) != n {
		return fmt.Errorf("wants a whole number, got %q", text)
	}
	*w.into = T(n)
	return nil
}

func (w *wholeFlag[T]) String() string {
	if w.into == nil {
		return "0"
	}
	return strconv.FormatInt(int64(*w.into), 10)
}

func (w *wholeFlag[T]) Type() string { return "int" }

// refuseTwice reports a flag that is given twice, with different values, as a usage error: neither is known to be meant.
func refuseTwice(c *cobra.Command) {
	for _, sub := range c.Commands() {
		refuseTwice(sub)
	}
	for _, flags := range []*pflag.FlagSet{c.Flags(), c.PersistentFlags()} {
		flags.VisitAll(func(f *pflag.Flag) {
			if _, list := f.Value.(pflag.SliceValue); !list {
				f.Value = &onceFlag{Value: f.Value}
			}
		})
	}
}

// onceFlag takes one value. The same one may come again: completion parses a command line twice.
type onceFlag struct {
	pflag.Value
	given *string
}

func (o *onceFlag) Set(text string) error {
	if o.given != nil && *o.given != text {
		return fmt.Errorf("is given twice, first as %q", *o.given)
	}
	o.given = &text
	return o.Value.Set(text)
}
