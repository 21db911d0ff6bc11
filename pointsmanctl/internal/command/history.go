package command

import (
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	apiv1 "github.com/pointsman/pointsman/pkg/api/v1"
)

// defaultLimit is how many changes a history shows unless somebody asks for more.
const defaultLimit = 20

// historyCommand is "history", which is "changes" too and, as the lists of resources are, "changes list".
func (a *app) historyCommand() *cobra.Command {
	cmd := a.listChangesCommand("history [RESOURCE]")
	cmd.Aliases = []string{"changes"}
	cmd.AddCommand(a.listChangesCommand("list [RESOURCE]"))
	return cmd
}

func (a *app) listChangesCommand(use string) *cobra.Command {
	req := &apiv1.ListChangesRequest{}
	var limit int32
	cmd := &cobra.Command{
		Use:   use,
		Short: "Who changed what, when and why, the latest first",
		Example: `  pointsmanctl history
  pointsmanctl history machines/machine01 --limit 50
  pointsmanctl history switches/leaf01/ports/swp1 -o json
  pointsmanctl history --filter 'caller = local AND method : Delete'`,
		Args: cobra.MaximumNArgs(1),
		RunE: a.ask(func(ctx context.Context, c *client, args []string) error {
			if limit < 0 {
				return usagef("--limit %d: give how many changes to show, 0 for all", limit)
			}
			if len(args) > 0 {
				req.Resource = args[0]
			}
			req.Project, req.PageSize = a.project, limit
			r, err := c.changes.ListChanges(ctx, req)
			if err != nil {
				return err
			}
			if err := a.printer().Changes(r); err != nil {
				return err
			}
			if r.GetNextPageToken() != "" {
				fmt.Fprintf(a.Err, "pointsmanctl: there are earlier changes: ask for more with --limit\n")
			}
			return nil
		}),
	}
	filterFlag(cmd, &req.Filter, `method : Delete`)
	cmd.Long += `

RESOURCE is what the changes concern: machines/machine01, switches/leaf01, switches/leaf01/ports/swp1, networks/blue,
ips/blue/10.1.0.5 or allocations/web1. Changes of allocations that hold it are among them. Changes are kept for 30 days.`
	cmd.Flags().Int32Var(&limit, "limit", defaultLimit, "how many changes to show; 0 is all")
	fixed(cmd, "limit")
	cmd.ValidArgsFunction = a.first(a.resourceNames)
	return cmd
}

// resourceNames offers what has a history.
func (a *app) resourceNames(ctx context.Context, c *client) ([]string, error) {
	var out []string
	for kind, list := range map[string]ids{"machines/": a.machineIDs, "switches/": a.switchIDs, "networks/": a.networkIDs, "allocations/": a.allocationIDs} {
		names, err := list(ctx, c)
		if err != nil {
			return nil, err
		}
		for _, n := range names {
			out = append(out, kind+n)
		}
	}
	slices.Sort(out)
	return out, nil
}
