package sonic

import (
	"context"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"

	"github.com/pointsman/pointsman/agent/internal/plan"
)

// A port leaves its old place, and is out of it in the ASIC, before it is told of the new one. Waiting for STATE_DB is not enough:
// orchagent, and with it the data plane, dies of a router interface on a port that the ASIC still bridges.

// movePort takes a port out of where it is, and into a VRF. Into the bridge it comes with its VLAN.
func (e *executor) movePort(o plan.SetMaster) error {
	if err := e.reread(); err != nil {
		return err
	}
	if err := e.leaveVLANs(o.Device); err != nil {
		return err
	}
	if o.To == "" || o.To == plan.BridgeName {
		return e.leaveRouting(o.Device)
	}
	return e.enterRouting(o.Device, vrfRow(o.To))
}

// leaveVLANs ends all memberships of a port, and waits until the ASIC does not bridge it.
func (e *executor) leaveVLANs(port string) error {
	members := e.snapshot().memberships(port)
	var acks []Key
	for _, k := range members {
		if err := e.restoreMember(k); err != nil {
			return err
		}
		ack, _ := stateOf(k)
		acks = append(acks, ack)
	}
	if err := e.drop(members...); err != nil {
		return err
	}
	return e.await(func(ctx context.Context) (string, error) {
		if missing, err := e.unbridged(ctx, port); missing != "" || err != nil {
			return missing, err
		}
		return e.forgotten(ctx, acks...)
	})
}

// unbridged looks whether the ASIC has no bridge port on a port.
func (e *executor) unbridged(ctx context.Context, port string) (missing string, err error) {
	oid, err := e.oid(ctx, port)
	if err != nil || oid == "" {
		return "", err // a port that the ASIC does not know is not bridged
	}
	bridged, err := e.asic.bridgePorts.get(ctx)
	if key, there := bridged[oid]; err == nil && there {
		return fmt.Sprintf("%s still bridges %s (%s): %s", asicDB, port, oid, key), nil
	}
	return "", err
}

// leaveRouting deletes a port's addresses and then its interface, and waits until the ASIC does not route it.
func (e *executor) leaveRouting(port string) error {
	row := Key{Table: tableInterface, Name: port}
	if err := e.drop(append(e.snapshot().subs(tableInterface, port), row)...); err != nil {
		return err
	}
	return e.await(func(ctx context.Context) (string, error) {
		device, exists, err := e.Device(port)
		oid, errOID := e.oid(ctx, port)
		if err := errors.Join(err, errOID); err != nil {
			return "", err
		}
		if oid == "" && !exists {
			return "", nil // unplugged: nobody is left to say that it is out
		}
		routed, err := e.asic.interfaces.get(ctx)
		if _, there := routed.ports[oid]; err == nil && there {
			return fmt.Sprintf("%s still routes %s (%s)", asicDB, port, oid), nil
		}
		if err != nil {
			return "", err
		}
		if device.Master != "" && device.Master != plan.BridgeName {
			return fmt.Sprintf("the kernel still has %s in %s", port, device.Master), nil
		}
		return e.forgotten(ctx, Key{Table: stateInterface, Name: port})
	})
}

// enterRouting routes a port in a VRF, "" for the default one, and waits until all say so. What it was in before, it leaves.
func (e *executor) enterRouting(port, vrf string) error {
	want := Row{linkLocalOnly: "enable"}
	if vrf != "" {
		want["vrf_name"] = vrf
	}
	key := Key{Table: tableInterface, Name: port}
	settled := func(ctx context.Context) (string, error) { return e.routedIn(ctx, port, vrf) }
	if now, there := e.snapshot()[key]; there && now["vrf_name"] == vrf && now.has(want) {
		if missing, err := settled(e.ctx); err == nil && missing == "" {
			return nil
		}
	}
	if err := e.leaveRouting(port); err != nil {
		return err
	}
	if err := e.put(key, want); err != nil {
		return err
	}
	return e.await(settled)
}

// routedIn looks whether a port is routed in a VRF by all that say something of it.
func (e *executor) routedIn(ctx context.Context, port, vrf string) (missing string, err error) {
	ack, there, err := e.stateRow(ctx, Key{Table: stateInterface, Name: port})
	if err != nil {
		return "", err
	}
	if !there || ack["vrf"] != vrf {
		return fmt.Sprintf("%s does not say that %s is in VRF %q", stateDB, port, vrf), nil
	}
	found, err := e.asic.interfaces.get(ctx)
	if err != nil {
		return "", err
	}
	oid, err := e.oid(ctx, port)
	if err != nil {
		return "", err
	}
	router, routed := found.ports[oid]
	if !routed {
		return fmt.Sprintf("%s does not route %s (%s)", asicDB, port, oid), nil
	}
	seen := sight{config: e.snapshot(), routers: map[uint16]string{}}
	if err := e.nameRouters(ctx, found.vlans, seen.routers); err != nil {
		return "", err
	}
	j := judgement{sight: seen}
	if j.vrfOf, j.routerOf = seen.virtualRouters(); j.elsewhere(router, vrf) {
		return fmt.Sprintf("%s has %s (%s) in virtual router %s, which is not that of VRF %q", asicDB, port, oid, router, vrf), nil
	}
	device, _, err := e.Device(port)
	if err == nil && device.Master != plannedVRF(vrf) {
		missing = fmt.Sprintf("the kernel has %s in %q", port, device.Master)
	}
	return missing, err
}

// oid is the ASIC's number of a port; "" while it has none.
func (e *executor) oid(ctx context.Context, port string) (string, error) {
	db := e.dbs[countersDB]
	oid, err := db.client.HGet(ctx, portNameMap, port).Result()
	if errors.Is(err, redis.Nil) {
		return "", nil
	}
	return oid, db.failed("read the ASIC's number of "+port, err)
}
