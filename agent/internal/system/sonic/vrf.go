package sonic

import (
	"context"
	"fmt"
	"strconv"

	"github.com/pointsman/pointsman/agent/internal/plan"
	"github.com/pointsman/pointsman/pkg/netmodel"
)

// addVRF makes a VRF with its VNI in one row: what is added to it later may be dropped. The tunnel's end and the overlay come first,
// or the VRF would have no object. It waits for the kernel's device; the object is waited for by who first needs it.
func (e *executor) addVRF(name string) error {
	if name == provisionVRF {
		return fmt.Errorf("VRF name %q is that of the provisioning VRF on SONiC", name)
	}
	row := Row{}
	vni := e.vniOf(name)
	if vni != 0 {
		row["vni"] = strconv.Itoa(int(vni))
		if _, err := e.ensureVTEP(); err != nil {
			return err
		}
	}
	key := Key{Table: tableVRF, Name: vrfRow(name)}
	if now, there := e.snapshot()[key]; there && vni != 0 && now.number("vni") != 0 && netmodel.VNI(now.number("vni")) != vni {
		if err := e.deleteVRF(name); err != nil {
			return err
		}
	}
	if err := e.put(key, row); err != nil {
		return err
	}
	return e.await(func(context.Context) (string, error) {
		if _, exists, err := e.Device(name); err != nil || !exists {
			return "there is no device " + key.Name, err
		}
		return "", nil
	})
}

// awaitObject waits until orchagent has a VRF's object.
func (e *executor) awaitObject(vrf string) error {
	return e.await(func(ctx context.Context) (string, error) {
		if _, there, err := e.stateRow(ctx, Key{Table: stateVRFObject, Name: vrf}); err != nil || !there {
			return fmt.Sprintf("%s has no %s|%s: orchagent has made no object for the VRF", stateDB, stateVRFObject, vrf), err
		}
		return "", nil
	})
}

// mendVRF brings up a VRF that is there and not whole: its device is down or was deleted, it has no object, or its VNI was changed in
// place.
func (e *executor) mendVRF(o plan.SetUp) error {
	if !o.Up {
		return e.plainly(o)
	}
	key := Key{Table: tableVRF, Name: vrfRow(o.Device)}
	row := e.snapshot()[key]
	_, exists, err := e.Device(o.Device)
	if err != nil {
		return err
	}
	if err := e.giveVNI(o.Device); err != nil {
		return err
	}
	if vni := e.vniOf(o.Device); !exists || vni != 0 && row.number("vni") != 0 && netmodel.VNI(row.number("vni")) != vni {
		if err := e.deleteVRF(o.Device); err != nil { // its ports and its VLAN come back in the next round
			return err
		}
		return e.addVRF(o.Device)
	}
	if row["vni"] != "" {
		if _, err := e.ensureVTEP(); err != nil {
			return err
		}
	}
	if err := e.awaitObject(key.Name); err != nil {
		return err
	}
	return e.plainly(o)
}

// deleteVRF deletes a VRF, and first takes out whoever is still in it by a row.
func (e *executor) deleteVRF(name string) error {
	key := Key{Table: tableVRF, Name: vrfRow(name)}
	if e.has(key) && !e.snapshot().ownsVRF(key.Name) {
		return fmt.Errorf("%s belongs to somebody else", key)
	}
	if err := e.vacate(key.Name); err != nil {
		return err
	}
	if err := e.disentangle(key); err != nil {
		return err
	}
	if err := e.restoreVRF(name); err != nil {
		return err
	}
	if err := e.drop(key); err != nil {
		return err
	}
	return e.await(func(ctx context.Context) (string, error) {
		if missing, err := e.forgotten(ctx, Key{Table: stateVRFObject, Name: key.Name}); err != nil || missing != "" {
			return missing, err
		}
		if _, exists, err := e.Device(name); err != nil || exists {
			return "there still is a device " + key.Name, err
		}
		return "", nil
	})
}

// giveVNI gives a VRF that has none the VNI that its VLAN is mapped to: it was made by an agent that did not live to map it. The first
// VNI of a VRF is taken in place, another is not.
func (e *executor) giveVNI(name string) error {
	key := Key{Table: tableVRF, Name: vrfRow(name)}
	vni := mappedVNI(e.snapshot(), key.Name)
	if row, there := e.snapshot()[key]; !there || vni == 0 || row.number("vni") != 0 {
		return nil
	}
	if _, err := e.ensureVTEP(); err != nil {
		return err
	}
	return e.put(key, Row{"vni": strconv.Itoa(int(vni))})
}

func (e *executor) vacate(vrf string) error {
	config := e.snapshot()
	for _, k := range config.where(tableInterface, "vrf_name", vrf) {
		if err := e.leaveRouting(k.Name); err != nil {
			return err
		}
	}
	for _, k := range config.where(tableVLANInterface, "vrf_name", vrf) {
		if err := e.leaveVRF(k.Name); err != nil {
			return err
		}
	}
	return nil
}

// disentangle gives an object to a VRF that got none for its VNI: vrfmgrd never finishes the deletion of a VRF without one.
func (e *executor) disentangle(key Key) error {
	row, there := e.snapshot()[key]
	_, object, err := e.stateRow(e.ctx, Key{Table: stateVRFObject, Name: key.Name})
	if err != nil || !there || object || row["vni"] == "" {
		return err
	}
	db := e.dbs[configDB]
	name := key.join(db.separator)
	if err := db.client.HSet(e.ctx, name, Row{}.stored()).Err(); err != nil {
		return db.failed("write "+name, err)
	}
	if err := db.client.HDel(e.ctx, name, "vni").Err(); err != nil {
		return db.failed("write "+name, err)
	}
	return e.awaitObject(key.Name)
}

// addUnreachable ends the VRF's table, whichever vrfmgrd chose.
func (e *executor) addUnreachable(o plan.AddUnreachable) error {
	table, err := e.Table(o.VRF)
	if err != nil {
		return fmt.Errorf("read the table of VRF %q: %w", o.VRF, err)
	}
	o.Route.Table = table
	return e.plainly(o)
}
