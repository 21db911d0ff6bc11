package host

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/vishvananda/netlink"
)

// prepareUplink makes an interface fit for unnumbered BGP: no duplicate address detection, which costs more than a second (one
// machine is on the cable), no default route from the router's advertisements, and the MTU of the fabric.
func prepareUplink(link netlink.Link, mtu int) error {
	name := link.Attrs().Name
	var errs []error
	for sysctl, value := range map[string]string{"accept_dad": "0", "accept_ra": "0"} {
		path := filepath.Join("/proc/sys/net/ipv6/conf", name, sysctl)
		if err := writeSysctl(path, value); err != nil {
			errs = append(errs, fmt.Errorf("set %s of %s: %w", sysctl, name, err))
		}
	}
	if mtu != 0 && link.Attrs().MTU != mtu {
		if err := netlink.LinkSetMTU(link, mtu); err != nil {
			errs = append(errs, fmt.Errorf("set MTU %d of %s: %w", mtu, name, err))
		}
	}
	return errors.Join(errs...)
}

func writeSysctl(path, value string) error {
	have, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if string(have) == value+"\n" {
		return nil
	}
	return os.WriteFile(path, []byte(value), 0)
}

// hashPorts makes ECMP choose by ports too, so that several flows between two machines use both leaves.
func hashPorts() error {
	var errs []error
	for _, path := range []string{"/proc/sys/net/ipv4/fib_multipath_hash_policy", "/proc/sys/net/ipv6/fib_multipath_hash_policy"} {
		if err := writeSysctl(path, "1"); err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	for _, path := range []string{"/proc/sys/net/ipv4/conf/all/ignore_routes_with_linkdown", "/proc/sys/net/ipv6/conf/all/ignore_routes_with_linkdown"} {
		if err := writeSysctl(path, "1"); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// resolve finds an uplink's interface: by MAC if it has one, else by name.
func resolve(u Uplink, links []netlink.Link) (string, bool) {
	for _, l := range links {
		if mac, err := net.ParseMAC(u.MAC); err == nil && bytes.Equal(l.Attrs().HardwareAddr, mac) {
			return l.Attrs().Name, true
		}
	}
	for _, l := range links {
		if u.Name != "" && l.Attrs().Name == u.Name {
			return u.Name, true
		}
	}
	return "", false
}

// watchLinks tells of every change of a link until ctx ends: an uplink may appear later than we do.
func watchLinks(ctx context.Context, changed chan<- struct{}) {
	for ctx.Err() == nil {
		updates, done := make(chan netlink.LinkUpdate, 64), make(chan struct{})
		if err := netlink.LinkSubscribe(updates, done); err == nil {
			stop := context.AfterFunc(ctx, func() { close(done) })
			for range updates {
				wake(changed)
			}
			if stop() {
				close(done)
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(slowPass):
		}
	}
}
