package command

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	apiv1 "github.com/pointsman/pointsman/pkg/api/v1"
	"github.com/pointsman/pointsman/pointsmanctl/internal/output"
)

// rewatch is how long a watch that broke waits before it asks again.
const rewatch = time.Second

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
		if output.Format(a.output) == output.YAML {
			return usagef("a watch prints one line for each change: give -o table, wide or json")
		}
		switch args[0] {
		case "networks":
			return follow(ctx, a, func(v string) (grpc.ServerStreamingClient[apiv1.WatchNetworksResponse], error) {
				return c.networks.WatchNetworks(ctx, &apiv1.WatchNetworksRequest{Project: a.project, Filter: filter, ResourceVersion: v})
			})
		case "ips":
			return follow(ctx, a, func(v string) (grpc.ServerStreamingClient[apiv1.WatchIPsResponse], error) {
				return c.ips.WatchIPs(ctx, &apiv1.WatchIPsRequest{Project: a.project, Filter: filter, ResourceVersion: v})
			})
		case "machines":
			return follow(ctx, a, func(v string) (grpc.ServerStreamingClient[apiv1.WatchMachinesResponse], error) {
				return c.machines.WatchMachines(ctx, &apiv1.WatchMachinesRequest{Filter: filter, ResourceVersion: v})
			})
		case "switches":
			return follow(ctx, a, func(v string) (grpc.ServerStreamingClient[apiv1.WatchSwitchesResponse], error) {
				return c.switches.WatchSwitches(ctx, &apiv1.WatchSwitchesRequest{Filter: filter, ResourceVersion: v})
			})
		default:
			return follow(ctx, a, func(v string) (grpc.ServerStreamingClient[apiv1.WatchAllocationsResponse], error) {
				return c.allocations.WatchAllocations(ctx, &apiv1.WatchAllocationsRequest{Project: a.project, Filter: filter, ResourceVersion: v})
			})
		}
	})
	return cmd
}

// watched is one message of a watch of any kind.
type watched[T any] interface {
	*T
	proto.Message
	GetType() apiv1.EventType
	GetResourceVersion() string
}

// follow prints a watch until ctx ends, which is how a person stops it and no error. What breaks is taken up from the last
// bookmark; where the history does not reach back so far, from all that is there.
func follow[T any, P watched[T]](ctx context.Context, a *app, open func(version string) (grpc.ServerStreamingClient[T], error)) error {
	version, printed := "", false
	for {
		err := func() error {
			stream, err := open(version)
			if err != nil {
				return err
			}
			for {
				m, err := stream.Recv()
				if err != nil {
					return err
				}
				e := P(m)
				if e.GetType() == apiv1.EventType_EVENT_TYPE_BOOKMARK {
					version = e.GetResourceVersion()
					continue
				}
				if err := a.printer().Event(e, e.GetType(), !printed); err != nil {
					return err
				}
				printed = true
			}
		}()
		switch code := status.Code(err); {
		case ctx.Err() != nil:
			return nil //nolint:nilerr // a person ends a watch so: it has not failed
		case version != "" && code == codes.OutOfRange:
			fmt.Fprintln(a.Err, "pointsmanctl: the changes since the break are not kept any more: everything is listed again")
			version = ""
		case version != "" && code == codes.Unavailable:
			fmt.Fprintf(a.Err, "pointsmanctl: the watch broke (%s): going on from there\n", status.Convert(err).Message())
		default:
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(rewatch):
		}
	}
}
