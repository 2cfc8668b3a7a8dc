package alert

import (
	"github.com/muttproject/mutt/modules/alert/internal/worker"
	"github.com/muttproject/mutt/platform/config"
)

// Dynamic are the module's dynamic keys.
type Dynamic struct {
	ReloadInterval config.Duration
	Worker         worker.Dynamic
}

// DeclareDynamic declares the module's dynamic keys.
func DeclareDynamic(d config.Declarer) Dynamic {
	return Dynamic{
		ReloadInterval: config.DurationOf(d.Whole(config.Whole{Name: "cache_reload_interval", Default: 300, Min: 1, Max: 86400, Unit: "s",
			About: "full reload of rules, hosts and teams, as a net under the revision poll"})),
		Worker: worker.DeclareDynamic(d),
	}
}
