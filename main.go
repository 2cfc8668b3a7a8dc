// Command mutt takes events of network gear in, judges them by rules and delivers alerts without losing any.
package main

import (
	"os"
	_ "time/tzdata" // the image has no time zones

	"github.com/muttproject/mutt/app/cli"
)

func main() { os.Exit(cli.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }
