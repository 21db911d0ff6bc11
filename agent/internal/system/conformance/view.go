package conformance

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/pointsman/pointsman/agent/internal/plan"
	"github.com/pointsman/pointsman/pkg/frr"
	"github.com/pointsman/pointsman/pkg/netmodel"
)

// View is a switch as others see it.
type View struct {
	Ports map[string]Port
	// VRFs and VNIs are those of tenants and of provisioning that exist.
	VRFs map[string]bool
	VNIs map[netmodel.VNI]bool
	// Neighbours are the VRFs that FRR has BGP neighbours in, by port; "" is the default one.
	Neighbours map[string]string
}

// Port is a front-panel port.
type Port struct {
	Up  bool // as the administrator wants it
	MTU int
	// Master is the VRF that it is in, or plan.BridgeName.
	Master string
	// VLAN is the one that untagged frames belong to, of a bridge port.
	VLAN     uint16
	Isolated bool
}

// ipLink is what of `ip -j -d link` is looked at.
type ipLink struct {
	Name     string   `json:"ifname"`
	Flags    []string `json:"flags"`
	MTU      int      `json:"mtu"`
	Master   string   `json:"master"`
	LinkInfo struct {
		Kind string `json:"info_kind"`
		Data struct {
			VNI netmodel.VNI `json:"id"`
		} `json:"info_data"`
		Slave struct {
			Isolated bool `json:"isolated"`
		} `json:"info_slave_data"`
	} `json:"linkinfo"`
}

// bridgeVLAN is what of `bridge -j vlan` is looked at.
type bridgeVLAN struct {
	Name  string `json:"ifname"`
	VLANs []struct {
		VLAN  uint16   `json:"vlan"`
		Flags []string `json:"flags"`
	} `json:"vlans"`
}

// KernelView is the view that iproute2 and FRR have of a switch: the outputs of `ip -j -d link`, `bridge -j vlan` and
// `show running-config`. isPort tells which devices are front-panel ports.
func KernelView(links, vlans, running string, isPort func(name string) bool) (View, error) {
	v := View{Ports: map[string]Port{}, VRFs: map[string]bool{}, VNIs: map[netmodel.VNI]bool{}}
	var ls []ipLink
	if err := json.Unmarshal([]byte(links), &ls); err != nil {
		return v, fmt.Errorf("read links: %w", err)
	}
	for _, l := range ls {
		switch {
		case l.LinkInfo.Kind == "vrf" && frr.OwnsVRF(l.Name):
			v.VRFs[l.Name] = true
		case l.LinkInfo.Kind == "vxlan" && l.Master == plan.BridgeName:
			v.VNIs[l.LinkInfo.Data.VNI] = true
		case isPort(l.Name):
			v.Ports[l.Name] = Port{Up: has(l.Flags, "UP"), MTU: l.MTU, Master: l.Master, Isolated: l.LinkInfo.Slave.Isolated}
		}
	}
	var bs []bridgeVLAN
	if err := json.Unmarshal([]byte(vlans), &bs); err != nil {
		return v, fmt.Errorf("read VLANs: %w", err)
	}
	for _, b := range bs {
		port, ok := v.Ports[b.Name]
		for _, m := range b.VLANs {
			if ok && has(m.Flags, "PVID") && has(m.Flags, "Egress Untagged") {
				port.VLAN = m.VLAN
				v.Ports[b.Name] = port
			}
		}
	}
	var err error
	v.Neighbours, err = Neighbours(running)
	return v, err
}

func has(flags []string, flag string) bool {
	for _, f := range flags {
		if f == flag {
			return true
		}
	}
	return false
}

// Neighbours returns the BGP neighbours on ports in a running configuration, and the VRFs that they are in.
func Neighbours(running string) (map[string]string, error) {
	config, err := frr.Parse(running)
	if err != nil {
		return nil, fmt.Errorf("read FRR's configuration: %w", err)
	}
	out := map[string]string{}
	for _, instance := range config.Lines {
		if !strings.HasPrefix(instance.Text, "router bgp ") {
			continue
		}
		_, vrf, _ := strings.Cut(instance.Text, " vrf ")
		for _, l := range instance.Lines {
			if port, rest, ok := strings.Cut(strings.TrimPrefix(l.Text, "neighbor "), " "); ok && strings.HasPrefix(rest, "interface ") {
				out[port] = vrf
			}
		}
	}
	return out, nil
}
