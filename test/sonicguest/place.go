package sonicguest

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/vishvananda/netlink"
)

// Bridge is the place of a port in a VLAN.
const Bridge = "Bridge"

// Place is where a port is, as the kernel and the ASIC have it: in Bridge, in a VRF, or in neither.
type Place struct{ Kernel, ASIC string }

// Place looks for a port. An ASIC's virtual router is known by the VRF whose SVI is in it: a VRF without one is called by its object.
func (s *Switch) Place(t testing.TB, port string) Place {
	t.Helper()
	return Place{kernelPlace(t, port), s.asicPlace(t, port)}
}

func kernelPlace(t testing.TB, port string) string {
	t.Helper()
	link, err := netlink.LinkByName(port)
	if err != nil {
		t.Fatal(err)
	}
	if link.Attrs().MasterIndex == 0 {
		return ""
	}
	master, err := netlink.LinkByIndex(link.Attrs().MasterIndex)
	if errors.As(err, &netlink.LinkNotFoundError{}) {
		return "" // it has just gone
	}
	if err != nil {
		t.Fatal(err)
	}
	return master.Attrs().Name
}

func (s *Switch) asicPlace(t testing.TB, port string) string {
	t.Helper()
	oid := s.Row(t, "COUNTERS_DB", "COUNTERS_PORT_NAME_MAP")[port]
	if oid == "" {
		return ""
	}
	var places []string
	for _, o := range s.Objects(t, "BRIDGE_PORT") {
		if o["PORT_ID"] == oid {
			places = append(places, Bridge)
		}
	}
	interfaces := s.Objects(t, "ROUTER_INTERFACE")
	for _, o := range interfaces {
		if o["PORT_ID"] == oid {
			places = append(places, s.vrfOf(t, o["VIRTUAL_ROUTER_ID"], interfaces))
		}
	}
	slices.Sort(places)
	return strings.Join(places, " and ")
}

// vrfOf finds the VRF of a virtual router by an SVI in both.
func (s *Switch) vrfOf(t testing.TB, router string, interfaces map[string]map[string]string) string {
	t.Helper()
	vlans := s.Objects(t, "VLAN")
	for _, o := range interfaces {
		if o["VIRTUAL_ROUTER_ID"] == router && o["VLAN_ID"] != "" {
			if vrf := s.Row(t, "STATE_DB", "INTERFACE_TABLE|Vlan"+vlans[o["VLAN_ID"]]["VLAN_ID"])["vrf"]; vrf != "" {
				return vrf
			}
		}
	}
	return router
}

// Objects reads the ASIC's objects of a kind, "BRIDGE_PORT", by their numbers; attributes are named without what all of the kind begin with.
func (s *Switch) Objects(t testing.TB, kind string) map[string]map[string]string {
	t.Helper()
	prefix := "ASIC_STATE:SAI_OBJECT_TYPE_" + kind + ":"
	keys, err := s.DB("ASIC_DB").Keys(t.Context(), prefix+"*").Result()
	if err != nil {
		t.Fatalf("list the ASIC's objects: %v", err)
	}
	rows := make([]*redis.MapStringStringCmd, len(keys))
	if _, err := s.DB("ASIC_DB").Pipelined(t.Context(), func(p redis.Pipeliner) error {
		for i, key := range keys {
			rows[i] = p.HGetAll(t.Context(), key)
		}
		return nil
	}); err != nil {
		t.Fatalf("read the ASIC's objects: %v", err)
	}
	objects := map[string]map[string]string{}
	for i, key := range keys {
		attributes := map[string]string{}
		for name, value := range rows[i].Val() {
			attributes[strings.TrimPrefix(name, "SAI_"+kind+"_ATTR_")] = value
		}
		objects[strings.TrimPrefix(key, prefix)] = attributes
	}
	return objects
}
