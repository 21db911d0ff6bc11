// Package guest tests the host speaker as a process against real FRR in the lab's guest: a machine and two leaves, a network
// namespace each.
package guest

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pointsman/pointsman/agent/internal/host"
	"github.com/pointsman/pointsman/test/frrguest"
	"github.com/pointsman/pointsman/test/lab/guesttest"
)

// processEnv makes this test binary the host speaker.
const processEnv = "POINTSMAN_HOST_PROCESS"

func TestMain(m *testing.M) {
	if os.Getenv(processEnv) == "" {
		guesttest.Main(m)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	cmd := host.Command()
	cmd.SetArgs(os.Args[1:])
	if err := cmd.ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

const (
	machineASN = 4201000001
	leaf1ASN   = 4200000001
	leaf2ASN   = 4200000002
	address4   = "10.1.0.5"
	address6   = "fd00:1::5"
)

// fabric is a machine, cabled to two leaves.
type fabric struct {
	t       *testing.T
	dir     string
	vrf     string // of the leaves' ports, "" the default
	leaf    [2]*frrguest.FRR
	process *exec.Cmd
	log     *os.File
}

func run(t *testing.T, argv ...string) string {
	t.Helper()
	out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(argv, " "), err, out)
	}
	return string(out)
}

// ip runs one ip command per line.
func ip(t *testing.T, lines string) {
	t.Helper()
	for line := range strings.Lines(lines) {
		if fields := strings.Fields(line); len(fields) > 0 {
			run(t, append([]string{"ip"}, fields...)...)
		}
	}
}

// newFabric starts both leaves; the machine's process is started by start.
func newFabric(t *testing.T, vrf string) *fabric {
	f := &fabric{t: t, dir: t.TempDir(), vrf: vrf}
	for _, ns := range []string{"machine", "leaf0", "leaf1"} {
		ip(t, "netns add "+ns)
		t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", ns).Run() })
		ip(t, "-n "+ns+" link set lo up")
	}
	for i := range f.leaf {
		ns := fmt.Sprintf("leaf%d", i)
		ip(t, fmt.Sprintf("link add lan%d netns machine mtu 9000 type veth peer name swp1 netns %s", i, ns))
		run(t, "ip", "netns", "exec", ns, "sysctl", "-qw", "net.ipv6.conf.swp1.accept_dad=0", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
		anycast := "lo"
		if vrf != "" {
			ip(t, fmt.Sprintf("-n %s link add %s type vrf table 1001\n-n %s link set %s up\n-n %s link set swp1 master %s", ns, vrf, ns, vrf, ns, vrf))
			anycast = vrf
		}
		ip(t, fmt.Sprintf("-n %s address add 10.99.0.1/32 dev %s\n-n %s address add fd00:99::1/128 dev %s nodad", ns, anycast, ns, anycast))
		f.leaf[i] = frrguest.Start(t, ns)
		f.load(i, advertisements)
		f.configure(i)
		ip(t, "-n "+ns+" link set swp1 mtu 9000 up")
	}
	return f
}

// advertisements are what zebra is to send on the machine's port.
const advertisements = `interface swp1
 ipv6 nd ra-interval msec 300
 ipv6 nd ra-lifetime 0
 no ipv6 nd suppress-ra
exit
`

// configure loads a leaf's BGP configuration into its bgpd.
func (f *fabric) configure(i int) {
	f.t.Helper()
	router := fmt.Sprintf("router bgp %d", leaf1ASN+i)
	if f.vrf != "" {
		router += " vrf " + f.vrf
	}
	f.load(i, fmt.Sprintf(`%s
 bgp router-id 10.255.0.%d
 coalesce-time 0
 no bgp ebgp-requires-policy
 no bgp default ipv4-unicast
 no bgp network import-check
 neighbor swp1 interface remote-as external
 neighbor swp1 timers 3 9
 neighbor swp1 timers connect 1
 neighbor swp1 advertisement-interval 0
 neighbor swp1 bfd
 address-family ipv4 unicast
  neighbor swp1 activate
  neighbor swp1 default-originate
  network 10.98.%d.0/24
 exit-address-family
 address-family ipv6 unicast
  neighbor swp1 activate
  neighbor swp1 default-originate
 exit-address-family
exit
`, router, i+1, i))
}

func (f *fabric) load(i int, text string) {
	f.t.Helper()
	if out, err := f.leaf[i].Load(text); err != nil {
		f.t.Fatalf("configure leaf %d: %v\n%s", i, err, out)
	}
}

// vtysh reads JSON from a leaf; %s stands for its VRF.
func (f *fabric) vtysh(i int, command string, into any) error {
	vrf := "vrf default"
	if f.vrf != "" {
		vrf = "vrf " + f.vrf
	}
	out, err := f.leaf[i].Shell("-c", strings.ReplaceAll(command, "VRF", vrf)+" json")
	if err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	if err := json.Unmarshal([]byte(out), into); err != nil {
		return fmt.Errorf("%s: %w in %q", command, err, out)
	}
	return nil
}

// allocate writes the machine file, as its installer would.
func (f *fabric) allocate(asn uint32, addresses ...string) {
	f.t.Helper()
	file := map[string]any{"machine": "m1", "allocation": "a1", "asn": asn, "addresses": addresses, "mtu": 9000, "uplinks": []any{
		map[string]any{"mac": f.mac("lan0"), "switchAsn": leaf1ASN},
		map[string]any{"name": "lan1", "switchAsn": leaf2ASN},
	}}
	text, err := json.Marshal(file)
	if err != nil {
		f.t.Fatal(err)
	}
	temporary := filepath.Join(f.dir, "new")
	if err := os.WriteFile(temporary, text, 0o644); err != nil {
		f.t.Fatal(err)
	}
	if err := os.Rename(temporary, f.machineFile()); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fabric) machineFile() string { return filepath.Join(f.dir, "machine.json") }
func (f *fabric) statusFile() string  { return filepath.Join(f.dir, "host.json") }

func (f *fabric) mac(link string) string {
	return strings.TrimSpace(run(f.t, "ip", "netns", "exec", "machine", "cat", "/sys/class/net/"+link+"/address"))
}

// start starts the host speaker on the machine; more is appended to host.yaml.
func (f *fabric) start(more string) {
	f.t.Helper()
	config := filepath.Join(f.dir, "host.yaml")
	text := fmt.Sprintf("machine-file: %s\nstatus-file: %s\nsystem-uuid: 11111111-2222-3333-4444-555555555555\nuplinks: [lan0, lan1]\nlog-level: debug\n%s",
		f.machineFile(), f.statusFile(), more)
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		f.t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		f.t.Fatal(err)
	}
	if f.log == nil {
		if f.log, err = os.Create(filepath.Join(f.dir, "log")); err != nil {
			f.t.Fatal(err)
		}
		f.t.Cleanup(f.end)
	}
	f.process = exec.Command("ip", "netns", "exec", "machine", self, "--config", config)
	f.process.Env = append(os.Environ(), processEnv+"=1")
	f.process.Stdout, f.process.Stderr = f.log, f.log
	if err := f.process.Start(); err != nil {
		f.t.Fatal(err)
	}
}

// stop ends the host speaker and reports how: it must end well.
func (f *fabric) stop() {
	f.t.Helper()
	if f.process == nil {
		return
	}
	_ = f.process.Process.Signal(syscall.SIGTERM)
	if err := f.process.Wait(); err != nil {
		f.t.Errorf("host speaker: %v", err)
	}
	f.process = nil
}

func (f *fabric) end() {
	f.stop()
	if log, _ := os.ReadFile(f.log.Name()); f.t.Failed() {
		f.t.Logf("the speaker's log ends with:\n%s", log[max(0, len(log)-8000):])
	}
	f.log.Close()
}

// within waits until check finds nothing wrong and returns how long that took.
func within(t *testing.T, limit time.Duration, what string, check func() error) time.Duration {
	t.Helper()
	begin := time.Now()
	for {
		err := check()
		if err == nil {
			return time.Since(begin)
		}
		if time.Since(begin) > limit {
			t.Fatalf("%s: not within %v: %v", what, limit, err)
		}
		time.Sleep(2 * time.Millisecond)
	}
}
