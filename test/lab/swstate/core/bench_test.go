package core

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"
)

// bench is a switch on a table: its delays are what a test says, its time is moved by hand.
type bench struct {
	*testing.T
	sw      *Switch
	now     time.Time
	delays  map[string]time.Duration // by daemon and table, "orchagent INTF_TABLE"; 1 ms where nothing is said
	effects []string
	died    string
}

const testMAC = "02:02:00:01:00:00"

// newBench starts a switch of some ports, with VLAN 100 and the VRFs A and B of VNIs 1001 and 1002, and lets it come up.
func newBench(t *testing.T, ports int, more ...Key) *bench {
	t.Helper()
	b := &bench{T: t, now: time.Unix(0, 0), delays: map[string]time.Duration{}}
	b.start(testConfig(ports))
	for _, key := range more {
		b.set(key, nil)
	}
	b.run(10 * time.Second)
	return b
}

func testConfig(ports int) map[Key]Fields {
	config := map[Key]Fields{
		row("DEVICE_METADATA|localhost"): {"mac": testMAC},
		row("VLAN|Vlan100"):              {"vlanid": "100"},
		row("VXLAN_TUNNEL|vtep"):         {"src_ip": "10.255.1.1"},
		row("VXLAN_EVPN_NVO|nvo"):        {"source_vtep": "vtep"},
		row("VRF|VrfA"):                  {"vni": "1001"},
		row("VRF|VrfB"):                  {"vni": "1002"},
	}
	for i := range ports {
		config[Key{DB: Config, Table: "PORT", Name: portName(i)}] = Fields{"lanes": fmt.Sprint(4 * i), "admin_status": "up", "mtu": "9100", "speed": "25000"}
	}
	return config
}

func portName(i int) string { return fmt.Sprintf("Ethernet%d", 4*i) }

func (b *bench) start(config map[Key]Fields) {
	b.sw = New(b.now, config, Options{Delay: func(daemon, table string) time.Duration {
		if d, ok := b.delays[daemon+" "+table]; ok {
			return d
		}
		return time.Millisecond
	}})
	for key := range config {
		if key.Table == "PORT" {
			b.sw.SetLink(b.now, key.Name, Link{MTU: 1500})
		}
	}
}

// row is a key of CONFIG_DB as people write it.
func row(text string) Key {
	parts := append(strings.Split(text, "|"), "", "")
	return Key{Config, parts[0], parts[1], parts[2]}
}

func (b *bench) set(key Key, fields Fields) {
	if len(fields) == 0 {
		fields = empty
	}
	b.sw.Configure(b.now, key, false, b.sw.Row(key).merge(fields))
}

func (b *bench) del(key Key) { b.sw.Configure(b.now, key, true, nil) }

// replace deletes a row and writes it anew in one transaction: both events find the new row.
func (b *bench) replace(key Key, fields Fields) {
	b.sw.Configure(b.now, key, true, fields)
	b.sw.Configure(b.now, key, false, fields)
}

func (b *bench) run(d time.Duration) {
	b.now = b.now.Add(d)
	b.sw.Advance(b.now)
	for _, e := range b.sw.Effects() {
		b.effects = append(b.effects, e.String())
		if died, ok := e.(Died); ok {
			b.died = died.Daemon
		}
	}
}

// until runs until a condition holds.
func (b *bench) until(what string, holds func() bool) {
	b.Helper()
	for deadline := b.now.Add(time.Minute); !holds(); b.run(time.Millisecond) {
		if b.now.After(deadline) || b.died != "" {
			b.Fatalf("%s: not within a minute (died: %q)\n%s", what, b.died, strings.Join(b.effects, "\n"))
		}
	}
}

// place tells where a port is: as the kernel, the ASIC and STATE_DB have it.
type place struct{ Kernel, ASIC, State string }

func (b *bench) place(port string) place {
	p := place{Kernel: b.sw.Master(port), State: b.sw.Row(state("INTERFACE_TABLE", port))["vrf"]}
	if r, ok := b.sw.asic.rifs[port]; ok {
		p.ASIC = r.vrf
	}
	if b.sw.asic.bridgePorts[port] != "" {
		p.ASIC += bridge
	}
	if b.sw.has(Key{State, "VLAN_MEMBER_TABLE", "Vlan100", port}) {
		p.State += "Vlan100"
	}
	return p
}

// asicRefers tells whether an object of a kind has the port's object as its PORT_ID, found as an agent does: in the rows.
func (b *bench) asicRefers(kind, port string) bool {
	oid := b.sw.Row(Key{DB: Counters, Table: "COUNTERS_PORT_NAME_MAP"})[port]
	for key, fields := range b.sw.rows {
		if key.DB == Asic && key.Name == "SAI_OBJECT_TYPE_"+kind && fields["SAI_"+kind+"_ATTR_PORT_ID"] == oid {
			return true
		}
	}
	return false
}

func (b *bench) logged(text string) bool {
	for _, e := range b.effects {
		if strings.Contains(e, text) {
			return true
		}
	}
	return false
}

// snapshot is the world by rows, but for object numbers.
func (b *bench) snapshot() map[Key]Fields { return maps.Clone(b.sw.rows) }
