package output

import (
	"fmt"
	"slices"
	"strings"

	apiv1 "github.com/pointsman/pointsman/pkg/api/v1"
)

const capabilitiesColumn = "CAPABILITIES"

func (p Printer) switchColumns() []column[*apiv1.Switch] {
	type sw = *apiv1.Switch
	return []column[sw]{
		{"ID", false, sw.GetId},
		{"ROLE", false, func(s sw) string { return Word(s.GetRole()) }},
		{"RACK", false, func(s sw) string { return text(s.GetRack()) }},
		{"LOOPBACK", false, func(s sw) string { return text(s.GetLoopback()) }},
		{"ASN", false, func(s sw) string { return number(s.GetAsn()) }},
		{"PORTS", false, func(s sw) string { return fmt.Sprint(len(s.GetPorts())) }},
		{"ALIVE", false, func(s sw) string { return yes(s.GetAlive()) }},
		{"AGENT", false, func(s sw) string { return Word(s.GetStatus().GetState()) }},
		{"TROUBLE", false, trouble},
		{"MTU", true, func(s sw) string { return number(s.GetMtu()) }},
		{"PROVISIONING", true, provisioning},
		{"VERSION", true, func(s sw) string { return text(s.GetStatus().GetAgentVersion()) }},
		{"FRR", true, func(s sw) string { return text(s.GetStatus().GetFrrVersion()) }},
		{"OS", true, func(s sw) string { return text(s.GetStatus().GetNetworkOs()) }},
		{capabilitiesColumn, true, func(s sw) string { return capabilities(s.GetStatus().GetCapabilities()) }},
		{"KERNEL", true, func(s sw) string { return text(s.GetStatus().GetKernel()) }},
		{"AGE", true, func(s sw) string { return age(p.Now, s.GetCreateTime()) }},
		{"DESCRIPTION", true, func(s sw) string { return text(s.GetDescription()) }},
	}
}

var portColumns = []column[*apiv1.SwitchPortView]{
	{"PORT", false, (*apiv1.SwitchPortView).GetName},
	{"ROLE", false, func(v *apiv1.SwitchPortView) string { return Word(v.GetRole()) }},
	{"LINK", false, link},
	{"WANTED", false, wanted},
	{"APPLIED", false, applied},
	{"SESSION", false, func(v *apiv1.SwitchPortView) string { return text(v.GetSession().GetState()) }},
	{"NEIGHBOUR", false, neighbours},
	{"CABLING", true, func(v *apiv1.SwitchPortView) string { return text(strings.Join(v.GetFaults(), "; ")) }},
	{"ALLOCATION", true, func(v *apiv1.SwitchPortView) string { return text(v.GetIntent().GetAllocation()) }},
	{"PEER ASN", true, func(v *apiv1.SwitchPortView) string { return number(v.GetIntent().GetPeerAsn()) }},
	{"GENERATION", true, generations},
	{"ERROR", true, func(v *apiv1.SwitchPortView) string { return text(v.GetStatus().GetError()) }},
}

// Switches writes a list of switches. What each can do is too long for a column.
func (p Printer) Switches(r *apiv1.ListSwitchesResponse) error {
	columns := slices.DeleteFunc(p.switchColumns(), func(c column[*apiv1.Switch]) bool { return c.name == capabilitiesColumn })
	return list(p, r, r.GetSwitches(), columns)
}

// Switch writes one switch with its ports.
func (p Printer) Switch(s *apiv1.Switch) error {
	if err := get(p, s, p.switchColumns()); err != nil || p.Structured() || len(s.GetPortViews()) == 0 {
		return err
	}
	fmt.Fprintln(p.Out)
	return writeTable(p.Out, p.Format == Wide, s.GetPortViews(), portColumns)
}

// trouble is what an operator should look at, in one line.
func trouble(s *apiv1.Switch) string {
	st := s.GetStatus()
	var out []string
	if st.GetReason() != "" {
		out = append(out, st.GetReason())
	}
	if n := len(st.GetDrift()); n > 0 {
		out = append(out, fmt.Sprintf("drift: %s", strings.Join(st.GetDrift(), ", ")))
	}
	if st.GetLastError() != "" {
		out = append(out, st.GetLastError())
	}
	for _, v := range s.GetPortViews() {
		out = append(out, v.GetFaults()...)
	}
	return text(strings.Join(out, "; "))
}

// capabilities are what a switch can do, bounds first.
func capabilities(c *apiv1.Capabilities) string {
	if c == nil {
		return none
	}
	out := []string{"any number of VRFs"}
	if c.GetMaxVrfs() > 0 {
		out[0] = fmt.Sprintf("%d VRFs", c.GetMaxVrfs())
	}
	vlans := fmt.Sprintf("VLANs %d-%d", c.GetFirstVlan(), c.GetLastVlan())
	if c.GetFirstReservedVlan() > 0 {
		vlans += fmt.Sprintf(" without %d-%d", c.GetFirstReservedVlan(), c.GetLastReservedVlan())
	}
	out = append(out, vlans, fmt.Sprintf("names of %d", c.GetMaxDeviceName()))
	for _, can := range []struct {
		does bool
		what string
	}{{c.GetNeighbourSuppression(), "neighbour suppression"}, {c.GetPortIsolation(), "port isolation"}} {
		if !can.does {
			can.what = "no " + can.what
		}
		out = append(out, can.what)
	}
	return strings.Join(out, ", ")
}

func provisioning(s *apiv1.Switch) string {
	v := s.GetProvisioning()
	if v.GetVlan() == 0 {
		return none
	}
	return strings.TrimSpace(fmt.Sprintf("vlan %d %s", v.GetVlan(), strings.Join(v.GetAddresses(), ",")))
}

func link(v *apiv1.SwitchPortView) string {
	switch {
	case v.GetStatus() == nil:
		return none
	case v.GetStatus().GetOperUp():
		return "up"
	default:
		return "down"
	}
}

func wanted(v *apiv1.SwitchPortView) string {
	return place(v.GetIntent().GetMode(), v.GetIntent().GetVrf())
}

func applied(v *apiv1.SwitchPortView) string {
	return place(v.GetStatus().GetMode(), v.GetStatus().GetVrf())
}

// place is where a port stands: the VRF if it is in one, else its mode.
func place(mode apiv1.PortMode, vrf string) string {
	if mode == apiv1.PortMode_PORT_MODE_VRF && vrf != "" {
		return vrf
	}
	return Word(mode)
}

func generations(v *apiv1.SwitchPortView) string {
	want, have := v.GetIntent().GetGeneration(), v.GetStatus().GetAppliedGeneration()
	if want == have {
		return number(want)
	}
	return fmt.Sprintf("%s of %s", number(have), number(want))
}

func neighbours(v *apiv1.SwitchPortView) string {
	var out []string
	for _, n := range v.GetDiscovery().GetNeighbours() {
		name := n.GetSystemName()
		if name == "" {
			name = n.GetChassisId()
		}
		out = append(out, name)
	}
	return joined(out)
}
