package config

import (
	"fmt"

	"github.com/muttproject/mutt/platform/slo"
)

// sloKeys declares four keys for each objective of package slo.
func sloKeys() (keys []Key) {
	ui := []string{"ui"}
	for _, o := range slo.Objectives() {
		target := Key{o.TargetKey(), Float, o.Target, 0.5, 0.99999, "", nil, "least share of " + o.Description, ui}
		if o.Latency() {
			// From the first to the last bound of the buckets: in between the share in time is known well enough.
			target = Key{o.TargetKey(), Float, o.Target, slo.Bound(0), slo.Bound(slo.Buckets - 2), "s", nil, o.Description, ui}
		}
		keys = append(keys, target,
			Key{o.WindowKey(), Int, int64(slo.WindowHours), 1, 720, "h", nil, fmt.Sprintf("window of the objective %s, up to now", o.Name), ui},
			Key{o.BurnRateWarningKey(), Float, float64(slo.BurnRateWarning), 0.1, 1e6, "", nil, fmt.Sprintf("burn rate from which %s is a warning", o.Name), ui},
			Key{o.BurnRateCriticalKey(), Float, float64(slo.BurnRateCritical), 0.1, 1e6, "", nil, fmt.Sprintf("burn rate from which %s is critical", o.Name), ui})
	}
	return keys
}
