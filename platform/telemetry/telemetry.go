// Package telemetry makes what a process tells about itself: logs, metrics, health.
//
// Principles:
//  1. Healthy operation is silent at info; a log message is constant, its facts are fields.
//  2. Metrics go to an injected registry; label values are bounded.
//  3. Health says in words that an operator can act on, and never an address or a credential.
package telemetry

import (
	"fmt"
	"io"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/muttproject/mutt/platform/terminal"
)

// NewLogger returns a logger that writes to w: JSON, or lines for people when console is set. Its level can be changed while it runs.
// The encoders escape C0 control characters only; the Writer escapes the others, in the form that JSON reads as the same text.
func NewLogger(w io.Writer, console bool, level zap.AtomicLevel) *zap.Logger {
	ec := zap.NewProductionEncoderConfig()
	ec.TimeKey, ec.EncodeTime = "time", zapcore.RFC3339NanoTimeEncoder
	enc := zapcore.NewJSONEncoder(ec)
	if console {
		ec.EncodeLevel = zapcore.CapitalLevelEncoder
		ec.EncodeTime = zapcore.TimeEncoderOfLayout("15:04:05.000")
		ec.CallerKey = zapcore.OmitKey
		enc = zapcore.NewConsoleEncoder(ec)
	}
	return zap.New(zapcore.NewCore(enc, zapcore.Lock(zapcore.AddSync(terminal.NewWriter(w))), level))
}

// ParseLevel reads a level name of the log_level key.
func ParseLevel(name string) (zapcore.Level, error) {
	l, err := zapcore.ParseLevel(name)
	if err != nil {
		return 0, fmt.Errorf("log level %q: %w", name, err)
	}
	return l, nil
}

// NewRegistry makes the registry of a process, with the runtime's own metrics.
func NewRegistry() *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}
