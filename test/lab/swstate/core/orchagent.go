package core

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// orchagent carries APPL_DB into the ASIC. What fails in the ASIC ends it. Its files: this one has the ports, orchvlan.go VLANs and their
// members, orchintf.go router interfaces, orchvrf.go VRFs and VNIs, orchvxlan.go tunnels. (orchagent/orchdaemon.cpp has the order of tables.)
type orchagent struct {
	vrfVNIs    map[string]int // of VRFs that are complete
	evpnVTEP   string
	tunnelVNIs map[string]int // by VLAN
}

func (s *Switch) startOrchagent() {
	s.orchagent = orchagent{vrfVNIs: map[string]int{}, tunnelVNIs: map[string]int{}}
	s.startASIC()
	d := s.daemon("orchagent")
	s.subscribe(d, Appl, "PORT_TABLE", s.orchPort)
	for _, c := range []struct {
		table  string
		handle handler
	}{
		{"VLAN_TABLE", s.orchVLAN},
		{"VLAN_MEMBER_TABLE", s.orchVLANMember},
		{"INTF_TABLE", s.orchIntf},
		{"VRF_TABLE", s.orchVRF},
		{"VXLAN_TUNNEL_TABLE", s.orchTunnel},
		{"VXLAN_EVPN_NVO_TABLE", s.orchNVO},
		{"VXLAN_TUNNEL_MAP_TABLE", s.orchTunnelMap},
	} {
		s.subscribe(d, Appl, c.table, func(t *task) bool {
			return s.initDone && c.handle(t) // nothing is done before the ports are there
		})
	}
}

// orchPort makes a port, and sets what a port can be set. (orchagent/portsorch.cpp, doPortTask.)
func (s *Switch) orchPort(t *task) bool {
	name := t.key.Name
	oid, there := s.asic.ports[name]
	if t.delete {
		if there && (s.asic.bridgePorts[name] != "" || s.asic.rifs[name].oid != "") {
			return false
		}
		if there {
			s.removeObject("PORT", oid)
			delete(s.asic.ports, name)
			s.deleteRow(state("PORT_TABLE", name))
		}
		return true
	}
	if !there {
		oid = s.object("PORT", portLanes(t.fields))
		s.asic.ports[name] = oid
		s.setRow(Key{DB: Counters, Table: "COUNTERS_PORT_NAME_MAP"}, Fields{name: oid})
		s.syncLink(name)
	}
	if attributes := portAttributes(t.fields); len(attributes) > 0 {
		s.setAttributes("PORT", oid, attributes)
	}
	if r, ok := s.asic.rifs[name]; ok && t.fields["mtu"] != "" {
		s.setAttributes("ROUTER_INTERFACE", r.oid, Fields{"MTU": t.fields["mtu"]})
	}
	s.finishInit()
	return true
}

func portLanes(fields Fields) Fields {
	lanes := strings.Split(fields["lanes"], ",")
	return Fields{"HW_LANE_LIST": strconv.Itoa(len(lanes)) + ":" + fields["lanes"]}
}

func portAttributes(fields Fields) Fields {
	attributes := Fields{}
	if mtu, err := strconv.Atoi(fields["mtu"]); err == nil {
		attributes["MTU"] = strconv.Itoa(mtu + 22) // the Ethernet header, a VLAN tag and the check sum besides
	}
	if status, ok := fields["admin_status"]; ok {
		attributes["ADMIN_STATE"] = strconv.FormatBool(status == "up")
	}
	if speed, ok := fields["speed"]; ok {
		attributes["SPEED"] = speed
	}
	return attributes
}

// finishInit says that the ports are there, once each of CONFIG_DB's is.
func (s *Switch) finishInit() {
	ports := s.keys(Config, "PORT")
	made := slices.Sorted(maps.Keys(s.asic.ports))
	if s.initDone || slices.ContainsFunc(ports, func(k Key) bool { return !slices.Contains(made, k.Name) }) {
		return
	}
	s.initDone = true
	s.setRow(Key{DB: Appl, Table: "PORT_TABLE", Name: "PortInitDone"}, Fields{"lanes": "0"})
}
