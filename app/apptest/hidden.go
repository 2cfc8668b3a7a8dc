package apptest

import (
	"bytes"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// hides holds that a text that MUTT gave shows none of the keys of this package.
func hides(t testing.TB, what string, text []byte) {
	t.Helper()
	for _, key := range []string{IngestKey, AdminKey, MoogKey} {
		if bytes.Contains(text, []byte(key)) {
			t.Errorf("%s shows a key", what)
		}
	}
}

// searched is an option of a logger: every entry is searched for keys before it is written.
func searched(t testing.TB) zap.Option {
	return zap.WrapCore(func(c zapcore.Core) zapcore.Core {
		return zapcore.NewTee(c, zapcore.NewCore(zapcore.NewJSONEncoder(zap.NewDevelopmentEncoderConfig()), search{t}, c))
	})
}

// search is where entries are searched.
type search struct{ t testing.TB }

func (s search) Write(line []byte) (int, error) {
	hides(s.t, "the log", line)
	return len(line), nil
}

func (search) Sync() error { return nil }
