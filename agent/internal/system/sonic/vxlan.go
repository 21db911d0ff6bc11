package sonic

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/pointsman/pointsman/agent/internal/plan"
	"github.com/pointsman/pointsman/pkg/netmodel"
)

// ensureVTEP makes sure that the switch has the tunnel's end and the overlay, and returns the tunnel's name. SONiC takes one of each:
// one that is there already is used, if it begins at our address. They stay when the last VNI goes.
func (e *executor) ensureVTEP() (string, error) {
	e.vtepMu.Lock()
	defer e.vtepMu.Unlock()
	config := e.snapshot()
	name := ourVTEP
	tunnels := config.of(tableTunnel)
	if len(tunnels) > 0 {
		name = tunnels[0].Name
	}
	switch local := e.aims.local; {
	case len(tunnels) == 0 && local == "":
		return "", fmt.Errorf("there is no row of %s, and no VNI says where it begins", tableTunnel)
	case len(tunnels) == 0:
		if err := e.put(Key{Table: tableTunnel, Name: name}, Row{"src_ip": local}); err != nil {
			return "", err
		}
	case local != "" && config[tunnels[0]]["src_ip"] != local:
		return "", fmt.Errorf("%s: src_ip is %s, must be %s: SONiC has one tunnel, and it cannot move while VNIs use it; delete its rows of %s, %s and itself",
			tunnels[0], config[tunnels[0]]["src_ip"], local, tableTunnelMap, tableNVO)
	}
	overlays := config.of(tableNVO)
	if len(overlays) == 0 {
		return name, e.put(Key{Table: tableNVO, Name: ourNVO}, Row{"source_vtep": name})
	}
	if source := config[overlays[0]]["source_vtep"]; source != name {
		return "", fmt.Errorf("%s: source_vtep is %q, must be %q", overlays[0], source, name)
	}
	return name, nil
}

// addVNI maps a VNI to its VLAN. Where it was mapped to another, that has to be gone first: replaced at once, it would be dropped.
func (e *executor) addVNI(vni netmodel.VNI, want plan.VXLAN) error {
	vlan := e.aims.vniVLAN[vni]
	vtep, err := e.ensureVTEP()
	if err != nil {
		return err
	}
	row := Row{"vni": strconv.Itoa(int(vni)), "vlan": plan.SVIName(vlan)}
	key := Key{Table: tableTunnelMap, Name: vtep, Sub: mapName(row["vni"], row["vlan"])}
	if was := e.snapshot().where(tableTunnelMap, "vni", row["vni"]); len(was) > 0 && !slices.Contains(was, key) {
		if err := e.deleteVNI(vni); err != nil {
			return err
		}
	}
	if err := e.put(key, row); err != nil {
		return err
	}
	e.names.set(vni, tunnelDevice(vtep, vlan))
	name := plan.VNIName(vni)
	if err := e.await(func(context.Context) (string, error) {
		device, exists, err := e.Device(name)
		switch {
		case err != nil:
			return "", err
		case !exists:
			return "there is no device " + tunnelDevice(vtep, vlan), nil
		case netmodel.VNI(device.VNI) != vni, device.Master != plan.BridgeName:
			return fmt.Sprintf("%s has VNI %d and is in %q", tunnelDevice(vtep, vlan), device.VNI, device.Master), nil
		}
		return "", nil
	}); err != nil {
		return err
	}
	if err := e.giveVNI(e.vrfOfVLAN(vlan)); err != nil {
		return err
	}
	return e.finishVNI(name, want)
}

// finishVNI sets what SONiC has no rows for.
func (e *executor) finishVNI(name string, want plan.VXLAN) error {
	ops := []plan.Op{
		plan.SetMTU{Device: name, MTU: want.MTU}, plan.SetLinkLocal{Device: name, On: want.LinkLocal},
		plan.SetBridgePort{Device: name, Flag: plan.PortLearning, On: want.PortLearning},
		plan.SetBridgePort{Device: name, Flag: plan.NeighSuppress, On: want.NeighSuppress},
	}
	for _, m := range want.VLANs {
		ops = append(ops, plan.AddMember{Device: name, Member: m})
	}
	for _, op := range append(ops, plan.SetUp{Device: name, Up: true}) {
		if err := e.plainly(op); err != nil {
			return err
		}
	}
	return nil
}

func (e *executor) deleteVNI(vni netmodel.VNI) error {
	text := strconv.Itoa(int(vni))
	for _, k := range e.snapshot().where(tableTunnelMap, "vni", text) {
		if err := e.dropMap(k, text); err != nil {
			return err
		}
	}
	return nil
}

// dropMap deletes the map of a VNI, and waits until device and ASIC have let go of it.
func (e *executor) dropMap(key Key, vni string) error {
	row := e.snapshot()[key]
	vlan, _ := vlanOf(row["vlan"])
	if err := e.drop(key); err != nil {
		return err
	}
	device := tunnelDevice(key.Name, vlan)
	return e.await(func(ctx context.Context) (string, error) {
		if _, exists, err := e.Device(device); err != nil || exists {
			return "there still is a device " + device, err
		}
		if mapped, err := e.asic.hasMap(ctx, vni); err != nil || mapped {
			return fmt.Sprintf("%s still maps VNI %s", asicDB, vni), err
		}
		return "", nil
	})
}
