package etcdserver

import (
	"context"
	"log/slog"
	"sync/atomic"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// ZapLogger returns a zap logger, which etcd's server and client want, that writes to log. etcd says at level info what its
// developers want to know (hundreds of lines at each start), so its levels arrive one lower: info as debug, and so on up to
// error, which stays one.
func ZapLogger(log *slog.Logger) *zap.Logger {
	return zapLogger(log, new(atomic.Bool))
}

// zapLogger's errors are debug once stopping is set: etcd logs as errors that its listeners are closed while it closes them.
func zapLogger(log *slog.Logger, stopping *atomic.Bool) *zap.Logger {
	return zap.New(slogCore{log: log.With("component", "etcd"), stopping: stopping})
}

type slogCore struct {
	log      *slog.Logger
	stopping *atomic.Bool
}

func (c slogCore) Enabled(level zapcore.Level) bool {
	return c.log.Enabled(context.Background(), c.slogLevel(level))
}

func (c slogCore) With(fields []zapcore.Field) zapcore.Core {
	return slogCore{log: c.log.With(attrs(fields)...), stopping: c.stopping}
}

func (c slogCore) Check(e zapcore.Entry, ce *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if c.Enabled(e.Level) {
		return ce.AddCore(e, c)
	}
	return ce
}

func (c slogCore) Write(e zapcore.Entry, fields []zapcore.Field) error {
	c.log.Log(context.Background(), c.slogLevel(e.Level), e.Message, attrs(fields)...)
	return nil
}

func (c slogCore) Sync() error { return nil }

func (c slogCore) slogLevel(level zapcore.Level) slog.Level {
	switch {
	case c.stopping.Load():
		return slog.LevelDebug
	case level >= zapcore.ErrorLevel:
		return slog.LevelError
	case level == zapcore.WarnLevel:
		return slog.LevelInfo
	default:
		return slog.LevelDebug
	}
}

func attrs(fields []zapcore.Field) []any {
	enc := zapcore.NewMapObjectEncoder()
	out := make([]any, 0, len(fields))
	for _, f := range fields {
		f.AddTo(enc)
		if v, ok := enc.Fields[f.Key]; ok {
			out = append(out, slog.Any(f.Key, v))
		}
	}
	return out
}
