package plan_test

import (
	"strings"
	"testing"

	"github.com/pointsman/pointsman/agent/internal/plan"
	"github.com/pointsman/pointsman/pkg/netmodel"
)

// What a switch cannot do is refused with the reason, and it is the newcomer's problem.
func TestCapabilities(t *testing.T) {
	old, newcomer := tenantPort("swp4", 104001, 4), tenantPort("swp1", 104002, 1)
	for name, tt := range map[string]struct {
		change func(*plan.Capabilities)
		want   string // problem of swp1, "" if there is none
	}{
		"as Linux":              {func(*plan.Capabilities) {}, ""},
		"room for three VRFs":   {func(c *plan.Capabilities) { c.MaxVRFs = 3 }, ""},
		"room for two VRFs":     {func(c *plan.Capabilities) { c.MaxVRFs = 2 }, `VRF "Vrf104002" does not fit: the switch has 2 already`},
		"two VLANs for VNIs":    {func(c *plan.Capabilities) { c.LastVLAN = 1001 }, ""},
		"one VLAN for VNIs":     {func(c *plan.Capabilities) { c.LastVLAN = 1000 }, `VNI of VRF "Vrf104002" gets no VLAN: all of 1000-1000 are used`},
		"VLANs kept from 1002":  {func(c *plan.Capabilities) { c.FirstReservedVLAN, c.LastReservedVLAN = 1002, 4000 }, ""},
		"VLANs kept from 1001":  {func(c *plan.Capabilities) { c.FirstReservedVLAN, c.LastReservedVLAN = 1001, 4000 }, "all of 1000-1000 are used"},
		"VLANs kept up to 3998": {func(c *plan.Capabilities) { c.FirstReservedVLAN, c.LastReservedVLAN = 900, 3998 }, "all of 3999-3999 are used"},
		"another form of name":  {func(c *plan.Capabilities) { c.VRFName = "^Vrf104001$" }, `VRF name "Vrf104002" is not of the form ^Vrf104001$`},
	} {
		t.Run(name, func(t *testing.T) {
			facts := leafFacts()
			facts.Assigned.VNIs = map[string]netmodel.VNI{"Vrf104001": 104001}
			facts.Capabilities = plan.LinuxCapabilities
			tt.change(&facts.Capabilities)
			want, _, problems, err := plan.Desired(with(leafIntent(), old, newcomer), facts)
			if err != nil {
				t.Fatal(err)
			}
			if want.Kernel.Ports["swp4"].Master != "Vrf104001" {
				t.Errorf("swp4, whose VRF was there, is %+v", want.Kernel.Ports["swp4"])
			}
			if tt.want == "" && len(problems) == 0 {
				return
			}
			if len(problems) != 1 || problems[0].Port != "swp1" || tt.want == "" || !strings.Contains(problems[0].Error(), tt.want) {
				t.Errorf("problems %v, want one of swp1: %q", problems, tt.want)
			}
		})
	}
}

func TestWhatASwitchCannotIsNotAsked(t *testing.T) {
	facts := leafFacts()
	facts.Capabilities = plan.LinuxCapabilities
	facts.Capabilities.NeighbourSuppression, facts.Capabilities.PortIsolation = false, false
	want, _, _, err := plan.Desired(with(leafIntent(), tenantPort("swp1", 104001, 1)), facts)
	if err != nil {
		t.Fatal(err)
	}
	if want.Kernel.VNIs[104001].NeighSuppress || want.Kernel.Ports["swp2"].Isolated {
		t.Errorf("asked for %+v, %+v", want.Kernel.VNIs[104001], want.Kernel.Ports["swp2"])
	}
	facts.Capabilities.MaxDeviceName = 3
	if _, _, problems, _ := plan.Desired(leafIntent(), facts); len(problems) == 0 || !strings.Contains(problems[0].Error(), "longer than the 3 characters") {
		t.Errorf("problems %v", problems)
	}
}

// A provisioning VLAN that the switch keeps for itself makes no sense.
func TestReservedProvisioningVLAN(t *testing.T) {
	facts := leafFacts()
	facts.Capabilities = plan.LinuxCapabilities
	facts.Capabilities.FirstReservedVLAN, facts.Capabilities.LastReservedVLAN = 15, 25
	if _, _, _, err := plan.Desired(leafIntent(), facts); err == nil || !strings.Contains(err.Error(), "one of 15-25") {
		t.Errorf("error %v", err)
	}
}

// A switch that must be left alone is: nothing is wanted of it, and the reason is said.
func TestRefusal(t *testing.T) {
	facts := leafFacts()
	facts.Refusal = "somebody else configures it"
	if _, _, _, err := plan.Desired(leafIntent(), facts); err == nil || !strings.Contains(err.Error(), facts.Refusal) {
		t.Errorf("error %v", err)
	}
}
