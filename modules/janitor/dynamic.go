package janitor

import (
	"github.com/muttproject/mutt/modules/janitor/internal/remedy"
	"github.com/muttproject/mutt/modules/janitor/internal/retain"
	"github.com/muttproject/mutt/platform/config"
)

// Dynamic are the module's dynamic keys.
type Dynamic struct {
	Remediation remedy.Dynamic
	Retention   retain.Dynamic
}

// DeclareDynamic declares the module's dynamic keys.
func DeclareDynamic(d config.Declarer) Dynamic {
	return Dynamic{Remediation: remedy.DeclareDynamic(d), Retention: retain.DeclareDynamic(d)}
}
