package ui

import (
	"github.com/muttproject/mutt/modules/ui/internal/objectives"
	"github.com/muttproject/mutt/platform/config"
)

// Dynamic are the module's own dynamic keys: those of the objectives, by name.
type Dynamic = objectives.Dynamic

// DeclareDynamic declares the module's own dynamic keys.
func DeclareDynamic(d config.Declarer) Dynamic { return objectives.DeclareDynamic(d) }
