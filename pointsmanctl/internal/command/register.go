package command

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	apiv1 "github.com/pointsman/pointsman/pkg/api/v1"
	"github.com/pointsman/pointsman/pointsmanctl/internal/output"
)

func (a *app) switchRegisterCommand() *cobra.Command {
	var file string
	var flags switchFile
	cmd := &cobra.Command{
		Use:   "register (SWITCH ... | -f FILE)",
		Short: "Register switches, from flags or from a file",
		Long: `Register switches. From a file, all of its switches are registered, and one that is registered with the same content
already is left as it is, so that the same file can be given again.

The file is a YAML list:

  - id: leaf01
    role: leaf
    rack: rack1
    loopback: 10.255.0.11
    provisioning:
      vlan: 4000
      addresses: [10.250.1.1/24, "fd00:250:1::1/64"]
    ports:
      swp1: machine
      swp51: uplink
  - id: spine01
    role: spine
    loopback: 10.255.0.1
    ports: {swp1: uplink, swp2: uplink}

asn, mtu and description may be given too; an asn that is not is the next free one.

The external ports of a border say which external network gets their routes, and who is at the other end, as
` + peerForm + `:

  - id: border01
    role: border
    loopback: 10.255.0.21
    ports: {swp1: "external:internet:64496", swp51: uplink}`,
		Example: `  pointsmanctl switch register -f switches.yaml
  pointsmanctl switch register leaf01 --role leaf --rack rack1 --loopback 10.255.0.11 \
      --port swp1=machine --port swp51=uplink --provisioning-vlan 4000 --provisioning-address 10.250.1.1/24`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: a.ask(func(ctx context.Context, c *client, args []string) error {
			reqs, err := a.switchesToRegister(file, flags, args)
			if err != nil {
				return err
			}
			return a.registerAll(ctx, c, reqs)
		}),
	}
	f := cmd.Flags()
	f.StringVarP(&file, "file", "f", "", "YAML file with a list of switches; - is standard input")
	f.StringVar(&flags.Role, "role", "", "role: "+strings.Join(output.Words(switchRoles), ", "))
	f.StringVar(&flags.Rack, "rack", "", "rack; leaves of one rack share its machines")
	f.StringVar(&flags.Loopback, "loopback", "", "IPv4 address of its loopback, unique")
	f.Uint32Var(&flags.ASN, "asn", 0, "ASN (default: the next free one; spines share one)")
	f.Uint32Var(&flags.MTU, "mtu", 0, "MTU of uplinks and machine ports in bytes (default 9216)")
	f.StringToStringVar(&flags.Ports, "port", nil, "NAME=ROLE of a port, role "+strings.Join(output.Words(portRoles), " or ")+"; repeat for more. External is "+peerForm)
	f.Uint32Var(&flags.Provisioning.VLAN, "provisioning-vlan", 0, "of a leaf: VLAN of its own provisioning network, 2 to 4094")
	f.StringArrayVar(&flags.Provisioning.Addresses, "provisioning-address", nil, "of a leaf: its address there with the prefix length; repeat for more")
	f.StringVar(&flags.Description, "description", "", "a description for people")
	fixed(cmd, "role", output.Words(switchRoles)...)
	a.completeFlag(cmd, "rack", a.rackIDs)
	return cmd
}

func (a *app) switchesToRegister(file string, flags switchFile, args []string) ([]*apiv1.CreateSwitchRequest, error) {
	switch {
	case file != "" && len(args) > 0:
		return nil, usagef("give switch %s or -f %s, not both", args[0], file)
	case file != "":
		return a.readSwitches(file)
	case len(args) == 0:
		return nil, usagef("name the switch, or give -f FILE")
	}
	flags.ID = args[0]
	req, err := flags.request()
	if err != nil {
		return nil, usagef("--%w", err)
	}
	return []*apiv1.CreateSwitchRequest{req}, nil
}

// registerAll goes on after a switch that is refused: a file with one mistake registers the others.
func (a *app) registerAll(ctx context.Context, c *client, reqs []*apiv1.CreateSwitchRequest) error {
	done := &apiv1.ListSwitchesResponse{}
	var errs []error
	for _, req := range reqs {
		s, err := registerOne(ctx, c, req)
		if err != nil {
			errs = append(errs, fmt.Errorf("register switch %s: %s", req.GetId(), a.explain(err)))
			continue
		}
		done.Switches = append(done.Switches, s)
	}
	if len(done.Switches) > 0 {
		errs = append(errs, a.printer().Switches(done))
	}
	return errors.Join(errs...)
}

// registerOne registers a switch; one that is there with the same content is as good as registered.
func registerOne(ctx context.Context, c *client, req *apiv1.CreateSwitchRequest) (*apiv1.Switch, error) {
	req.RequestId = requestID()
	s, err := c.switches.CreateSwitch(ctx, req)
	if status.Code(err) != codes.AlreadyExists {
		return s, err
	}
	there, getErr := c.switches.GetSwitch(ctx, &apiv1.GetSwitchRequest{Id: req.GetId()})
	if getErr != nil {
		return nil, err
	}
	if differs := differences(there, req); len(differs) > 0 {
		return nil, status.Errorf(codes.AlreadyExists, "it is registered with other content (%s): change description, mtu and ports "+
			"with pointsmanctl switch update, or delete it first", strings.Join(differs, ", "))
	}
	return there, nil
}

// differences names the fields in which a registered switch is not what is asked for. What was left to the control plane to
// choose does not differ.
func differences(there *apiv1.Switch, req *apiv1.CreateSwitchRequest) []string {
	byName := func(a, b *apiv1.SwitchPort) int { return strings.Compare(a.GetName(), b.GetName()) }
	var out []string
	for _, f := range []struct {
		name string
		same bool
	}{
		{"role", there.GetRole() == req.GetRole()},
		{"rack", there.GetRack() == req.GetRack()},
		{"loopback", there.GetLoopback() == req.GetLoopback()},
		{"asn", req.GetAsn() == 0 || there.GetAsn() == req.GetAsn()},
		{"mtu", req.GetMtu() == 0 || there.GetMtu() == req.GetMtu()},
		{"description", there.GetDescription() == req.GetDescription()},
		{"provisioning", proto.Equal(&apiv1.Switch{Provisioning: there.GetProvisioning()}, &apiv1.Switch{Provisioning: req.GetProvisioning()})},
		{"ports", slices.EqualFunc(slices.SortedFunc(slices.Values(there.GetPorts()), byName), slices.SortedFunc(slices.Values(req.GetPorts()), byName),
			samePort)},
	} {
		if !f.same {
			out = append(out, f.name)
		}
	}
	return out
}

// samePort says whether a registered port is what is asked for. A network's project that is left out is the control plane's to choose.
func samePort(there, asked *apiv1.SwitchPort) bool {
	if asked.GetExternal() != nil && asked.GetExternal().GetProject() == "" {
		asked = proto.CloneOf(asked)
		asked.External.Project = there.GetExternal().GetProject()
	}
	return proto.Equal(there, asked)
}
