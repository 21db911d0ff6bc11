package reconcile

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pointsman/pointsman/agent/internal/plan"
	"github.com/pointsman/pointsman/pkg/netmodel"
)

// booted is a loop on a switch that just came up, with a machine's port in a VRF; FRR has its sessions before the agent runs.
func booted(t *testing.T) (b *bench, stop func()) {
	b = newBench(t)
	b.fabricWait = time.Minute
	stop = b.start(b.sw)
	b.want(inVRF("swp1", 2, 100001))
	synctest.Wait()
	return b, stop
}

func (b *bench) up(port string) bool {
	var up bool
	b.sw.Alter("look", func(s *plan.State) { up = s.Kernel.Ports[port].Up })
	return up
}

func (b *bench) established(port string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sessions[port] = netmodel.SessionStatus{Port: port, Established: true, EstablishedTime: time.Now()}
}

// A switch that boots is no machine's way before it has the fabric's routes.
func TestPortsWaitForTheFabric(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, stop := booted(t)
		if s := b.port("swp1"); b.up("swp1") || s.AppliedGeneration != 0 || !strings.Contains(s.Error, "uplinks") {
			t.Errorf("before there is a fabric: up %v, %+v", b.up("swp1"), s)
		}
		if !b.up("swp2") || !b.up(uplink) {
			t.Error("ports of provisioning and uplinks do not wait")
		}
		b.carrier(uplink, true)
		time.Sleep(10 * time.Second)
		b.established(uplink)
		time.Sleep(fabricSettles - fabricPoll)
		if b.up("swp1") {
			t.Error("up before the routes are there")
		}
		time.Sleep(3 * fabricPoll)
		b.expect("the fabric is there", "swp1", 2, netmodel.ModeVRF, "Vrf100001")
		if !b.up("swp1") {
			t.Error("still down")
		}
		// From now on nothing waits, whatever becomes of the fabric.
		b.session(uplink, false, "")
		b.want(inVRF("swp3", 2, 100002))
		b.sw.Unplug("swp4")
		synctest.Wait()
		b.sw.Plug("swp4")
		synctest.Wait()
		time.Sleep(time.Second)
		b.expect("later", "swp3", 2, netmodel.ModeVRF, "Vrf100002")
		if !b.up("swp3") || !b.up("swp4") {
			t.Error("a port waits for a fabric that was there once")
		}
		stop()
	})
}

// Without a fabric, machines are served all the same, if late.
func TestPortsDoNotWaitForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, stop := booted(t)
		time.Sleep(b.fabricWait - time.Second)
		if b.up("swp1") {
			t.Error("up too early")
		}
		time.Sleep(2 * time.Second)
		b.expect("at last", "swp1", 2, netmodel.ModeVRF, "Vrf100001")
		stop()
	})
}

// restartTouchesNothing starts an agent, for which swp1 is as it was.
func (b *bench) restartTouchesNothing() {
	b.t.Helper()
	writes := b.sw.Writes()
	stop := b.start(b.sw)
	b.want()
	synctest.Wait()
	b.expect("as it was", "swp1", 2, netmodel.ModeVRF, "Vrf100001")
	if n := b.sw.Writes() - writes; n > 0 {
		b.t.Errorf("%d writes", n)
	}
	stop()
}

// An agent that is started anew touches no port that is up.
func TestPortsThatAreUpDoNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		stop := b.start(b.sw)
		b.want(inVRF("swp1", 2, 100001))
		synctest.Wait()
		stop()
		b.fabricWait = time.Minute
		b.restartTouchesNothing()
	})
}

// What the network OS brought up from its file as the switch booted waits like the rest: the fabric's routes are not there yet.
func TestPortsThatABootBroughtUpWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.boot = "first"
		stop := b.start(b.sw)
		b.want(inVRF("swp1", 2, 100001))
		synctest.Wait()
		stop()

		b.boot, b.fabricWait = "second", time.Minute
		held := false
		b.onPassed = func() { held = !b.up("swp1") }
		b.carrier(uplink, true)
		stop = b.start(b.sw)
		b.want()
		synctest.Wait()
		if b.up("swp1") || !held {
			t.Errorf("up %v before there is a fabric; down by the time that others may start: %v", b.up("swp1"), held)
		}
		if !b.up("swp2") || !b.up(uplink) {
			t.Error("ports of provisioning and uplinks do not wait")
		}
		stop() // an agent that ends while it holds ports holds them again
		stop = b.start(b.sw)
		b.want()
		synctest.Wait()
		b.sw.Alter("a port is set up by hand", func(s *plan.State) {
			p := s.Kernel.Ports["swp1"]
			p.Up = true
			s.Kernel.Ports["swp1"] = p
		})
		synctest.Wait()
		time.Sleep(time.Second)
		if b.up("swp1") {
			t.Error("up after a restart, before there is a fabric")
		}
		b.established(uplink)
		time.Sleep(fabricSettles + 2*fabricPoll)
		b.expect("the fabric is there", "swp1", 2, netmodel.ModeVRF, "Vrf100001")
		if !b.up("swp1") {
			t.Error("still down")
		}
		stop()

		// From now on an agent that starts is a restart.
		b.session(uplink, false, "")
		b.restartTouchesNothing()
	})
}

// A switch whose fabric is there when its agent first starts, long after the boot, is left as it is.
func TestAgentThatComesLateHoldsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.boot = "first"
		stop := b.start(b.sw)
		b.want(inVRF("swp1", 2, 100001))
		synctest.Wait()
		stop()
		b.boot, b.fabricWait = "second", time.Minute
		b.carrier(uplink, true)
		b.established(uplink)
		time.Sleep(time.Hour)
		b.restartTouchesNothing()
	})
}
