package apptest

import (
	"sync"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// Log keeps the entries that a process logs. Safe for concurrent use.
type Log struct {
	mu      sync.Mutex
	entries []LogEntry
}

// LogEntry is one line with its fields.
type LogEntry struct {
	zapcore.Entry
	Fields map[string]any
}

// With returns the entries, oldest first, that have a field of this value.
func (l *Log) With(field string, value any) (found []LogEntry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.entries {
		if e.Fields[field] == value {
			found = append(found, e)
		}
	}
	return found
}

// kept is the logger's option.
func (l *Log) kept() zap.Option {
	return zap.WrapCore(func(c zapcore.Core) zapcore.Core { return zapcore.NewTee(c, keeper{LevelEnabler: c, log: l}) })
}

// keeper is where entries are kept.
type keeper struct {
	zapcore.LevelEnabler
	log    *Log
	fields []zapcore.Field
}

func (k keeper) With(fields []zapcore.Field) zapcore.Core {
	k.fields = append(k.fields[:len(k.fields):len(k.fields)], fields...)
	return k
}

func (k keeper) Check(e zapcore.Entry, ce *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if k.Enabled(e.Level) {
		return ce.AddCore(e, k)
	}
	return ce
}

func (k keeper) Write(e zapcore.Entry, fields []zapcore.Field) error {
	encoder := zapcore.NewMapObjectEncoder()
	for _, f := range k.fields {
		f.AddTo(encoder)
	}
	for _, f := range fields {
		f.AddTo(encoder)
	}
	k.log.mu.Lock()
	defer k.log.mu.Unlock()
	k.log.entries = append(k.log.entries, LogEntry{e, encoder.Fields})
	return nil
}

func (keeper) Sync() error { return nil }
