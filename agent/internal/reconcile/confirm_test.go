package reconcile

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pointsman/pointsman/agent/internal/plan"
	"github.com/pointsman/pointsman/agent/internal/system"
	"github.com/pointsman/pointsman/pkg/netmodel"
)

// afterChange is a bench on which swp2 is in a VRF with its session up, and swp1 was just moved there, too.
func afterChange(t *testing.T) (b *bench, stop func()) {
	b = newBench(t)
	stop = b.start(b.sw)
	b.want(inVRF("swp2", 2, 100001))
	synctest.Wait()
	b.carrier("swp2", true)
	b.carrier(uplink, true)
	b.session("swp2", true, "")
	b.session(uplink, true, "")
	time.Sleep(10 * time.Second)
	b.want(inVRF("swp1", 2, 100001))
	synctest.Wait()
	b.expect("applied without waiting", "swp1", 2, netmodel.ModeVRF, "Vrf100001")
	return b, stop
}

func (b *bench) carrier(port string, on bool) {
	b.sw.Alter("link "+port, func(s *plan.State) {
		p := s.Kernel.Ports[port]
		p.OperUp = on
		s.Kernel.Ports[port] = p
	})
	synctest.Wait()
}

func TestAHarmfulChangeIsReverted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, stop := afterChange(t)
		time.Sleep(time.Second)
		b.session(uplink, false, "Hold Timer Expired")
		time.Sleep(lossGrace + 2*confirmEvery)
		synctest.Wait()
		s := b.port("swp1")
		if s.Mode != netmodel.ModeProvisioning || s.AppliedGeneration != 1 || s.RevertedGeneration != 2 || !strings.Contains(s.Error, "session on "+uplink) {
			t.Errorf("reverted: %+v", s)
		}
		b.expect("another port", "swp2", 2, netmodel.ModeVRF, "Vrf100001")
		b.session(uplink, true, "")
		time.Sleep(time.Minute)
		if s := b.port("swp1"); s.RevertedGeneration != 2 || s.Mode != netmodel.ModeProvisioning {
			t.Errorf("held: %+v", s)
		}
		// A restart does not try it again.
		stop()
		stop = b.start(b.sw)
		b.want()
		synctest.Wait()
		if s := b.port("swp1"); s.RevertedGeneration != 2 || s.Mode != netmodel.ModeProvisioning {
			t.Errorf("held after a restart: %+v", s)
		}
		// A newer generation is a new chance.
		b.want(inVRF("swp1", 3, 100001))
		synctest.Wait()
		b.expect("newer generation", "swp1", 3, netmodel.ModeVRF, "Vrf100001")
		if s := b.port("swp1"); s.RevertedGeneration != 0 {
			t.Errorf("still said to be reverted: %+v", s)
		}
		stop()
	})
}

func TestADaemonThatDiesAgainAndAgainIsHarm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, stop := afterChange(t)
		b.session(uplink, false, "")
		b.loop.Restarted("bgpd restarted")
		time.Sleep(6 * time.Second)
		b.expect("the first time", "swp1", 2, netmodel.ModeVRF, "Vrf100001")
		b.loop.Restarted("bgpd restarted")
		time.Sleep(6 * time.Second)
		b.session(uplink, true, "")
		time.Sleep(time.Minute)
		if s := b.port("swp1"); s.RevertedGeneration != 2 {
			t.Errorf("not reverted: %+v", s)
		}
		stop()
	})
}

func TestLosingEtcdRevertsToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, stop := afterChange(t)
		b.mu.Lock()
		b.cutOff = true
		b.mu.Unlock()
		time.Sleep(cutOffGrace + 3*confirmEvery)
		synctest.Wait()
		if s := b.port("swp1"); s.RevertedGeneration != 2 || !strings.Contains(s.Error, "etcd") {
			t.Errorf("cut off: %+v", s)
		}
		stop()
	})
}

func TestWhatIsNotTheChangesDoingRevertsNothing(t *testing.T) {
	for _, tt := range []struct {
		name string
		do   func(*bench)
	}{
		{"a blink", func(b *bench) {
			b.session(uplink, false, "Hold Timer Expired")
			time.Sleep(lossGrace / 2)
			b.session(uplink, true, "")
		}},
		{"a cable that was pulled", func(b *bench) {
			b.carrier("swp2", false)
			b.session("swp2", false, "Interface down")
		}},
		{"a machine that says goodbye", func(b *bench) { b.session("swp2", false, "BGP Notification received") }},
		{"its own session", func(b *bench) { b.session("swp1", false, "") }},
		{"bgpd restarted", func(b *bench) {
			b.session(uplink, false, "")
			b.session("swp2", false, "")
			b.loop.Restarted("bgpd restarted")
			time.Sleep(10 * time.Second)
			b.session(uplink, true, "")
			b.session("swp2", true, "")
		}},
		{"a spine that died and stays dead: reverting does not help", func(b *bench) { b.session(uplink, false, "BFD down received") }},
		{"after the window", func(b *bench) {
			time.Sleep(7 * time.Second)
			b.session(uplink, false, "Hold Timer Expired")
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, stop := afterChange(t)
				tt.do(b)
				time.Sleep(time.Minute)
				b.expect("not reverted", "swp1", 2, netmodel.ModeVRF, "Vrf100001")
				stop()
			})
		})
	}
}

// Machines that are released one after the other: their sessions go because they were asked to.
func TestAReleaseMeanwhileIsNoHarm(t *testing.T) {
	for _, lostFirst := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			b, stop := afterChange(t)
			if lostFirst { // the machine is told before the switch is
				b.session("swp2", false, "Hold Timer Expired")
			}
			time.Sleep(lossGrace / 2)
			b.want(provisioning("swp2", 3))
			synctest.Wait()
			b.mu.Lock()
			delete(b.sessions, "swp2") // nobody wants one any more
			b.mu.Unlock()
			for range 60 {
				time.Sleep(confirmEvery)
				synctest.Wait()
				if s := b.port("swp1"); s.RevertedGeneration != 0 || s.AppliedGeneration != 2 {
					t.Fatalf("lost first: %v: %+v", lostFirst, s)
				}
			}
			b.expect("released", "swp2", 3, netmodel.ModeProvisioning, "")
			stop()
		})
	}
}

// busy takes long for what it does.
type busy struct {
	system.System
	takes time.Duration
}

func (s *busy) Apply(ctx context.Context, ops []plan.Op) []plan.Result {
	time.Sleep(s.takes)
	return s.System.Apply(ctx, ops)
}

// A machine is released, and says so by its silence, while the switch is still about the change before.
func TestAReleaseThatASwitchIsNotYetAboutIsNoHarm(t *testing.T) {
	for _, toldFirst := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t)
			sw := &busy{System: b.sw}
			stop := b.start(sw)
			b.want(inVRF("swp2", 2, 100001))
			synctest.Wait()
			b.carrier("swp2", true)
			b.session("swp2", true, "")
			time.Sleep(10 * time.Second)
			sw.takes = 2 * lossGrace
			b.want(inVRF("swp1", 2, 100001))
			time.Sleep(lossGrace / 4)
			if toldFirst {
				b.want(provisioning("swp2", 3))
			}
			b.session("swp2", false, "Hold Timer Expired")
			time.Sleep(lossGrace / 4)
			if !toldFirst {
				b.want(provisioning("swp2", 3))
			}
			for range 600 {
				time.Sleep(confirmEvery)
				synctest.Wait()
				if s := b.port("swp1"); s.RevertedGeneration != 0 {
					t.Fatalf("told first: %v: %+v", toldFirst, s)
				}
			}
			b.expect("released", "swp2", 3, netmodel.ModeProvisioning, "")
			stop()
		})
	}
}

// Of two changes, the later is reverted first; when all is well then, the earlier stays.
func TestTheLaterOfTwoChangesIsTheFirstSuspect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, stop := afterChange(t)
		time.Sleep(500 * time.Millisecond)
		b.want(inVRF("swp3", 2, 100002))
		synctest.Wait()
		b.session("swp2", false, "Hold Timer Expired")
		time.Sleep(lossGrace + 2*confirmEvery)
		b.session("swp2", true, "")
		time.Sleep(time.Minute)
		if s := b.port("swp3"); s.RevertedGeneration != 2 {
			t.Errorf("the later: %+v", s)
		}
		b.expect("the earlier", "swp1", 2, netmodel.ModeVRF, "Vrf100001")
		stop()
	})
}
