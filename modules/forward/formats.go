package forward

import (
	"slices"

	"github.com/muttproject/mutt/modules/forward/internal/dest"
	"github.com/muttproject/mutt/modules/forward/internal/dest/generic"
	"github.com/muttproject/mutt/modules/forward/internal/dest/moogsoft"
)

// format is a form of payload.
type format struct {
	name    string
	encoder func(Config, Deps) dest.Encoder
}

// formats is the table of destinations.
func formats() []format {
	return []format{
		{"moogsoft", func(c Config, d Deps) dest.Encoder {
			return &moogsoft.Encoder{Version: d.Version, Location: d.Location, List: c.BatchMax > 1}
		}},
		{"generic", func(c Config, _ Deps) dest.Encoder { return &generic.Encoder{List: c.BatchMax > 1} }},
	}
}

func formatNames() (names []string) {
	for _, f := range formats() {
		names = append(names, f.name)
	}
	return names
}

func (m *Module) encoder() dest.Encoder {
	i := slices.IndexFunc(formats(), func(f format) bool { return f.name == m.cfg.Format }) // New checked that it is there
	return formats()[i].encoder(m.cfg, m.deps)
}
