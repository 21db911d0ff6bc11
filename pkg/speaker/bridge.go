package speaker

import (
	"context"
	"log/slog"
	"sync/atomic"

	gobgplog "github.com/osrg/gobgp/v3/pkg/log"
)

// bridge passes GoBGP's log on to slog: to the Speaker's that the engine serves now.
type bridge struct{ to atomic.Pointer[slog.Logger] }

func (b *bridge) write(level slog.Level, msg string, fields gobgplog.Fields) {
	log := b.to.Load()
	if !log.Enabled(context.Background(), level) {
		return
	}
	var args []any
	for k, v := range fields {
		args = append(args, k, v)
	}
	log.Log(context.Background(), level, msg, args...)
}

func (b *bridge) Panic(msg string, f gobgplog.Fields) { b.write(slog.LevelError, msg, f); panic(msg) }
func (b *bridge) Fatal(msg string, f gobgplog.Fields) { b.write(slog.LevelError, msg, f); panic(msg) }
func (b *bridge) Error(msg string, f gobgplog.Fields) { b.write(slog.LevelError, msg, f) }
func (b *bridge) Warn(msg string, f gobgplog.Fields)  { b.write(slog.LevelWarn, msg, f) }
func (b *bridge) Info(msg string, f gobgplog.Fields)  { b.write(slog.LevelInfo, msg, f) }
func (b *bridge) Debug(msg string, f gobgplog.Fields) { b.write(slog.LevelDebug, msg, f) }
func (b *bridge) SetLevel(gobgplog.LogLevel)          {}
func (b *bridge) GetLevel() gobgplog.LogLevel         { return gobgplog.InfoLevel }
