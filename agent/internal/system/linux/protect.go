package linux

import (
	"context"

	"github.com/pointsman/pointsman/agent/internal/plan"
)

// Protection is our table of nftables.
type Protection interface {
	// Observe reads its chains; nil means that there is no such table.
	Observe() (map[string]plan.Chain, error)
	// Set brings chains to what they must be, in one transaction.
	Set(plan.SetProtection) error
	// Delete deletes the table.
	Delete() error
	// Listen begins to call changed whenever the table changed, until ctx ends; then, or when it can hear no more, it says why.
	Listen(ctx context.Context, changed func()) (done <-chan error, err error)
}

// unprotected is a kernel without nftables.
type unprotected struct{}

func (unprotected) Observe() (map[string]plan.Chain, error) { return nil, nil }
func (unprotected) Set(plan.SetProtection) error            { return nil }
func (unprotected) Delete() error                           { return nil }
func (unprotected) Listen(ctx context.Context, _ func()) (<-chan error, error) {
	done := make(chan error)
	context.AfterFunc(ctx, func() { close(done) })
	return done, nil
}
