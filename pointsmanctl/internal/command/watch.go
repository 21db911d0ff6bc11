package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	apiv1 "github.com/pointsman/pointsman/pkg/api/v1"
	"github.com/pointsman/pointsman/pointsmanctl/internal/output"
)

// longestWait is how long a watch that broke waits at most before it asks again.
const longestWait = 5 * time.Second

var watchKinds = []string{"networks", "ips", "machines", "switches", "allocations"}

func (a *app) watchCommand() *cobra.Command {
	var filter string
	cmd := &cobra.Command{
		Use:       "watch networks|ips|machines|switches|allocations",
		Short:     "Print what is there and each change of it, until interrupted",
		Example:   "  pointsmanctl watch machines --filter 'rack = rack1'\n  pointsmanctl watch allocations -o json",
		Args:      cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		ValidArgs: watchKinds,
	}
	filterFlag(cmd, &filter, "state = free")
	cmd.RunE = a.ask(func(ctx context.Context, c *client, args []string) error {
		switch args[0] {
		case "networks":
			return a.watchNetworks(ctx, c, &apiv1.WatchNetworksRequest{Project: a.project, Filter: filter})
		case "ips":
			return a.watchIPs(ctx, c, &apiv1.WatchIPsRequest{Project: a.project, Filter: filter})
		case "machines":
			return a.watchMachines(ctx, c, &apiv1.WatchMachinesRequest{Filter: filter})
		case "switches":
			return a.watchSwitches(ctx, c, &apiv1.WatchSwitchesRequest{Filter: filter})
		default:
			return a.watchAllocations(ctx, c, &apiv1.WatchAllocationsRequest{Project: a.project, Filter: filter})
		}
	})
	return cmd
}

// watchFlag gives a get or a list its -w.
func watchFlag(cmd *cobra.Command, watch *bool) {
	cmd.Flags().BoolVarP(watch, "watch", "w", false, "print what is there and then each change of it, until interrupted")
}

// only is the filter for the object of this name. The API reads text in double quotes with these escapes.
func only(field, name string) string { return field + " = " + strconv.Quote(name) }

func (a *app) watchNetworks(ctx context.Context, c *client, req *apiv1.WatchNetworksRequest) error {
	return follow(ctx, a, func(v string) (grpc.ServerStreamingClient[apiv1.WatchNetworksResponse], error) {
		req.ResourceVersion = v
		return c.networks.WatchNetworks(ctx, req)
	})
}

func (a *app) watchIPs(ctx context.Context, c *client, req *apiv1.WatchIPsRequest) error {
	return follow(ctx, a, func(v string) (grpc.ServerStreamingClient[apiv1.WatchIPsResponse], error) {
		req.ResourceVersion = v
		return c.ips.WatchIPs(ctx, req)
	})
}

func (a *app) watchMachines(ctx context.Context, c *client, req *apiv1.WatchMachinesRequest) error {
	return follow(ctx, a, func(v string) (grpc.ServerStreamingClient[apiv1.WatchMachinesResponse], error) {
		req.ResourceVersion = v
		return c.machines.WatchMachines(ctx, req)
	})
}

func (a *app) watchSwitches(ctx context.Context, c *client, req *apiv1.WatchSwitchesRequest) error {
	return follow(ctx, a, func(v string) (grpc.ServerStreamingClient[apiv1.WatchSwitchesResponse], error) {
		req.ResourceVersion = v
		return c.switches.WatchSwitches(ctx, req)
	})
}

func (a *app) watchAllocations(ctx context.Context, c *client, req *apiv1.WatchAllocationsRequest) error {
	return follow(ctx, a, func(v string) (grpc.ServerStreamingClient[apiv1.WatchAllocationsResponse], error) {
		req.ResourceVersion = v
		return c.allocations.WatchAllocations(ctx, req)
	})
}

// watched is one message of a watch of any kind.
type watched[T any] interface {
	*T
	proto.Message
	GetType() apiv1.EventType
	GetResourceVersion() string
}

// following is a watch that is taken up again when it breaks.
type following[T any, P watched[T]] struct {
	a       *app
	open    func(version string) (grpc.ServerStreamingClient[T], error)
	ledger  *ledger
	version string // of the last bookmark
	printed bool
	failed  int // in a row
}

// follow prints a watch until ctx ends, which is how a person stops it and no error. What breaks is taken up from the last
// bookmark; where the history does not reach back so far, from all that is there.
func follow[T any, P watched[T]](ctx context.Context, a *app, open func(version string) (grpc.ServerStreamingClient[T], error)) error {
	if output.Format(a.output) == output.YAML {
		return usagef("a watch prints one line for each change: give -o table, wide or json")
	}
	f := &following[T, P]{a: a, open: open, ledger: newLedger()}
	for {
		err := f.once()
		if ctx.Err() != nil {
			return nil //nolint:nilerr // a person ends a watch so: it has not failed
		}
		if err := f.broke(err); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(f.wait()):
		}
	}
}

// once reads one stream to its end.
func (f *following[T, P]) once() error {
	if f.version == "" {
		f.ledger.relist()
	}
	stream, err := f.open(f.version)
	if err != nil {
		return err
	}
	for {
		m, err := stream.Recv()
		if err != nil {
			return err
		}
		f.failed = 0
		if err := f.print(P(m)); err != nil {
			return written{err}
		}
	}
}

// written marks an error of our own output: there is nobody to go on for.
type written struct{ error }

// print prints what a message tells.
func (f *following[T, P]) print(m P) error {
	field := objectField(m)
	var object proto.Message
	if m.GetType() != apiv1.EventType_EVENT_TYPE_BOOKMARK {
		object = m.ProtoReflect().Get(field).Message().Interface()
	}
	for _, t := range f.ledger.take(m.GetType(), object) {
		event := P(new(T)).ProtoReflect()
		event.Set(event.Descriptor().Fields().ByName("type"), protoreflect.ValueOfEnum(t.kind.Number()))
		event.Set(field, protoreflect.ValueOfMessage(t.object.ProtoReflect()))
		if err := f.a.printer().Event(event.Interface(), t.kind, !f.printed); err != nil {
			return err
		}
		f.printed = true
	}
	if m.GetType() == apiv1.EventType_EVENT_TYPE_BOOKMARK {
		f.version = m.GetResourceVersion()
	}
	return nil
}

// objectField is the field of a watch's message that holds the object: the only one that is a message.
func objectField(m proto.Message) protoreflect.FieldDescriptor {
	fields := m.ProtoReflect().Descriptor().Fields()
	for i := range fields.Len() {
		if fields.Get(i).Kind() == protoreflect.MessageKind {
			return fields.Get(i)
		}
	}
	return nil
}

// broke decides whether a watch that ended goes on, and says so once. One that never began is tried as long as any request.
func (f *following[T, P]) broke(err error) error {
	var ours written
	f.failed++
	switch code := status.Code(err); {
	case errors.As(err, &ours):
		return ours.error
	case code == codes.OutOfRange && f.version != "":
		fmt.Fprintln(f.a.Err, "pointsmanctl: the changes since the break are not kept any more: everything is listed again")
		f.version = ""
	case code != codes.Unavailable && !errors.Is(err, io.EOF):
		return err
	case f.version == "" && !f.printed && f.failed >= attempts:
		return err
	case f.failed == 1 && (f.version != "" || f.printed):
		fmt.Fprintf(f.a.Err, "pointsmanctl: the watch broke (%s): going on from there\n", status.Convert(err).Message())
	}
	return nil
}

// wait is how long to wait before asking again: longer each time, and not the same for all who watch.
func (f *following[T, P]) wait() time.Duration {
	wait := min(firstWait<<min(f.failed-1, 10), longestWait)
	return wait/2 + rand.N(wait/2)
}
