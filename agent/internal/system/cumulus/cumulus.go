// Package cumulus is the network operating system Cumulus Linux. Its kernel and its FRR are plain Linux's, and so a port moves by
// netlink, at once. What the switch starts with is /etc/network/interfaces, where the agent has stanzas of its own: they are written
// after the kernel, and proven by ifupdown2's own `ifquery --check`. It decides nothing. The reconcile package calls it.
//
// It owns what package linux owns in the kernel, and in the file what is between its marks. It leaves a switch alone that NVUE
// configures, or that has one VXLAN device for all VNIs.
package cumulus

import (
	"context"
	"log/slog"
	"os"
	"regexp"
	"sync"

	"github.com/pointsman/pointsman/agent/internal/plan"
	"github.com/pointsman/pointsman/agent/internal/system"
	"github.com/pointsman/pointsman/agent/internal/system/linux"
)

// Options of a System. Those of linux.Options apply, but for what makes a port.
type Options struct {
	linux.Options
	// Root is where the switch's files are. Default: /.
	Root string
	// Run runs one of ifupdown2's programs and returns what it prints. Default: as any program.
	Run func(ctx context.Context, name string, args ...string) ([]byte, error)
}

// System is a switch that runs Cumulus Linux.
type System struct {
	*linux.System
	root   string
	prover *prover

	mu   sync.Mutex
	last record // as it was read last, without what was found since
}

var _ system.Switch = (*System)(nil)

// portName is a front-panel port, whole or one of those that it is broken out into: swp1, swp1s0.
var portName = regexp.MustCompile(`^swp[0-9]+(s[0-9]+)?$`)

// New opens the kernel of the calling thread's network namespace.
func New(o Options) (*System, error) {
	if o.Root == "" {
		o.Root = "/"
	}
	if o.Run == nil {
		o.Run = run
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	o.PortName, o.Unlabelled = portName.MatchString, true // ifquery does not find an address with a label
	kernel, err := linux.New(o.Options)
	if err != nil {
		return nil, err
	}
	s := &System{System: kernel, root: o.Root, prover: newProver(o.Run, o.Log)}
	s.prover.there = func() []string { return s.read().file.Names() }
	s.prover.stanza = func(name string) string { return s.read().file.Stanza(name) }
	return s, nil
}

// Name implements system.System.
func (s *System) Name() string { return "cumulus" }

// Close implements system.Switch.
func (s *System) Close() {
	s.prover.close()
	s.System.Close()
}

// Observe implements system.System.
func (s *System) Observe(ctx context.Context) (plan.State, error) {
	state, err := s.System.Observe(ctx)
	if err != nil {
		return state, err
	}
	read := s.read()
	state.Saved = read
	for p := range state.Kernel.Loopback {
		if read.holdsAddress(p) {
			state.Kernel.Loopback[p] = plan.Ours
		}
	}
	return state, nil
}

// Facts implements system.System.
func (s *System) Facts(ctx context.Context) (plan.Facts, error) {
	f, shared, err := s.FactsAndSharedTunnels(ctx)
	if err != nil {
		return f, err
	}
	if f.Capabilities, f.Ranges, err = limits(os.DirFS(s.root), f.TakenTables); err != nil {
		return f, err
	}
	f.Refusal, err = refusal(s.root, shared, s.read())
	return f, err
}

// Watch implements system.System. What others write to the file is seen by the next pass only; that a proof fails is said at once.
func (s *System) Watch(ctx context.Context, kick func(why string)) error {
	s.prover.tell(kick)
	defer s.prover.tell(nil)
	s.prover.prove(s.read().file.Names())
	return s.System.Watch(ctx, kick)
}

// Apply implements system.System.
func (s *System) Apply(ctx context.Context, ops []plan.Op) []plan.Result {
	return system.Run(ops, s.Executor(ctx))
}

// Executor returns what carries out the steps of one Apply.
func (s *System) Executor(ctx context.Context) system.Executor {
	return &executor{Executor: s.System.Executor(ctx), System: s, ctx: ctx}
}

type executor struct {
	system.Executor
	*System
	ctx context.Context
}

// Do implements system.Executor.
func (e *executor) Do(op plan.Op) error {
	if save, ok := op.(plan.SaveKernel); ok {
		return e.save(e.ctx, save)
	}
	err := e.Executor.Do(op)
	e.prover.changed()
	return err
}
