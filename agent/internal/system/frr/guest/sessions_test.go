package guest

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pointsman/pointsman/pkg/frr"
	"github.com/pointsman/pointsman/pkg/netmodel"
	"github.com/pointsman/pointsman/test/frrguest"
)

// TestFabric takes one small fabric through the life of an allocation, and reads its state as the agent does.
func TestFabric(t *testing.T) { frrguest.Each(t, testFabric) }

func testFabric(t *testing.T, v frrguest.Version) {
	f := newFabric(t, v)
	f.up(t)
	vrf := netmodel.VRFName(ownVNI)
	for _, leaf := range []node{f.leaf1, f.leaf2} {
		took := eventually(t, leaf.name+" hears the machine", func() bool { return leaf.session(t, vrf, "swp1").PrefixesReceived == 2 })
		s := leaf.session(t, vrf, "swp1")
		t.Logf("%s after %v: %+v", leaf.name, took, s)
		if !s.Established || s.RemoteAS != netmodel.FirstMachineASN || s.Hostname == "" || time.Since(s.EstablishedTime) > time.Minute || (s.BFD == "") != leaf.input(t, 0).StrictBFD {
			t.Errorf("session is %+v", s)
		}
		eventually(t, leaf.name+" has its uplink", func() bool { return leaf.session(t, "", "swp9").Established })
	}
	t.Run("origins", f.origins)
	t.Run("default routes", f.defaultRoutes)
	t.Run("a rogue machine", f.rogueMachine)
	t.Run("the machine's bgpd restarts", f.restartedSpeaker)
	t.Run("refusals of FRR", f.contracts)
	t.Run("moves", f.moves)
}

func (f fabric) origins(t *testing.T) {
	both := []netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")}
	for _, prefix := range []string{"10.1.0.1/32", "fd00:1::1/128"} {
		for _, n := range []node{f.spine, f.leaf1, f.leaf2} {
			eventually(t, n.name+" holds "+prefix+" from both leaves", func() bool {
				return slices.Equal(f.from(t, n, ownVNI, prefix), both)
			})
		}
	}
	if got := f.from(t, f.spine, ownVNI, "10.1.0.2/32"); len(got) > 0 {
		t.Errorf("a prefix that nobody has comes from %v", got)
	}
}

func (f fabric) from(t *testing.T, n node, vni netmodel.VNI, prefix string) []netip.Addr {
	t.Helper()
	got, err := n.client.EVPNOrigins(timeout(t, 10*time.Second), vni, netip.MustParsePrefix(prefix))
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// defaultRoutes: the machine is told a default route by both leaves although the VRF's own default is unreachable.
func (f fabric) defaultRoutes(t *testing.T) {
	for _, family := range []string{"-4", "-6"} {
		eventually(t, "default route over both leaves", func() bool {
			routes := run(t, "ip", "-n", "m1", family, "route", "show", "default")
			return strings.Contains(routes, "dev eth0") && strings.Contains(routes, "dev eth1")
		})
	}
}

// rogueMachine: neither the foreign prefix nor the foreign route target arrives anywhere. The control takes the filter's lines
// away and sees both arrive.
func (f fabric) rogueMachine(t *testing.T) {
	if got := f.from(t, f.spine, ownVNI, "10.9.9.9/32"); len(got) > 0 {
		t.Errorf("a foreign prefix was accepted by %v", got)
	}
	if got := f.from(t, f.spine, foreignVNI, "10.1.0.1/32"); len(got) > 0 {
		t.Errorf("a foreign route target was kept by %v", got)
	}
	entry := []string{"route-map PM-IN-swp1 permit 10"}
	send(t, f.leaf1.client, []frr.Change{
		{Context: entry, Line: "no set extcommunity none"}, {Context: entry, Line: "no match ip address prefix-list PM-IN-swp1"},
	})
	eventually(t, "control: the route target arrives", func() bool { return len(f.from(t, f.spine, foreignVNI, "10.1.0.1/32")) == 1 })
	eventually(t, "control: the prefix arrives", func() bool { return len(f.from(t, f.spine, ownVNI, "10.9.9.9/32")) == 1 })
	apply(t, f.leaf1.client, f.leaf1.wish(t, ownVNI))
	took := eventually(t, "both are gone again", func() bool {
		return len(f.from(t, f.spine, foreignVNI, "10.1.0.1/32")) == 0 && len(f.from(t, f.spine, ownVNI, "10.9.9.9/32")) == 0
	})
	t.Logf("a changed filter is in force after %v", took)
}

// restartedSpeaker: a machine that speaks no BFD is heard again when its bgpd comes back, while its ports were up all the time. An FRR that
// holds sessions back for BFD never hears such a machine again, and now and then not the first time either.
func (f fabric) restartedSpeaker(t *testing.T) {
	f.machine.frr.Kill(t, "bgpd")
	vrf := netmodel.VRFName(ownVNI)
	for _, leaf := range []node{f.leaf1, f.leaf2} {
		eventually(t, leaf.name+" misses the machine", func() bool { return !leaf.session(t, vrf, "swp1").Established })
	}
	f.machine.frr.StartDaemon(t, "bgpd")
	if out, err := f.machine.frr.Load(rogue); err != nil {
		t.Fatal(err, out)
	}
	for _, leaf := range []node{f.leaf1, f.leaf2} {
		took := eventually(t, leaf.name+" hears the machine again", func() bool { return leaf.session(t, vrf, "swp1").PrefixesReceived == 2 })
		t.Logf("%s after %v", leaf.name, took)
	}
}

// contracts are the refusals of FRR that the order of stages rests on. mgmtd accepts two of them in the place of zebra. If one more is
// accepted some day, the order may be simpler.
func (f fabric) contracts(t *testing.T) {
	instance := fmt.Sprintf("router bgp %d vrf %s", f.leaf2.input(t, 0).ASN, netmodel.VRFName(foreignVNI))
	foreign := "vrf " + netmodel.VRFName(foreignVNI)
	for _, c := range []struct {
		change  frr.Change
		byMgmtd bool // who takes it, if it is there
		because string
	}{
		{frr.Change{Line: "no " + instance}, false, "the VRF has its VNI"},
		{frr.Change{Line: "no router bgp 4200000002"}, false, "another instance is left"},
		{frr.Change{Context: []string{foreign}, Line: "vni 4711"}, true, "it has another"},
		{frr.Change{Line: "no " + foreign}, false, "the device exists"},
		{frr.Change{Context: []string{"interface swp1"}, Line: "ipv6 nd ra-interval 2"}, true, "the lifetime is 0"},
	} {
		err := f.leaf2.client.Apply(timeout(t, 10*time.Second), []frr.Change{c.change})[0]
		if accepted := c.byMgmtd && f.leaf2.frr.Version.HasMgmtd(); (err == nil) != accepted {
			t.Errorf("%v while %s: %v", c.change, c.because, err)
		}
	}
	want := f.leaf2.input(t, ownVNI)
	want.VRFs = want.VRFs[:1] // without the foreign VRF, whose device is still there
	for i, change := range frr.Diff(running(t, f.leaf2.client), parse(t, render(t, want))) {
		err := f.leaf2.client.Apply(timeout(t, 10*time.Second), []frr.Change{change})[0]
		// zebra may still have to tell bgpd that the VNI is gone.
		for until := time.Now().Add(5 * time.Second); err != nil && change.Stage == frr.StageInstanceRemoval && time.Now().Before(until); {
			time.Sleep(50 * time.Millisecond)
			err = f.leaf2.client.Apply(timeout(t, 10*time.Second), []frr.Change{change})[0]
		}
		if refused := err != nil; refused != (change.Stage == frr.StageVRFRemoval) {
			t.Errorf("%d %v: %v", i, change, err)
		}
	}
	ip(t, "leaf2", "link del vni100001", "link del Vlan1002", "link del Vrf100001")
	eventually(t, "no vrf after the device is gone", func() bool {
		return f.leaf2.client.Apply(timeout(t, 10*time.Second), []frr.Change{{Line: "no " + foreign}})[0] == nil
	})
	expect(t, f.leaf2.client, parse(t, render(t, want)))
}

// moves takes the machine's port on leaf1 to another VRF and back, in the agent's order: neighbour away, the port down and into
// its VRF, additions, the port up. Its session returns every time. Times are logged, not judged.
func (f fabric) moves(t *testing.T) {
	var deltas, sessions []time.Duration
	for i := range 10 {
		vni := []netmodel.VNI{foreignVNI, ownVNI}[i%2]
		want := f.leaf1.wish(t, vni)
		changes := frr.Diff(running(t, f.leaf1.client), want)
		begin := time.Now()
		// A neighbour that is configured while its port is in another VRF is now and then never told the machine's address.
		send(t, f.leaf1.client, of(changes, frr.StageNeighbourRemoval))
		ip(t, "leaf1", "link set swp1 down", fmt.Sprintf("link set swp1 master %s", netmodel.VRFName(vni)))
		send(t, f.leaf1.client, of(changes, frr.StageAddition, frr.StageFilterRemoval))
		ip(t, "leaf1", "link set swp1 up")
		moved := time.Now()
		send(t, f.leaf1.client, of(changes, frr.StageInstanceRemoval, frr.StageVRFRemoval))
		deltas = append(deltas, moved.Sub(begin).Round(time.Millisecond))
		sessions = append(sessions, f.leaf1.returns(t, netmodel.VRFName(vni), "swp1"))
		expect(t, f.leaf1.client, want)
	}
	t.Logf("commands of a move, with two runs of ip: %v; session after the port came up: %v", deltas, sessions)
	for _, daemon := range []string{"zebra", "bgpd", "bfdd"} {
		if !f.leaf1.frr.Alive(daemon) {
			t.Errorf("%s died", daemon)
		}
	}
	applyTime(t, f.leaf1)
}

// returns waits for a session on a port that came up, and says how long it took. Once in several hundred moves bgpd 8.4.4 has lost the port's
// own address by the time that it is told the neighbour's, and waits for good; then it is told anew, as the agent does it.
func (n node) returns(t *testing.T, vrf, port string) time.Duration {
	t.Helper()
	begin, bounced := time.Now(), false
	return eventually(t, "the session returns", func() bool {
		s := n.session(t, vrf, port)
		if !bounced && !s.Address.IsValid() && time.Since(begin) > 4*time.Second {
			if heard, err := n.client.Hears(timeout(t, 10*time.Second), vrf, port); err != nil || !heard {
				t.Fatalf("%s on %s: %+v, and zebra hears it: %v, %v", port, n.name, s, heard, err)
			}
			t.Logf("zebra hears a neighbour on %s of %s, and bgpd does not know it: down and up", port, n.name)
			bounced = true
			ip(t, n.name, "link set "+port+" down", "link set "+port+" up")
		}
		return s.Established
	})
}

// of are the changes of some stages.
func of(changes []frr.Change, stages ...frr.Stage) []frr.Change {
	return slices.DeleteFunc(slices.Clone(changes), func(c frr.Change) bool { return !slices.Contains(stages, c.Stage) })
}

// applyTime logs what FRR's part of a move costs alone.
func applyTime(t *testing.T, leaf node) {
	t.Helper()
	var times []time.Duration
	for i := range 14 {
		vni := []netmodel.VNI{foreignVNI, ownVNI}[i%2]
		changes := frr.Diff(running(t, leaf.client), leaf.wish(t, vni))
		begin := time.Now()
		send(t, leaf.client, changes)
		times = append(times, time.Since(begin).Round(100*time.Microsecond))
	}
	slices.Sort(times)
	t.Logf("FRR's part of a move: median %v of %v", times[len(times)/2], times)
}
