// Package netguardtest has doors for tests of what listens.
//
// Principle: a test has the default limits, and changes those that it is about.
package netguardtest

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/config/static"
	"github.com/muttproject/mutt/platform/netguard"
)

// New returns a Guard with the default limits, which change may change.
func New(t testing.TB, change func(*netguard.Config)) *netguard.Guard {
	t.Helper()
	var c netguard.Config
	static.Defaults(c.Settings())
	if change != nil {
		change(&c)
	}
	g, err := netguard.New(c, netguard.Deps{Registerer: prometheus.NewRegistry(), Logger: zap.NewNop(), Listeners: 1})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// HTTP returns the door of an HTTP listener with the default limits.
func HTTP(t testing.TB) *netguard.Door { return New(t, nil).HTTPDoor("ops") }
