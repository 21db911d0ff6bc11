package kernel

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pointsman/pointsman/test/lab/debroot"
	"github.com/pointsman/pointsman/test/lab/uml"
)

// nativeRootEnv makes this binary try to run a fabric natively on the kernel around it.
const nativeRootEnv = "KERNEL_TEST_NATIVE"

func TestMain(m *testing.M) {
	uml.Main(map[string]uml.Mode{uml.CommandMode: uml.RunCommand})
	if root := os.Getenv(nativeRootEnv); root != "" {
		fmt.Println("native:", Native(context.Background(), root, os.Stdout))
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// What the probe finds is what there is: a kernel that is known to lack families of nftables is refused for exactly those.
func TestProbeFindsWhatIsLacking(t *testing.T) {
	root, err := debroot.Ensure(t.Context(), t.Output())
	if err != nil {
		t.Fatal(err)
	}
	err = probe(t.Context(), filepath.Join(root, "usr/bin/linux.uml"), root)
	if err == nil {
		t.Fatal("Debian's kernel has everything: the lab needs no kernel of its own any more")
	}
	for _, name := range []string{"nftables family inet", "nftables family netdev"} {
		if !strings.Contains(err.Error(), "\n  "+name+": ") {
			t.Errorf("%s is not said to be lacking: %v", name, err)
		}
	}
	for _, name := range []string{"vrf", "vxlan", "overlay", "VLAN-filtering bridge", "netem"} {
		if strings.Contains(err.Error(), "\n  "+name+": ") {
			t.Errorf("%s is said to be lacking: %v", name, err)
		}
	}
	if own := Find(filepath.Dir(root)); own != "" {
		if err := probe(t.Context(), own, root); err != nil {
			t.Errorf("the lab's own kernel: %v", err)
		}
	}
}

// A host's kernel that lacks something is refused for it, with what to do. Debian's in a guest stands for the host's.
func TestNativeIsRefused(t *testing.T) {
	root, err := debroot.Ensure(t.Context(), t.Output())
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	try := func(argv ...string) string {
		var out bytes.Buffer
		exit, err := uml.Run(t.Context(), uml.Config{Root: root, Memory: "512M", ReadOnly: []string{root, filepath.Dir(self)}},
			uml.Command{Argv: argv, Env: []string{nativeRootEnv + "=" + root}, Stdout: &out, Stderr: t.Output()})
		if err != nil || exit != 0 {
			t.Fatalf("exit code %d, %v: %s", exit, err, &out)
		}
		return out.String()
	}
	said := try(self)
	for _, want := range []string{"\n  nftables family inet: ", "\n  nftables family netdev: ", "modprobe", "leave --native out"} {
		if !strings.Contains(said, want) {
			t.Errorf("%q is not said: %s", want, said)
		}
	}
	for _, there := range []string{"\n  vrf: ", "\n  vxlan: ", "\n  overlay: ", "this host's own"} {
		if strings.Contains(said, there) {
			t.Errorf("%q is said: %s", there, said)
		}
	}
	said = try("setpriv", "--reuid=110", "--regid=110", "--clear-groups", self)
	for _, want := range []string{"user 110", "run it as root", "unshare --map-root-user --map-auto", "leave --native out"} {
		if !strings.Contains(said, want) {
			t.Errorf("an ordinary user: %q is not said: %s", want, said)
		}
	}
}

func TestJudge(t *testing.T) {
	var all strings.Builder
	for _, f := range features {
		all.WriteString("ok\t" + f.name + "\n")
	}
	if err := judge(all.String()); err != nil {
		t.Errorf("everything is there: %v", err)
	}
	if err := judge(strings.Replace(all.String(), "ok\tvrf\n", "lacking\tvrf\tnot supported\n", 1)); err == nil || !strings.Contains(err.Error(), "vrf: not supported") {
		t.Errorf("no VRF: %v", err)
	}
	if err := judge(strings.Replace(all.String(), "ok\tvrf\n", "", 1)); err == nil || !strings.Contains(err.Error(), "vrf: not tried") {
		t.Errorf("a guest that ends early: %v", err)
	}
}

func TestMissingOptions(t *testing.T) {
	got := missingOptions("# words\nCONFIG_A=y\nCONFIG_B=y\nCONFIG_NAME=\"x\"\n", "CONFIG_A=y\n# CONFIG_B is not set\nCONFIG_NAME=\"x\"\n")
	if diff := cmp.Diff([]string{"CONFIG_B=y"}, got); diff != "" {
		t.Error(diff)
	}
}

// The newest source is taken, and no kernel that was built from another configuration.
func TestFindAndChoose(t *testing.T) {
	t.Setenv(Env, "")
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	cache, err := debroot.CacheDir()
	if err != nil {
		t.Fatal(err)
	}
	root := filepath.Join(cache, "debian12-x")
	var said bytes.Buffer
	if got := Choose(root, &said); got != filepath.Join(root, "usr/bin/linux.uml") || !strings.Contains(said.String(), "make lab-kernel") {
		t.Errorf("an empty cache gives %s, and says %q", got, said.String())
	}
	if got := Advice(); !strings.Contains(got, "make lab-kernel") {
		t.Errorf("with Debian's kernel, the advice is %q", got)
	}
	for _, dir := range []string{"kernel-6.1.9-1-" + key(), "kernel-6.1.10-1-" + key(), "kernel-6.1.200-1-0123456789ab"} {
		if err := os.MkdirAll(filepath.Join(cache, dir), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(cache, dir, binary), nil, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	said.Reset()
	if got, want := Choose(root, &said), filepath.Join(cache, "kernel-6.1.10-1-"+key(), binary); got != want || strings.Count(said.String(), "\n") != 1 {
		t.Errorf("chose %s, want %s, and says %q", got, want, said.String())
	}
	if got := Advice(); got != "" {
		t.Errorf("with the lab's own kernel, the advice is %q", got)
	}
	t.Setenv(Env, "/some/linux")
	if got := Choose(root, &said); got != "/some/linux" {
		t.Errorf("$%s is not heeded: %s", Env, got)
	}
}

func TestCompiledFiles(t *testing.T) {
	for name, want := range map[string]bool{
		"linux-source-6.1": false, "linux-source-6.1/Makefile": true, "linux-source-6.1/net/ipv4/tcp.c": true,
		"linux-source-6.1/drivers/net/vrf.c": true, "linux-source-6.1/drivers/net/ethernet/intel/e100.c": false,
		"linux-source-6.1/drivers/net/ethernet/intel/Kconfig": true, "linux-source-6.1/arch/arm/kernel/irq.c": false,
		"linux-source-6.1/arch/um/kernel/irq.c": true, "linux-source-6.1/arch/x86/um/ptrace_64.c": true, "linux-source-6.1/arch/arm/Kconfig": true,
		"linux-source-6.1/arch/Kconfig": true,
	} {
		if _, got := compiled(name); got != want {
			t.Errorf("%s is needed: %v, want %v", name, got, want)
		}
	}
}

// A program that was wrapped still runs, under the name that it was called by.
func TestWrappedProgramRuns(t *testing.T) {
	root, err := debroot.Ensure(t.Context(), t.Output())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	text, err := os.ReadFile(filepath.Join(root, "usr/bin/bash"))
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "bash")
	if err := os.WriteFile(program, text, 0o755); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]bool{program: true, filepath.Join(root, "etc/passwd"): false} {
		if got, err := isProgram(path); err != nil || got != want {
			t.Errorf("%s is a program: %v, %v", path, got, err)
		}
	}
	libraries := filepath.Join(root, "usr/lib/x86_64-linux-gnu")
	if err := wrap(program, filepath.Join(libraries, "ld-linux-x86-64.so.2"), libraries); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(program, "-c", `echo "$0: $1"`, "name", "two words").CombinedOutput()
	if err != nil || string(out) != "name: two words\n" {
		t.Errorf("%v: %q", err, out)
	}
}
