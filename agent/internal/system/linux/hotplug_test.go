package linux

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pointsman/pointsman/agent/internal/intent"
	"github.com/pointsman/pointsman/agent/internal/reconcile"
	"github.com/pointsman/pointsman/agent/internal/system/conformance/kernelbench"
	"github.com/pointsman/pointsman/pkg/netmodel"
)

// TestHotPlug: a running loop on a real kernel. A port that disappears takes its own tenant along and touches no other port; one that
// appears, never seen before or back again, is configured without anybody being started again.
func TestHotPlug(t *testing.T) {
	l := newLeaf(t)
	in := leafIntent(tenantPort("swp1", 104001, 1), tenantPort("swp2", 104002, 2), tenantPort("swp5", 104002, 5))
	in.Config.StoreUUID, in.Config.Generation = "store-1", 1
	in.Config.Ports = append(in.Config.Ports, netmodel.SwitchPort{Name: "swp5", Role: netmodel.PortMachine})
	for name, p := range in.Ports {
		p.Generation = 1
		in.Ports[name] = p
	}
	last := l.loop(intent.Snapshot{Intent: in, State: netmodel.AgentFollowing, Received: map[string]time.Time{}})
	at := func(port, vrf string) error {
		if s := last().Ports[port]; s.AppliedGeneration != 1 || s.VRF != vrf || s.Error != "" {
			return fmt.Errorf("%s is %+v", port, s)
		}
		return nil
	}
	missing := func(port string) error {
		if s := last().Ports[port]; !strings.Contains(s.Error, "does not exist") {
			return fmt.Errorf("%s is %+v", port, s)
		}
		return nil
	}
	l.soon("at first", func() error { return errors.Join(at("swp1", "Vrf104001"), at("swp2", "Vrf104002"), missing("swp5")) })

	events := kernelbench.Record(t, 1) // RTNLGRP_LINK
	before := l.IP("-d link show swp1")
	l.IP("link del swp2")
	l.soon("a port goes", func() error {
		if _, there := last().VRFs["Vrf104002"]; there {
			return errors.New("the VRF of a port that is gone is still there")
		}
		return errors.Join(missing("swp2"), at("swp1", "Vrf104001"))
	})
	if after := l.IP("-d link show swp1"); after != before {
		t.Errorf("another port changed:\n%s%s", before, after)
	}
	for _, m := range events.Take() {
		if link, err := parseLink(m.Data); err == nil && (link.name == "swp1" || link.name == "swp3" || link.name == "Vrf104001" || link.name == "vni104001") {
			t.Errorf("%s was touched", link.name)
		}
	}
	l.PlugNew(5, "swp5")
	l.soon("a port appears", func() error { return at("swp5", "Vrf104002") })
	l.PlugNew(6, "swp2")
	l.soon("a port is back", func() error { return errors.Join(at("swp2", "Vrf104002"), at("swp1", "Vrf104001")) })
	l.soon("nothing is left to do", func() error { // ports are told before that
		if drift := last().Drift; len(drift) > 0 {
			return fmt.Errorf("left to do: %v", drift)
		}
		return nil
	})
}

// loop runs a reconcile loop on the leaf until the test ends, and returns how to read its last report.
func (l *leaf) loop(s intent.Snapshot) (last func() reconcile.Report) {
	l.Helper()
	var mu sync.Mutex
	var report reconcile.Report
	loop, err := reconcile.New(reconcile.Config{
		System: l.System, StateDir: l.TempDir(), ConfirmWindow: time.Second, FullPass: time.Hour, Log: slog.New(slog.DiscardHandler),
		OnReport: func(r reconcile.Report) { mu.Lock(); defer mu.Unlock(); report = r },
	})
	if err != nil {
		l.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 2)
	kernelbench.Here(l.T, done, func() error { return l.Watch(ctx, loop.Kick) })
	kernelbench.Here(l.T, done, func() error { return loop.Run(ctx) })
	l.Cleanup(func() {
		cancel()
		for range 2 {
			if err := <-done; err != nil {
				l.Error(err)
			}
		}
	})
	loop.SetIntent(s)
	return func() reconcile.Report { mu.Lock(); defer mu.Unlock(); return report }
}

// soon waits until something holds: within the time of a full pass that never comes, so only events can have brought it about.
func (l *leaf) soon(what string, holds func() error) {
	l.Helper()
	began := time.Now()
	var err error
	for time.Since(began) < 10*time.Second {
		if err = holds(); err == nil {
			l.Logf("%s: after %v", what, time.Since(began).Round(time.Millisecond))
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	l.Fatalf("%s: %v", what, err)
}
