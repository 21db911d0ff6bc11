// Package guest runs the checks on a switch that passes them: the lab's guest, with real FRR.
package guest

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"

	"github.com/pointsman/pointsman/agent/internal/check"
	"github.com/pointsman/pointsman/agent/internal/config"
	"github.com/pointsman/pointsman/agent/internal/etcdtest"
	"github.com/pointsman/pointsman/agent/internal/system/frr"
	"github.com/pointsman/pointsman/test/frrguest"
	"github.com/pointsman/pointsman/test/lab/guesttest"
)

func TestMain(m *testing.M) { guesttest.Main(m) }

// TestReadySwitch: everything holds, and neither a device nor a rule is left on the switch. Then a daemon goes, and that is said.
func TestReadySwitch(t *testing.T) {
	daemons := frrguest.Start(t, "")
	server := etcdtest.Start(t, etcdtest.FreeAddress(t), t.TempDir())
	if err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "swp1"}, PeerName: "far"}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if l, err := netlink.LinkByName("swp1"); err == nil {
			_ = netlink.LinkDel(l)
		}
	})
	cfg := config.Default()
	cfg.Switch, cfg.Etcd.Endpoints, cfg.StateDir = "leaf01", []string{server.Endpoint}, t.TempDir()
	cfg.FRR.SocketDir, cfg.FRR.ConfigFile = daemons.Dir, filepath.Join(daemons.Dir, "frr.conf")
	routing := frr.New(frr.Options{Dir: daemons.Dir, ConfigFile: cfg.FRR.ConfigFile})
	defer routing.Close()
	before := devices(t)
	report := check.Run(t.Context(), cfg, routing)
	for _, c := range report.Checks {
		t.Logf("%s %s: %s", c.State, c.Name, c.Detail)
		// The switch is not registered, the guest's disk is memory, and Debian's kernel for it has no nftables.
		mayWarn := c.Name == "etcd" || c.Name == "state directory" || c.Name == "kernel nftables"
		if c.State == check.Fail || c.State == check.Warn && !mayWarn {
			t.Errorf("%s: %s: %s", c.Name, c.State, c.Detail)
		}
	}
	if !report.Passed {
		t.Error("not passed")
	}
	if after := devices(t); after != before {
		t.Errorf("devices before %s, after %s", before, after)
	}
	daemons.Kill(t, "bgpd")
	report = check.Run(t.Context(), cfg, routing)
	for _, c := range report.Checks {
		if c.Name == "frr bgpd" && (c.State != check.Fail || !strings.Contains(c.Remedy, "bgpd=yes")) || c.Name == "frr zebra" && c.State != check.OK {
			t.Errorf("after bgpd was killed: %+v", c)
		}
	}
	if report.Passed {
		t.Error("passed without bgpd")
	}
}

func devices(t *testing.T) string {
	t.Helper()
	links, err := netlink.LinkList()
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, l := range links {
		out = append(out, l.Attrs().Name)
	}
	return strings.Join(out, " ")
}
