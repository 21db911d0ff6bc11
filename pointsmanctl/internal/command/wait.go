package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	apiv1 "github.com/pointsman/pointsman/pkg/api/v1"
	"github.com/pointsman/pointsman/pointsmanctl/internal/output"
)

// defaultWait is long beside the second that an allocation takes, and short for a person who watches.
const defaultWait = 2 * time.Minute

// waiting is what --wait and --wait-timeout say.
type waiting struct {
	wanted  bool
	timeout time.Duration
}

func (w *waiting) flags(cmd *cobra.Command, until string) {
	cmd.Flags().BoolVar(&w.wanted, "wait", false, "wait "+until)
	cmd.Flags().DurationVar(&w.timeout, "wait-timeout", defaultWait, "how long to wait")
	fixed(cmd, "wait-timeout")
}

// awaitReachable shows the phases as they come, and returns the last receipt seen, also beside an error.
func (a *app) awaitReachable(ctx context.Context, c *client, allocation *apiv1.Allocation, wait waiting) (*apiv1.Receipt, error) {
	ctx, cancel := context.WithTimeout(ctx, wait.timeout)
	defer cancel()
	receipts := make(chan *apiv1.Receipt)
	ended := make(chan error, 1)
	go func() { ended <- watchReceipt(ctx, c, allocation, receipts) }()

	show := a.progress()
	tick := time.NewTicker(show.every)
	defer tick.Stop()
	var last *apiv1.Receipt
	for {
		select {
		case last = <-receipts:
			show.receipt(last)
		case <-tick.C:
			show.tick()
		case err := <-ended:
			show.done()
			return last, waitError(ctx, allocation.GetId(), wait, last, err)
		}
	}
}

// waitError says what an allocation that did not become reachable in time was waiting for.
func waitError(ctx context.Context, id string, wait waiting, last *apiv1.Receipt, err error) error {
	if err == nil || !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return err
	}
	why := "the control plane says nothing of it"
	if waits := last.GetWaitingFor(); len(waits) > 0 {
		why = "it waits for " + strings.Join(waits, "; ")
	}
	return fmt.Errorf("allocation %s is not reachable after %s: %s. It goes on without you: see pointsmanctl receipt %s", id, wait.timeout, why, id)
}

// watchReceipt sends an allocation's receipts until it is reachable. A control plane that goes away meanwhile is asked again.
func watchReceipt(ctx context.Context, c *client, allocation *apiv1.Allocation, to chan<- *apiv1.Receipt) error {
	for {
		err := watchReceiptOnce(ctx, c, allocation, to)
		if status.Code(err) != codes.Unavailable {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(firstWait):
		}
	}
}

func watchReceiptOnce(ctx context.Context, c *client, allocation *apiv1.Allocation, to chan<- *apiv1.Receipt) error {
	stream, err := c.allocations.WatchReceipt(ctx, &apiv1.WatchReceiptRequest{Project: allocation.GetProject(), Id: allocation.GetId()})
	if err != nil {
		return err
	}
	for {
		r, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		// A cache that is behind the commit may still say what was before a move.
		if r.GetGeneration() < allocation.GetGeneration() {
			continue
		}
		select {
		case to <- r:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// progress shows a wait: on a terminal one line that is rewritten, elsewhere a line for each thing that happens.
type progress struct {
	out         io.Writer
	interactive bool
	every       time.Duration
	now         func() time.Time
	started     time.Time
	reached     apiv1.Phase
	waiting     string
	told        string
}

func (a *app) progress() *progress {
	p := &progress{out: a.Err, interactive: a.Interactive, every: time.Second, now: a.Now, started: a.Now()}
	if p.interactive {
		p.every = 100 * time.Millisecond
	}
	return p
}

const eraseLine = "\r\x1b[K"

func (p *progress) receipt(r *apiv1.Receipt) {
	for _, s := range r.GetPhases() {
		if s.GetPhase() > p.reached {
			p.reached = s.GetPhase()
			p.line(output.Reached(s))
		}
	}
	p.waiting = strings.Join(r.GetWaitingFor(), "; ")
	if p.interactive {
		p.tick()
	}
}

// waitsFor shows a wait that has no phases.
func (p *progress) waitsFor(what string) {
	p.waiting = what
	if p.interactive {
		p.tick()
	}
}

// tick shows what is waited for: again and again on a terminal, elsewhere once each time that it changed.
func (p *progress) tick() {
	switch {
	case p.waiting == "":
	case p.interactive:
		fmt.Fprintf(p.out, "%s%6.1f s   waiting for %s", eraseLine, p.now().Sub(p.started).Seconds(), shorten(p.waiting))
	case p.waiting != p.told:
		p.told = p.waiting
		fmt.Fprintf(p.out, "waiting for %s\n", p.waiting)
	}
}

func (p *progress) line(s string) {
	p.done()
	fmt.Fprintln(p.out, s)
}

// done takes the rewritten line away.
func (p *progress) done() {
	if p.interactive {
		fmt.Fprint(p.out, eraseLine)
	}
}

// shorten keeps the rewritten line on one line of a narrow terminal: a line that wraps cannot be erased.
func shorten(s string) string {
	const most = 56
	if r := []rune(s); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return s
}
