package objectives

import (
	"fmt"

	"github.com/muttproject/mutt/platform/config"
	"github.com/muttproject/mutt/platform/slo"
)

// Dynamic are the dynamic keys of the objectives, by the objective's name.
type Dynamic map[string]keys

// keys are the dynamic keys of one objective.
type keys struct {
	target      config.Value[float64] // a share, or seconds for a latency
	windowHours config.Value[int64]
	warning     config.Value[float64] // burn rates
	critical    config.Value[float64]
}

// DeclareDynamic declares four keys for each objective of package slo. The default burn rates are those at which chapter 5
// of The Site Reliability Workbook would notify a person: 14.4 uses 2 % of a budget of 30 days in an hour, 6 uses 5 % in
// six hours.
func DeclareDynamic(d config.Declarer) Dynamic {
	all := Dynamic{}
	for _, o := range slo.Objectives() {
		name := "slo_" + o.Name + "_"
		target := config.Number{Name: name + "target", Default: o.Target, Min: 0.5, Max: 0.99999, About: "least share of " + o.Description}
		if o.Latency() {
			// From the first to the last bound of the buckets: in between the share in time is known well enough.
			target = config.Number{Name: name + "target", Default: o.Target, Min: slo.Bound(0), Max: slo.Bound(slo.Buckets - 2), Unit: "s", About: o.Description}
		}
		burnRate := func(level string, def float64) config.Value[float64] {
			return d.Number(config.Number{Name: name + "burn_rate_" + level, Default: def, Min: 0.1, Max: 1e6,
				About: fmt.Sprintf("burn rate from which %s is %s", o.Name, map[string]string{"warning": "a warning", "critical": "critical"}[level])})
		}
		all[o.Name] = keys{
			target: d.Number(target),
			windowHours: d.Whole(config.Whole{Name: name + "window_hours", Default: 24, Min: 1, Max: 720, Unit: "h",
				About: fmt.Sprintf("window of the objective %s, up to now", o.Name)}),
			warning:  burnRate("warning", 6),
			critical: burnRate("critical", 14.4),
		}
	}
	return all
}
