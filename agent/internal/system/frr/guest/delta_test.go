package guest

import (
	"testing"
	"time"

	frrsystem "github.com/pointsman/pointsman/agent/internal/system/frr"
	frrtemplates "github.com/pointsman/pointsman/frr-templates"
	"github.com/pointsman/pointsman/pkg/frr"
	"github.com/pointsman/pointsman/test/frrguest"
)

// TestDeltas: from any configuration of the templates to any other, FRR accepts each command of the delta, then runs the other,
// and a second pass sends nothing, as FRR's own log of commands shows.
func TestDeltas(t *testing.T) { frrguest.Each(t, testDeltas) }

func testDeltas(t *testing.T, v frrguest.Version) {
	daemons, client := start(t, v, "")
	for _, name := range []string{"leaf", "leaf-tenants", "spine", "leaf-tenants", "border", "spine", "border", "leaf"} {
		_, from := daemons.Log(0)
		apply(t, client, parse(t, golden(t, name)))
		if log, _ := daemons.Log(from); len(configured(log)) == 0 {
			t.Fatalf("FRR's log shows no command of the delta to golden %q:\n%s", name, log)
		}
		expect(t, client, parse(t, golden(t, name)))
	}
	draw := leaves()
	for seed := range 36 {
		text, err := frrtemplates.Render(draw.Example(seed))
		if err != nil {
			t.Fatal(err)
		}
		want := parse(t, text)
		begin := time.Now()
		changes := apply(t, client, want)
		t.Logf("%d: %d commands in %v", seed, len(changes), time.Since(begin).Round(time.Millisecond))
		expect(t, client, want)
		secondPass(t, daemons, client, want)
		if t.Failed() {
			t.Fatalf("stop at seed %d, wanted\n%s", seed, text)
		}
	}
	apply(t, client, frr.Config{})
	expect(t, client, frr.Config{})
}

// secondPass observes and applies again, and reads in FRR's log that no daemon was configured.
func secondPass(t *testing.T, daemons *frrguest.FRR, client *frrsystem.Client, want frr.Config) {
	t.Helper()
	_, from := daemons.Log(0)
	if again := apply(t, client, want); len(again) > 0 {
		t.Errorf("a second pass sends %v", again)
	}
	log, _ := daemons.Log(from)
	if commands := configured(log); len(commands) > 0 {
		t.Errorf("in a second pass FRR was told %q", commands)
	}
}

// TestWritersAgree: the delta over the sockets, by `vtysh -f`, and frr-reload.py in the place of it give the same.
func TestWritersAgree(t *testing.T) { frrguest.Each(t, testWritersAgree) }

func testWritersAgree(t *testing.T, v frrguest.Version) {
	leaf, tenants := parse(t, golden(t, "leaf")), parse(t, golden(t, "leaf-tenants"))
	_, client := start(t, v, "")
	apply(t, client, leaf)
	for _, writer := range []string{frrsystem.WriterVTY, frrsystem.WriterShell, frrsystem.WriterReload} {
		_, other := start(t, v, writer)
		if writer != frrsystem.WriterReload { // whose time goes to starting vtysh
			apply(t, other, leaf)
		}
		begin := time.Now()
		apply(t, other, tenants)
		t.Logf("to two VRFs and three machines by %s: %v", writer, time.Since(begin).Round(time.Millisecond))
		expect(t, other, tenants)
		apply(t, other, leaf)
		expect(t, other, leaf)
		if a, b := running(t, client), running(t, other); !a.Equal(b) {
			t.Errorf("the writers disagree:\n%s\n---\n%s", a, b)
		}
	}
}

// TestRefusals: a line that FRR refuses fails itself and no other, alone and in a batch.
func TestRefusals(t *testing.T) { frrguest.Each(t, testRefusals) }

func testRefusals(t *testing.T, v frrguest.Version) {
	_, client := start(t, v, "")
	apply(t, client, parse(t, golden(t, "leaf")))
	changes := []frr.Change{
		{Line: "ip prefix-list PM-IN-swp1 seq 5 permit 10.1.0.1/32"},
		{Line: "ip prefix-list PM-IN-swp1 seq 10 permit 10.1.0.1/99"},
		{Line: "ip prefix-list PM-IN-swp1 seq 15 permit 10.1.0.3/32"},
		{Context: []string{"route-map PM-IN-swp1 permit 10"}, Line: "match ip address prefix-list PM-IN-swp1"},
		{Context: []string{"route-map PM-IN-swp1 permit 10"}, Line: "set metric much"},
		{Line: "ip prefix-list PM-IN-swp1 seq 20 permit 10.1.0.0/24 le 16"},
		{Context: []string{"router bgp 4200000001"}, Line: "neighbor swp1 interface peer-group NOBODY"},
		{Context: []string{"router bgp 4200000099"}, Line: "neighbor swp2 interface peer-group FABRIC"},
		{Context: []string{"router bgp 4200000001"}, Line: "neighbor swp2 interface peer-group FABRIC"},
		{Context: []string{"bfd", "profile PM-FABRIC"}, Line: "transmit-interval 5"},
		{Context: []string{"bfd", "profile PM-FABRIC"}, Line: "transmit-interval 301"},
	}
	bad := map[int]bool{1: true, 4: true, 5: true, 6: true, 7: true, 9: true}
	errs := client.Apply(timeout(t, 20*time.Second), changes)
	have := running(t, client)
	for i, err := range errs {
		if (err != nil) != bad[i] {
			t.Errorf("%v: %v", changes[i], err)
		}
		if err == nil && !have.Reflects(changes[i]) {
			t.Errorf("%v was accepted and is not there", changes[i])
		}
	}
}
