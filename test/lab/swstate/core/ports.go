package core

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"
)

// Link is the device of a front-panel port.
type Link struct {
	Up     bool // as the administrator wants it
	OperUp bool
	MTU    int
}

// portsyncd brings PORT's rows to orchagent at start, and the devices' state to STATE_DB. (portsyncd/portsyncd.cpp, linksync.cpp.)
type portsyncd struct{ initDone bool }

func (s *Switch) startPortsyncd() {
	keys := s.keys(Config, "PORT")
	for _, key := range keys {
		s.produce("PORT_TABLE", key.Name, "", s.rows[key])
	}
	s.setRow(Key{DB: Appl, Table: "PORT_TABLE", Name: "PortConfigDone"}, Fields{"count": strconv.Itoa(len(keys))})
	s.finishInit() // of a switch without ports
}

// SetLink tells of a front-panel port's device: that it is there, or how it is.
func (s *Switch) SetLink(now time.Time, name string, l Link) {
	s.Advance(now)
	_, was := s.kernel.links[name]
	s.kernel.links[name] = l
	s.syncLink(name)
	if !was && s.asic.ports[name] != "" {
		s.returned(name)
	}
}

// DeleteLink tells that a front-panel port's device is gone.
func (s *Switch) DeleteLink(now time.Time, name string) {
	s.Advance(now)
	delete(s.kernel.links, name)
	s.deleteRow(state("PORT_TABLE", name))
}

// syncLink writes what is to be known of a device whose port orchagent has made.
func (s *Switch) syncLink(name string) {
	l, there := s.kernel.links[name]
	if !there || s.asic.ports[name] == "" {
		return
	}
	s.setRow(state("PORT_TABLE", name), Fields{
		"state": "ok", "admin_status": upDown(l.Up), "mtu": strconv.Itoa(l.MTU), "netdev_oper_status": upDown(l.OperUp), "host_tx_ready": strconv.FormatBool(l.Up),
	})
	// The port's own state is orchagent's; where a veth is the port, both are one.
	s.setRow(Key{DB: Appl, Table: "PORT_TABLE", Name: name}, Fields{"oper_status": upDown(l.OperUp)})
}

// returned gives a device that comes back what its rows say: the kernel forgot it with the device.
func (s *Switch) returned(name string) {
	master, members := s.kernel.masters[name], s.kernel.members[name]
	delete(s.kernel.masters, name)
	delete(s.kernel.members, name)
	if master != "" && master != bridge {
		s.setMaster(name, master)
	}
	for _, vlan := range slices.Sorted(maps.Keys(members)) {
		s.joinVLAN(name, vlan, members[vlan])
	}
	for _, prefix := range slices.Sorted(maps.Keys(s.kernel.addresses[name])) {
		s.effect(Address{Device: name, Prefix: prefix})
	}
	row := s.rows[Key{DB: Appl, Table: "PORT_TABLE", Name: name}]
	if mtu, err := strconv.Atoi(row["mtu"]); err == nil {
		s.effect(SetMTU{name, mtu})
	}
	s.effect(SetUp{name, row["admin_status"] == "up"})
}

// portmgrd carries PORT's rows into the kernel and to orchagent. (cfgmgr/portmgr.cpp.)
type portmgrd struct{ configured map[string]bool }

const (
	minMTU, maxMTU     = 68, 9216
	defaultMTU         = "9100"
	defaultAdminStatus = "down"
)

func (s *Switch) startPortmgrd() {
	s.configured = map[string]bool{}
	s.subscribe(s.daemon("portmgrd"), Config, "PORT", s.port)
}

func (s *Switch) port(t *task) bool {
	name := t.key.Name
	if t.delete {
		s.unproduce("PORT_TABLE", name, "")
		delete(s.configured, name)
		return true
	}
	ready := s.has(state("PORT_TABLE", name))
	if !s.configured[name] {
		s.configured[name] = true
		t.fields = Fields{"mtu": defaultMTU, "admin_status": defaultAdminStatus}.merge(t.fields)
	} else if !ready {
		return false
	}
	if !ready {
		s.produce("PORT_TABLE", name, "", t.fields)
		t.fields = Fields{"mtu": t.fields["mtu"], "admin_status": t.fields["admin_status"]} // the kernel's part, once the device is there
		return false
	}
	if mtu, ok := t.fields["mtu"]; ok {
		n, err := strconv.Atoi(mtu)
		if err != nil || n < minMTU || n > maxMTU {
			s.die("portmgrd", fmt.Sprintf("ip link set dev %s mtu %s: mtu outside %d..%d", name, mtu, minMTU, maxMTU))
			return false
		}
		s.effect(SetMTU{name, n})
	}
	if status, ok := t.fields["admin_status"]; ok {
		s.effect(SetUp{name, status == "up"})
	}
	s.produce("PORT_TABLE", name, "", t.fields)
	return true
}
