package guest

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pointsman/pointsman/pkg/frr"
	"github.com/pointsman/pointsman/test/frrguest"
)

// TestRestart: a daemon that is killed is missed by name, its return is noticed at once, and the next pass gives it back what it
// lost, over connections made anew.
func TestRestart(t *testing.T) { frrguest.Each(t, testRestart) }

func testRestart(t *testing.T, v frrguest.Version) {
	daemons, client := start(t, v, "")
	want := parse(t, golden(t, "leaf-tenants"))
	apply(t, client, want)
	kicks := make(chan string, 10)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- client.Watch(ctx, func(why string) { kicks <- why }) }()
	owners := []string{"zebra", "bgpd", "bfdd"} // of the three changes below
	if v.HasMgmtd() {
		owners[0] = "mgmtd"
	}
	restarted := []string{"bgpd", "zebra", "bfdd"}
	if v.HasMgmtd() {
		restarted = append(restarted, "mgmtd")
	}
	for _, name := range restarted {
		time.Sleep(50 * time.Millisecond) // the watch of the first round is being set up
		daemons.Kill(t, name)
		if _, err := client.Running(timeout(t, 5*time.Second)); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("with %s dead, the configuration was read: %v", name, err)
		}
		for i, err := range client.Apply(timeout(t, 5*time.Second), []frr.Change{{Context: []string{"interface swp1"}, Line: "ipv6 nd ra-lifetime 0"}, {Line: "bgp route-map delay-timer 1"}, {Context: []string{"bfd", "profile PM-FABRIC"}, Line: "transmit-interval 300"}}) {
			if mine := owners[i] == name; mine != (err != nil) {
				t.Errorf("with %s dead, a change for %s: %v", name, owners[i], err)
			}
		}
		begin := time.Now()
		daemons.StartDaemon(t, name)
		select {
		case why := <-kicks:
			t.Logf("%s, seen after %v", why, time.Since(begin).Round(time.Millisecond))
			if !strings.HasPrefix(why, name) {
				t.Errorf("kicked because %q", why)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("the return of %s was not noticed", name)
		}
		if lost := apply(t, client, want); len(lost) == 0 && slices.Contains(owners, name) {
			t.Errorf("%s lost nothing", name)
		}
		expect(t, client, want)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestVersion(t *testing.T) { frrguest.Each(t, testVersion) }

func testVersion(t *testing.T, v frrguest.Version) {
	_, client := start(t, v, "")
	version, err := client.Version(timeout(t, 5*time.Second))
	if err != nil || strings.Count(version, ".") < 1 || version[0] < '1' || version[0] > '9' {
		t.Errorf("version %q, error %v", version, err)
	}
}

// TestStaticdIsOptional: it holds nothing of ours.
func TestStaticdIsOptional(t *testing.T) { frrguest.Each(t, testStaticdIsOptional) }

func testStaticdIsOptional(t *testing.T, v frrguest.Version) {
	daemons, client := start(t, v, "")
	daemons.Kill(t, "staticd")
	apply(t, client, parse(t, golden(t, "leaf")))
	expect(t, client, parse(t, golden(t, "leaf")))
}

// TestSavedConfigurationBoots: what is saved gives FRR, loaded by vtysh as its start does, the same configuration, with the lines of
// others. Copies of our filters that vtysh leaves in daemons that do not use them go with the next delta.
func TestSavedConfigurationBoots(t *testing.T) { frrguest.Each(t, testSavedConfigurationBoots) }

func testSavedConfigurationBoots(t *testing.T, v frrguest.Version) {
	daemons, client := start(t, v, "")
	want := parse(t, golden(t, "leaf-tenants"))
	if out, err := daemons.Load("ip prefix-list OPERATOR seq 5 permit any\ninterface swp1\n description by hand\n"); err != nil {
		t.Fatal(err, out)
	}
	apply(t, client, want)
	whole := frr.Carry(running(t, client), want).String()
	if err := client.Save(timeout(t, 5*time.Second), whole); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(daemons.Dir, "frr.conf")
	before, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Save(timeout(t, 5*time.Second), whole); err != nil {
		t.Fatal(err)
	}
	if after, err := os.Stat(file); err != nil || !os.SameFile(before, after) {
		t.Errorf("an equal file was written again: %v", err)
	}

	again, fresh := start(t, v, "")
	if out, err := again.Load(whole); err != nil || strings.Contains(out, "%") {
		t.Fatalf("%v: %s", err, out)
	}
	expect(t, fresh, want)
	if text, err := again.Shell("-c", "show running-config"); err != nil || !strings.Contains(text, "OPERATOR") || !strings.Contains(text, "by hand") {
		t.Errorf("lines of others are gone (%v):\n%s", err, text)
	}
	apply(t, fresh, parse(t, golden(t, "leaf")))
	expect(t, fresh, parse(t, golden(t, "leaf")))
	for _, daemon := range v.Daemons {
		if text, err := again.Shell("-d", daemon, "-c", "show running-config"); err != nil || strings.Contains(text, "PM-IN-swp1") {
			t.Errorf("%s keeps a filter of a tenant that left (%v):\n%s", daemon, err, text)
		}
	}
}
