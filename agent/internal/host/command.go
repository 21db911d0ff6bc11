package host

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os"

	"github.com/spf13/cobra"
)

// Command is `pointsman-agent host`.
func Command() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "host",
		Short: "Announce this machine's addresses over BGP unnumbered",
		Long: `Run on a machine: tell its leaves over LLDP who it is, and once the machine file is there (pointsmanctl machine config prints
it) speak BGP on the uplinks, hold the machine's addresses on the loopback interface, and install what is learned as ECMP routes.

The machine file may appear, change and vanish at any time. When it vanishes, what it brought goes with it. When this program is
stopped, addresses and routes stay for the next start. Its routes are those of protocol 196 with metric 20: ip route show proto 196.

host.yaml, all but uplinks optional:

  machine-file: /etc/pointsman/machine.json
  system-uuid: ...            # who the machine is over LLDP; by default the firmware's
  uplinks: [lan0, lan1]       # for LLDP, and for BGP where the machine file names none that is there
  lldp: true                  # false where lldpd runs
  log-level: info
  status-file: /run/pointsman/host.json
  extra-announcements:        # of software on this machine, such as pod ranges; the leaf permits what is granted
    - prefix: 10.200.0.0/24
      communities: ["64512:1"]
      extended-communities: ["rt:64512:100001"]
      large-communities: ["4201000001:1:2"]
      as-path: [64513]`,
		Example: "  pointsman-agent host --config /etc/pointsman/host.yaml\n  pointsman-agent host status",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := Load(file)
			if err != nil {
				return err
			}
			var level slog.Level
			if err := level.UnmarshalText([]byte(c.LogLevel)); err != nil {
				return err // Load checked it
			}
			return Run(cmd.Context(), c, slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level})))
		},
	}
	cmd.Flags().StringVar(&file, "config", "/etc/pointsman/host.yaml", "configuration file")
	cmd.AddCommand(statusCommand())
	return cmd
}

func statusCommand() *cobra.Command {
	var file, output string
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show this machine's sessions and routes",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			text, err := os.ReadFile(file)
			if err != nil {
				return fmt.Errorf("read status (is pointsman-agent host running?): %w", err)
			}
			var s Status
			if err := json.Unmarshal(text, &s); err != nil {
				return fmt.Errorf("read status: %w", err)
			}
			switch output {
			case "json":
				_, err = cmd.OutOrStdout().Write(text)
				return err
			case "table":
				return s.print(cmd.OutOrStdout())
			default:
				return fmt.Errorf("--output: %q is not table or json", output)
			}
		},
	}
	cmd.Flags().StringVar(&file, "status-file", DefaultStatusFile, "file that the running speaker writes")
	cmd.Flags().StringVarP(&output, "output", "o", "table", "table or json")
	return cmd
}
