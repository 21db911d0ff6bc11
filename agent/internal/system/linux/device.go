package linux

import (
	"errors"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// find returns a device's index, from memory if it was asked before.
func (e *executor) find(name string) (int, error) {
	if index, ok := e.index[name]; ok {
		return index, nil
	}
	index, err := e.route.indexOf(e.names.Device(name))
	if err != nil {
		return 0, err
	}
	e.index[name] = index
	return index, nil
}

// on does something to a device by its index.
func (e *executor) on(name string, do func(index int) error) error {
	index, err := e.find(name)
	if err != nil {
		return err
	}
	return do(index)
}

// set changes a device by its name: without an index, the kernel takes IFLA_IFNAME as whom to change, not as a new name.
func (e *executor) set(name string, flags, change uint32, attrs ...*nl.RtAttr) error {
	return e.route.setLink(0, flags, change, append(attrs, nl.NewRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated(e.names.Device(name))))...)
}

func (e *executor) setUp(name string, up bool) error {
	var flags uint32
	if up {
		flags = unix.IFF_UP
	}
	return e.set(name, flags, unix.IFF_UP)
}

// setMaster moves a device out of its VRF or bridge and into another in one request, under one hold of the kernel's lock.
func (e *executor) setMaster(name, to string) error {
	index := 0
	if to != "" {
		var err error
		if index, err = e.find(to); err != nil {
			return err
		}
	}
	return e.set(name, 0, 0, master(index))
}

// ensure creates a device unless it is there, and returns its index.
func (e *executor) ensure(name, kind string, flags uint32, data []nl.NetlinkRequestData, more ...*nl.RtAttr) (int, error) {
	if err := ignore(e.route.newLink(name, kind, flags, data, more...), unix.EEXIST); err != nil {
		return 0, err
	}
	return e.find(name)
}

// delete deletes a device. One that is gone already is no error.
func (e *executor) delete(name string) error {
	index, err := e.find(name)
	if errors.Is(err, unix.ENODEV) {
		return nil
	}
	if err != nil {
		return err
	}
	delete(e.index, name)
	return ignore(e.route.deleteLink(index), unix.ENODEV)
}
