package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/pointsman/pointsman/test/demo"
	"github.com/pointsman/pointsman/test/fabric"
	"github.com/pointsman/pointsman/test/lab"
	"github.com/pointsman/pointsman/test/lab/kernel"
)

// withControlPlane boots a fabric with a control plane in front of it.
func withControlPlane(o lab.Options, listen string) func(ctx context.Context) (*lab.Fabric, func() error, error) {
	return func(ctx context.Context) (*lab.Fabric, func() error, error) {
		if o.Binaries == "" {
			return nil, nil, errors.New("a control plane needs the product's programs beside this one: run make build")
		}
		f, err := fabric.Up(ctx, fabric.Options{Topology: o.Topology, Binaries: o.Binaries, Native: o.Native, Log: o.Log, Socket: o.Socket, Listen: listen})
		if err != nil {
			return nil, nil, err
		}
		fmt.Fprintf(o.Log, "lab: pointsmanctl --server %s; a pool and a network to start with:\n"+
			"  pointsmanctl network create tenants --kind pool --prefix 10.64.0.0/12 --prefix fd64::/48 --default-ipv4-length 24 --default-ipv6-length 64\n"+
			"  pointsmanctl network create blue --pool tenants\n", f.CP.GRPC)
		return f.Lab, f.Down, nil
	}
}

func demoCommand() *cobra.Command {
	var file, binaries string
	var limit time.Duration
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Boot a fabric, allocate machines, prove reachability and isolation, and end it",
		Long: `Boot a fabric with a control plane, allocate machines, prove reachability and isolation, print the receipts, release all, and end it.
The exit code is 0 only if all of it held.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			topology, err := lab.Load(file)
			if err != nil {
				return err
			}
			if err := demo.Run(cmd.Context(), fabric.Options{Topology: topology, Binaries: binariesDir(cmd, binaries), Log: os.Stdout}, limit, os.Stdout); err != nil {
				return err
			}
			if advice := kernel.Advice(); advice != "" {
				fmt.Println(advice)
			}
			return nil
		},
	}
	cmd.Flags().StringVarP(&file, "file", "f", "", "topology file (at least two racks of two leaves with three machines)")
	cmd.Flags().StringVar(&binaries, "binaries", "", "directory with the product's programs (default: this program's)")
	cmd.Flags().DurationVar(&limit, "limit", demo.Limit, "how long all of it may take")
	return cmd
}
