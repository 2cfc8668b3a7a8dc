package app

import (
	"github.com/muttproject/mutt/modules/alert"
	"github.com/muttproject/mutt/modules/forward"
	"github.com/muttproject/mutt/modules/ingest"
	"github.com/muttproject/mutt/modules/janitor"
	"github.com/muttproject/mutt/modules/ui"
	"github.com/muttproject/mutt/platform/config"
)

// dynamicKeys are the handles of the dynamic keys, by their owners.
type dynamicKeys struct {
	ingest   ingest.Dynamic
	alert    alert.Dynamic
	forward  forward.Dynamic
	janitor  janitor.Dynamic
	ui       ui.Dynamic
	logLevel config.Value[string]
}

// declareDynamic puts the declarations of all owners together, in the order of the reference page, and says which roles
// read them.
func declareDynamic() (*config.Registry, dynamicKeys) {
	r := config.NewRegistry()
	by := func(roles ...Role) config.Declarer { return r.ReadBy(names(roles...)...) }
	return r, dynamicKeys{
		ingest:  ingest.DeclareDynamic(by(Ingestor)),
		alert:   alert.DeclareDynamic(by(Alerter)),
		forward: forward.DeclareDynamic(by(Forwarder)),
		janitor: janitor.DeclareDynamic(by(Janitor)),
		ui:      ui.DeclareDynamic(by(UI)),
		logLevel: by(Roles()...).Text(config.Text{Name: "log_level", Default: "info", Options: []string{"debug", "info", "warn", "error"},
			About: "least level that is logged"}),
	}
}

// DynamicKeys lists the dynamic keys of all owners in the order of the reference page.
func DynamicKeys() []*config.Key {
	r, _ := declareDynamic()
	return r.Keys()
}
