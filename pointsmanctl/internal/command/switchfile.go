package command

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	apiv1 "github.com/pointsman/pointsman/pkg/api/v1"
	"github.com/pointsman/pointsman/pointsmanctl/internal/output"
)

// switchFile is one entry of the file that "switch register -f" reads.
type switchFile struct {
	ID           string            `yaml:"id"`
	Role         string            `yaml:"role"`
	Rack         string            `yaml:"rack"`
	Loopback     string            `yaml:"loopback"`
	ASN          uint32            `yaml:"asn"`
	MTU          uint32            `yaml:"mtu"`
	Description  string            `yaml:"description"`
	Ports        map[string]string `yaml:"ports"`
	Provisioning struct {
		VLAN      uint32   `yaml:"vlan"`
		Addresses []string `yaml:"addresses"`
	} `yaml:"provisioning"`
}

var (
	switchRoles = apiv1.SwitchRole(0).Descriptor()
	portRoles   = apiv1.PortRole(0).Descriptor()
)

// readSwitches reads a list of switches; "-" is standard input. Unknown fields are refused: a misspelt one would be a switch
// that is not what its file says.
func (a *app) readSwitches(path string) ([]*apiv1.CreateSwitchRequest, error) {
	in := a.In
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, fmt.Errorf("read switches: %w", err)
		}
		defer f.Close()
		in = f
	}
	dec := yaml.NewDecoder(in)
	dec.KnownFields(true)
	var entries []switchFile
	if err := dec.Decode(&entries); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read switches from %s: %w", path, err)
	}
	if len(entries) == 0 {
		return nil, fmt.Errorf("%s names no switch: it holds a list, each with id, role, loopback, ports", path)
	}
	var out []*apiv1.CreateSwitchRequest
	for i, e := range entries {
		req, err := e.request()
		if err != nil {
			return nil, fmt.Errorf("%s: switch %d (%q): %w", path, i+1, e.ID, err)
		}
		out = append(out, req)
	}
	return out, nil
}

func (e switchFile) request() (*apiv1.CreateSwitchRequest, error) {
	role, err := output.Number(switchRoles, e.Role)
	if err != nil {
		return nil, fmt.Errorf("role: %w", err)
	}
	req := &apiv1.CreateSwitchRequest{
		Id: e.ID, Role: apiv1.SwitchRole(role), Rack: e.Rack, Loopback: e.Loopback, Asn: e.ASN, Mtu: e.MTU, Description: e.Description,
	}
	if req.Ports, err = ports(e.Ports); err != nil {
		return nil, err
	}
	if e.Provisioning.VLAN != 0 || len(e.Provisioning.Addresses) > 0 {
		req.Provisioning = &apiv1.Provisioning{Vlan: e.Provisioning.VLAN, Addresses: e.Provisioning.Addresses}
	}
	return req, nil
}

// ports makes a switch's ports of their names and roles, sorted by name. With the role of an external port stands its peer.
func ports(in map[string]string) ([]*apiv1.SwitchPort, error) {
	var out []*apiv1.SwitchPort
	for name, text := range in {
		role, peer, given := strings.Cut(text, ":")
		n, err := output.Number(portRoles, role)
		if err != nil {
			return nil, fmt.Errorf("port %s: %w", name, err)
		}
		port := &apiv1.SwitchPort{Name: name, Role: apiv1.PortRole(n)}
		if given {
			if port.External, err = parsePeer(peer); err != nil {
				return nil, fmt.Errorf("port %s: %q: %w", name, text, err)
			}
		}
		out = append(out, port)
	}
	slices.SortFunc(out, func(a, b *apiv1.SwitchPort) int { return strings.Compare(a.GetName(), b.GetName()) })
	return out, nil
}
