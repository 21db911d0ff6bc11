package command

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/pointsman/pointsman/pkg/version"
)

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version of pointsmanctl",
		Args:  cobra.NoArgs,
		RunE: run(func(context.Context, []string) error {
			_, err := fmt.Fprintln(a.Out, "pointsmanctl", version.Version)
			return err
		}),
	}
}
