package nft

import (
	"fmt"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/pointsman/pointsman/agent/internal/plan"
	"github.com/pointsman/pointsman/test/lab/guesttest"
)

func TestMain(m *testing.M) { guesttest.MainOnOwnKernel(m) }

// namespace gives the test a network namespace of its own, with these devices.
func namespace(t *testing.T, devices ...string) {
	t.Helper()
	runtime.LockOSThread() // never unlocked: the thread goes with the goroutine, and the namespace with it
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Fatal(err)
	}
	for _, d := range devices {
		run(t, "ip link add %s type dummy", d)
	}
}

func run(t *testing.T, format string, args ...any) string {
	t.Helper()
	words := strings.Fields(fmt.Sprintf(format, args...))
	out, err := exec.Command(words[0], words[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v: %s", strings.Join(words, " "), err, out)
	}
	return string(out)
}

func set(t *testing.T, o plan.SetProtection) {
	t.Helper()
	if err := (Table{}).Set(o); err != nil {
		t.Fatal(err)
	}
}

func observe(t *testing.T) map[string]plan.Chain {
	t.Helper()
	chains, err := Table{}.Observe()
	if err != nil {
		t.Fatal(err)
	}
	return chains
}

const foreign = `table inet operator {
	set admins {
		type ipv4_addr
		elements = { 192.0.2.1 }
	}

	chain input {
		type filter hook input priority filter + 10; policy accept;
		ip saddr @admins tcp dport 22 accept
	}
}`

// The kernel gives back what it was told, another table stays as it was byte for byte, and what changes is what was asked.
func TestTable(t *testing.T) {
	namespace(t, "swp1", "swp2", "swp3", "swp49")
	if err := Supported(); err != nil {
		t.Fatal(err)
	}
	if left := run(t, "nft list ruleset"); left != "" {
		t.Fatalf("the trial left\n%s", left)
	}
	if got := observe(t); got != nil {
		t.Fatalf("without a table, there are chains: %v", got)
	}
	load := exec.Command("nft", "-f", "-")
	load.Stdin = strings.NewReader(foreign)
	if out, err := load.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	before := run(t, "nft list table inet operator")

	want := leafChains(t)
	begin := time.Now()
	set(t, plan.SetProtection{Set: want})
	t.Logf("the whole table took %v", time.Since(begin))
	begin = time.Now()
	if diff := cmp.Diff(want, observe(t)); diff != "" {
		t.Fatal(diff)
	}
	t.Logf("reading it back took %v", time.Since(begin))
	set(t, plan.SetProtection{Set: want}) // again: the same
	if diff := cmp.Diff(want, observe(t)); diff != "" {
		t.Fatal(diff)
	}

	moved := plan.Chain{Hook: plan.HookIngress, Device: "swp1", Rules: []string{"ip saddr 10.9.9.9/32 accept", "counter drop"}}
	begin = time.Now()
	set(t, plan.SetProtection{Set: map[string]plan.Chain{"port-swp1": moved}})
	t.Logf("one port took %v", time.Since(begin))
	want["port-swp1"] = moved
	rehung := plan.Chain{Hook: plan.HookIngress, Device: "swp49", Rules: []string{"accept"}}
	set(t, plan.SetProtection{Set: map[string]plan.Chain{"port-swp2": rehung}, Delete: []string{"port-swp3"}})
	want["port-swp2"] = rehung
	delete(want, "port-swp3")
	if diff := cmp.Diff(want, observe(t)); diff != "" {
		t.Error(diff)
	}

	// All or nothing.
	err := Table{}.Set(plan.SetProtection{Set: map[string]plan.Chain{
		"port-swp1": {Hook: plan.HookIngress, Device: "swp1", Rules: []string{"accept"}},
		"port-swp2": {Hook: plan.HookIngress, Device: "swp2", Rules: []string{"goto nowhere"}},
	}})
	if err == nil {
		t.Error("a rule leads to a chain that is not there")
	}
	if diff := cmp.Diff(want, observe(t)); diff != "" {
		t.Errorf("a transaction that failed changed something: %s", diff)
	}

	// What others do to our table is seen.
	run(t, "nft add rule inet pointsman input tcp dport 22 accept")
	run(t, "nft flush chain inet pointsman port-swp1")
	drifted := observe(t)
	if len(drifted["input"].Rules) != len(want["input"].Rules)+1 || len(drifted["port-swp1"].Rules) != 0 {
		t.Errorf("what others changed is not seen: %v", drifted)
	}
	// Before Linux 6.16 a chain goes with its device, since then it stays; deleted, it is gone, and a port that comes back gets its own.
	run(t, "ip link delete swp1")
	set(t, plan.SetProtection{Delete: []string{"port-swp1"}})
	if c, ok := observe(t)["port-swp1"]; ok {
		t.Errorf("the chain of a port that is gone is still there: %v", c)
	}
	run(t, "ip link add swp1 type dummy")
	set(t, plan.SetProtection{Set: map[string]plan.Chain{"port-swp1": moved}})
	if diff := cmp.Diff(moved, observe(t)["port-swp1"]); diff != "" {
		t.Error(diff)
	}
	if after := run(t, "nft list table inet operator"); after != before {
		t.Errorf("another's table was\n%s\nand is\n%s", before, after)
	}
	if err := (Table{}).Delete(); err != nil {
		t.Fatal(err)
	}
	if got := observe(t); got != nil {
		t.Errorf("after its deletion, the table has %v", got)
	}
	if err := (Table{}).Delete(); err != nil {
		t.Errorf("what is deleted cannot be deleted again: %v", err)
	}
}

// Whoever changes our table is heard; what becomes of others' is nobody's business.
func TestListen(t *testing.T) {
	namespace(t, "swp1")
	heard := make(chan struct{}, 100)
	done, err := Table{}.Listen(t.Context(), func() { heard <- struct{}{} })
	if err != nil {
		t.Fatal(err)
	}
	run(t, "nft add table inet operator")
	run(t, "nft add table ip pointsman")
	select {
	case <-heard:
		t.Error("a foreign table was taken for ours")
	case <-time.After(300 * time.Millisecond):
	}
	run(t, "nft add table inet pointsman")
	select {
	case <-heard:
	case err := <-done:
		t.Fatal(err)
	case <-time.After(3 * time.Second):
		t.Error("nobody heard of our table")
	}
}
