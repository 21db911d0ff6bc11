package sonic

import (
	"cmp"
	"maps"
	"slices"
	"strconv"

	"github.com/pointsman/pointsman/agent/internal/plan"
)

// render returns the rows that make a switch what a kernel says, in tables of ours. vtep and nvo are the names of the tunnel and the
// overlay; "" where there are none yet. It is pure: same input, same rows.
func render(k plan.Kernel, vtep, nvo string) rows {
	r := rows{}
	r.renderPorts(k)
	r.renderVLANs(k)
	r.renderVRFs(k)
	r.renderTunnels(k, cmp.Or(vtep, ourVTEP), cmp.Or(nvo, ourNVO))
	return r
}

func (r rows) renderPorts(k plan.Kernel) {
	for name, p := range k.Ports {
		status := "down"
		if p.Up {
			status = "up"
		}
		r[Key{Table: tablePort, Name: name}] = Row{"admin_status": status, "mtu": strconv.Itoa(p.MTU)}
		switch {
		case p.Master == plan.BridgeName:
			for _, m := range p.VLANs {
				mode := "tagged"
				if m.PVID && m.Untagged {
					mode = "untagged"
				}
				r[Key{Table: tableMember, Name: plan.SVIName(m.VLAN), Sub: name}] = Row{"tagging_mode": mode}
			}
		case p.Master != "":
			r[Key{Table: tableInterface, Name: name}] = Row{"vrf_name": vrfRow(p.Master), linkLocalOnly: "enable"}
		case p.Up:
			r[Key{Table: tableInterface, Name: name}] = Row{linkLocalOnly: "enable"}
		}
	}
}

func (r rows) renderVLANs(k plan.Kernel) {
	if k.Bridge != nil {
		for _, vlan := range k.Bridge.VLANs {
			row := Row{"vlanid": strconv.Itoa(int(vlan)), "admin_status": "up", "description": mark}
			if svi, ok := k.SVIs[vlan]; ok && svi.MTU != 0 {
				row["mtu"] = strconv.Itoa(svi.MTU)
			}
			r[Key{Table: tableVLAN, Name: plan.SVIName(vlan)}] = row
		}
	}
	for vlan, svi := range k.SVIs {
		r[Key{Table: tableVLANInterface, Name: plan.SVIName(vlan)}] = Row{"vrf_name": vrfRow(svi.VRF)}
		for _, p := range svi.Addresses {
			r[Key{Table: tableVLANInterface, Name: plan.SVIName(vlan), Sub: p.String()}] = Row{}
		}
	}
}

func (r rows) renderVRFs(k plan.Kernel) {
	for name := range k.VRFs {
		r[Key{Table: tableVRF, Name: vrfRow(name)}] = Row{}
	}
	for vni, vxlan := range k.VNIs {
		for _, m := range vxlan.VLANs {
			svi, ok := k.SVIs[m.VLAN]
			if _, there := r[Key{Table: tableVRF, Name: vrfRow(svi.VRF)}]; ok && there && m.PVID {
				r[Key{Table: tableVRF, Name: vrfRow(svi.VRF)}] = Row{"vni": strconv.Itoa(int(vni))}
			}
		}
	}
}

func (r rows) renderTunnels(k plan.Kernel, vtep, nvo string) {
	for _, vni := range slices.Sorted(maps.Keys(k.VNIs)) {
		v := k.VNIs[vni]
		r[Key{Table: tableTunnel, Name: vtep}] = Row{"src_ip": v.Local.String()}
		r[Key{Table: tableNVO, Name: nvo}] = Row{"source_vtep": vtep}
		for _, m := range v.VLANs {
			if !m.PVID {
				continue
			}
			row := Row{"vni": strconv.Itoa(int(vni)), "vlan": plan.SVIName(m.VLAN)}
			r[Key{Table: tableTunnelMap, Name: vtep, Sub: mapName(row["vni"], row["vlan"])}] = row
		}
	}
}
