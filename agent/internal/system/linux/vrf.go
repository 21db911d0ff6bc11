package linux

import (
	"fmt"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/pointsman/pointsman/agent/internal/plan"
)

func (e *executor) addVRF(name string, table uint32) error {
	_, err := e.ensure(name, "vrf", unix.IFF_UP, []nl.NetlinkRequestData{nl.NewRtAttr(nl.IFLA_VRF_TABLE, nl.Uint32Attr(table))})
	if err != nil {
		return err
	}
	// Another device of that name would have passed for it.
	l, err := e.route.device(name)
	if err != nil {
		return err
	}
	if has := l.data.uint32(nl.IFLA_VRF_TABLE); l.kind != "vrf" || has != table {
		return fmt.Errorf("there is a device of that name already, of kind %q and with table %d", l.kind, has)
	}
	return nil
}

// addUnreachable ends a VRF's table. It is the first route there.
func (e *executor) addUnreachable(o plan.AddUnreachable) error {
	if f, ok := e.frr.(Awaiter); ok {
		device := e.names.Device(o.VRF)
		index, err := e.route.indexOf(device)
		if err != nil {
			return err
		}
		f.AwaitVRF(e.ctx, device, index)
	}
	return e.route.setUnreachable(o.Route, true)
}
