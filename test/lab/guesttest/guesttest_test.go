package guesttest

import (
	"os"
	"os/exec"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMain(m *testing.M) { Main(m) }

// The kernel at hand must have what the tests of a switch agent use.
func TestGuestHasASwitchsKernel(t *testing.T) {
	if !Inside() || os.Getuid() != 0 {
		t.Fatalf("inside %v, uid %d; want to be root in the guest", Inside(), os.Getuid())
	}
	for _, args := range [][]string{
		{"link", "add", "br0", "type", "bridge", "vlan_filtering", "1"},
		{"link", "add", "Vrf1", "type", "vrf", "table", "1001"},
		{"link", "add", "vlan10", "link", "br0", "type", "vlan", "id", "10"},
		{"link", "add", "vni100", "type", "vxlan", "id", "100", "dstport", "4789", "local", "192.0.2.1", "nolearning"},
		{"link", "add", "swp1", "type", "veth", "peer", "name", "lan0"},
		{"link", "set", "swp1", "master", "Vrf1"},
	} {
		if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
			t.Errorf("ip %v: %v: %s", args, err, out)
		}
	}
}

func TestGuestFlags(t *testing.T) {
	kept, writable := guestFlags([]string{"-test.v=true", "-test.testlogfile=/w/log", "-test.coverprofile=c.out", "-test.gocoverdir=/nowhere", "-test.run=X"}, "/src")
	if diff := cmp.Diff([]string{"-test.v=true", "-test.coverprofile=c.out", "-test.gocoverdir=/nowhere", "-test.run=X"}, kept); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"/src"}, writable); diff != "" {
		t.Error(diff)
	}
}
