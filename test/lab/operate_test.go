package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestOperate uses every way into a fabric from the host, once on the fabric itself and where it matters as an attached process.
func TestOperate(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "control plane") }))
	defer web.Close()
	_, port, _ := net.SplitHostPort(web.Listener.Addr().String())
	hostPort, _ := strconv.Atoi(port)
	socket := filepath.Join(t.TempDir(), "lab.sock")
	topology := &Topology{
		Name: "operate", Spines: 1, Racks: []Rack{{Leaves: 1, Machines: 1, SparePorts: 1}},
		Services: map[string][]Service{"machine01": {
			{Name: "echo", Command: []string{"socat", "TCP-LISTEN:7,fork,reuseaddr", "EXEC:cat"}},
			{Name: "stubborn", Command: []string{"sh", "-c", "trap '' TERM; echo started; while :; do sleep 1; done"}},
		}},
	}
	f := up(t, ctx, Options{Topology: topology, HostPorts: []int{hostPort}, Socket: socket})

	t.Run("exec", func(t *testing.T) {
		r, err := f.Exec(ctx, "leaf01", []string{"sh", "-c", "hostname; cat; echo complaint >&2; exit 9"}, strings.NewReader("input"))
		must(t, err)
		if string(r.Stdout) != "leaf01\ninput" || string(r.Stderr) != "complaint\n" || r.Exit != 9 {
			t.Errorf("stdout %q, stderr %q, exit code %d", r.Stdout, r.Stderr, r.Exit)
		}
		if _, err := f.Exec(ctx, "leaf01", []string{"no-such-program"}, nil); err == nil {
			t.Error("a program that is not there is no error")
		}
		if _, err := f.Exec(ctx, "leaf99", []string{"true"}, nil); err == nil || !strings.Contains(err.Error(), "leaf99") {
			t.Errorf("a node that is not there: error %v", err)
		}
	})
	t.Run("a cancelled program is killed", func(t *testing.T) {
		short, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
		defer cancel()
		if _, err := f.Exec(short, "leaf01", []string{"sleep", "4321"}, nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v, want the deadline", err)
		}
		soon(t, ctx, func() error {
			if out := run(t, ctx, f, "leaf01", "sh", "-c", "pgrep -x sleep || true"); out != "" {
				return fmt.Errorf("sleep still runs as %s", out)
			}
			return nil
		})
	})
	t.Run("files", func(t *testing.T) {
		text := strings.Repeat("0123456789abcdef", 1<<14)
		must(t, f.WriteFile(ctx, "leaf01", "/etc/some/where/file", []byte(text), 0o600))
		back, err := f.ReadFile(ctx, "leaf01", "/etc/some/where/file")
		must(t, err)
		if string(back) != text {
			t.Errorf("%d bytes came back of %d", len(back), len(text))
		}
		if _, err := f.ReadFile(ctx, "spine01", "/etc/some/where/file"); err == nil {
			t.Error("the file is seen on another node")
		}
	})
	t.Run("a switch starts as an operating system leaves it", func(t *testing.T) {
		links := run(t, ctx, f, "leaf01", "ip", "-d", "link", "show")
		for _, want := range []string{"swp1", "swp49", "mtu 9216", "vrf table 900"} {
			if !strings.Contains(links, want) {
				t.Errorf("links lack %q:\n%s", want, links)
			}
		}
		mgmt := run(t, ctx, f, "leaf01", "ip", "route", "show", "vrf", "mgmt")
		if !strings.Contains(mgmt, "unreachable default metric 4278198272") {
			t.Errorf("VRF mgmt lacks its unreachable default:\n%s", mgmt)
		}
		if main := run(t, ctx, f, "leaf01", "ip", "route"); main != "" {
			t.Errorf("the main table is not empty:\n%s", main)
		}
	})
	fetch := []string{"curl", "-sS", "-m", "2", "--interface", "mgmt", fmt.Sprintf("http://%s:%d/", HostAddress, hostPort)}
	t.Run("guest to host", func(t *testing.T) {
		if out := run(t, ctx, f, "leaf01", fetch...); out != "control plane" {
			t.Errorf("the host answered %q", out)
		}
		r, err := f.Exec(ctx, "leaf01", []string{"curl", "-sS", "-m", "1", "--interface", "mgmt", "http://" + HostAddress + ":1/"}, nil)
		must(t, err)
		if r.Exit == 0 {
			t.Error("a port of the host that was not allowed answered")
		}
	})
	t.Run("partition", func(t *testing.T) {
		must(t, f.PartitionManagement(ctx, "leaf01", true))
		if r, err := f.Exec(ctx, "leaf01", fetch, nil); err != nil || r.Exit == 0 {
			t.Errorf("a partitioned switch reaches the host: exit code %d, %v", r.Exit, err)
		}
		must(t, f.PartitionManagement(ctx, "leaf01", false))
		run(t, ctx, f, "leaf01", fetch...)
		if err := f.PartitionManagement(ctx, "machine01", true); err == nil {
			t.Error("a machine has no management, yet was partitioned")
		}
	})
	t.Run("host to guest", func(t *testing.T) {
		addr, err := f.Forward("127.0.0.1:0", "machine01", "127.0.0.1:7", "")
		must(t, err)
		conn, err := net.Dial("tcp", addr.String())
		must(t, err)
		defer conn.Close()
		_, err = conn.Write([]byte("ping"))
		must(t, err)
		answer := make([]byte, 4)
		_, err = io.ReadFull(conn, answer)
		must(t, err)
		if string(answer) != "ping" {
			t.Errorf("the echo service answered %q", answer)
		}
		if _, err := f.Dial(ctx, "machine01", "127.0.0.1:8", ""); err == nil {
			t.Error("a closed port was dialled")
		}
	})
	t.Run("services", func(t *testing.T) {
		must(t, f.Kill(ctx, "machine01", "echo", 9))
		soon(t, ctx, func() error {
			if s := service(t, ctx, f, "machine01", "echo"); !s.Running || s.Starts != 2 || s.LastExit != 137 {
				return fmt.Errorf("echo is %+v", s)
			}
			return nil
		})
		must(t, f.Service(ctx, "machine01", "stubborn", ActionStop))
		if s := service(t, ctx, f, "machine01", "stubborn"); s.Running || !s.Stopped {
			t.Errorf("a stopped service is %+v", s)
		}
		must(t, f.Service(ctx, "machine01", "stubborn", ActionStart))
		soon(t, ctx, func() error {
			if s := service(t, ctx, f, "machine01", "stubborn"); !s.Running {
				return fmt.Errorf("a started service is %+v", s)
			}
			return nil
		})
		logs, err := f.Logs(ctx, "machine01", "stubborn")
		must(t, err)
		if !strings.Contains(logs, "started") {
			t.Errorf("logs: %q", logs)
		}
		if err := f.Kill(ctx, "machine01", "zebra", 9); err == nil {
			t.Error("a service that is not there was killed")
		}
	})
	t.Run("no answer is lost", func(t *testing.T) {
		for range 300 {
			if _, err := f.Services(ctx, "leaf01"); err != nil {
				t.Fatal(err)
			}
		}
	})
	t.Run("FRR's daemons start anew with zebra", func(t *testing.T) {
		must(t, f.Kill(ctx, "leaf01", "bgpd", 9))
		soon(t, ctx, func() error {
			if b, z := service(t, ctx, f, "leaf01", "bgpd"), service(t, ctx, f, "leaf01", "zebra"); !b.Running || b.Starts != 2 || z.Starts != 1 {
				return fmt.Errorf("bgpd is %+v, zebra %+v", b, z)
			}
			return nil
		})
		must(t, f.Kill(ctx, "leaf01", "zebra", 9))
		soon(t, ctx, func() error {
			for name, starts := range map[string]int{"zebra": 2, "bgpd": 3, "staticd": 2, "bfdd": 2} {
				if s := service(t, ctx, f, "leaf01", name); !s.Running || s.Starts != starts {
					return fmt.Errorf("%s is %+v", name, s)
				}
			}
			return nil
		})
	})
	t.Run("links", func(t *testing.T) {
		carrier := func() string { return run(t, ctx, f, "machine01", "cat", "/sys/class/net/lan0/carrier") }
		must(t, f.SetLink(ctx, "leaf01", "swp1", true))
		soon(t, ctx, func() error { return want("1\n", carrier()) })
		must(t, f.SetLink(ctx, "leaf01", "swp1", false))
		soon(t, ctx, func() error { return want("0\n", carrier()) })
		if err := f.SetLink(ctx, "leaf01", "swp99", true); err == nil {
			t.Error("a port that is not there was set up")
		}
		must(t, f.Impair(ctx, "leaf01", "swp1", "loss", "100%"))
		must(t, f.Impair(ctx, "leaf01", "swp1"))
	})
	t.Run("faults", func(t *testing.T) { tryFaults(ctx, t, f) })
	t.Run("reboot", func(t *testing.T) {
		must(t, f.WriteFile(ctx, "leaf01", "/tmp/memory", nil, 0o600))
		saved := "hostname leaf01\nip prefix-list saved permit 192.0.2.0/24\n"
		must(t, f.WriteFile(ctx, "leaf01", "/etc/frr/frr.conf", []byte(saved), 0o640))
		macs := run(t, ctx, f, "leaf01", "sh", "-c", "cat /sys/class/net/swp*/address /sys/class/net/eth0/address")
		must(t, f.Reboot(ctx, "leaf01"))
		if _, err := f.ReadFile(ctx, "leaf01", "/tmp/memory"); err == nil {
			t.Error("a file in memory survived")
		}
		if _, err := f.ReadFile(ctx, "leaf01", "/etc/some/where/file"); err != nil {
			t.Errorf("a file on disk is gone: %v", err)
		}
		if got := run(t, ctx, f, "leaf01", "sh", "-c", "cat /sys/class/net/swp*/address /sys/class/net/eth0/address"); got != macs {
			t.Errorf("the ports' MACs were\n%s and are\n%s", macs, got)
		}
		soon(t, ctx, func() error {
			config, err := f.Run(ctx, "leaf01", "vtysh", "-c", "show running-config")
			if err == nil && !strings.Contains(config, "prefix-list saved") {
				err = fmt.Errorf("FRR has not loaded its saved configuration:\n%s", config)
			}
			return err
		})
		run(t, ctx, f, "leaf01", fetch...)
		must(t, f.SetLink(ctx, "leaf01", "swp1", true))
		soon(t, ctx, func() error { return want("1\n", run(t, ctx, f, "machine01", "cat", "/sys/class/net/lan0/carrier")) })
	})
	t.Run("attach", func(t *testing.T) {
		a, err := Attach(ctx, socket)
		must(t, err)
		if out := run(t, ctx, a, "spine01", "hostname"); out != "spine01\n" || a.Topology.Name != "operate" {
			t.Errorf("attached to %q, spine01 says %q", a.Topology.Name, out)
		}
		dump, err := a.DumpKernel(ctx, "leaf01")
		must(t, err)
		if !strings.Contains(dump, "# ip rule") || !strings.Contains(dump, "frr version") {
			t.Errorf("dump:\n%s", dump)
		}
		ended := make(chan error, 1)
		go func() { ended <- RequestDown(ctx, socket) }()
		<-f.DownRequested()
		must(t, f.Down())
		must(t, <-ended)
		if _, err := Attach(ctx, socket); !errors.Is(err, ErrNotRunning) {
			t.Errorf("attach to an ended lab: %v", err)
		}
	})
}

func service(t *testing.T, ctx context.Context, f *Fabric, node, name string) ServiceStatus {
	t.Helper()
	services, err := f.Services(ctx, node)
	must(t, err)
	for _, s := range services {
		if s.Name == name {
			return s
		}
	}
	t.Fatalf("%s has no service %s", node, name)
	return ServiceStatus{}
}

func want(want, got string) error {
	if got != want {
		return fmt.Errorf("got %q, want %q", got, want)
	}
	return nil
}

// soon waits for the guest.
func soon(t *testing.T, ctx context.Context, try func() error) {
	t.Helper()
	var err error
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline) && ctx.Err() == nil; time.Sleep(50 * time.Millisecond) {
		if err = try(); err == nil {
			return
		}
	}
	t.Fatal(err)
}

// tryFaults brings each fault about, sees it, and undoes it.
func tryFaults(ctx context.Context, t *testing.T, f *Fabric) {
	carrier := func(node, port, state string) {
		t.Helper()
		soon(t, ctx, func() error { return want(state, run(t, ctx, f, node, "cat", "/sys/class/net/"+port+"/carrier")) })
	}
	for _, port := range []Endpoint{{"leaf01", "swp1"}, {"leaf01", "swp49"}, {"spine01", "swp1"}} {
		must(t, f.SetLink(ctx, port.Node, port.Port, true))
	}
	for link, near := range map[string]Endpoint{"leaf01:machine01": {"leaf01", "swp1"}, "leaf01:spine01": {"leaf01", "swp49"}} {
		carrier(near.Node, near.Port, "1\n")
		must(t, f.Cut(ctx, link))
		carrier(near.Node, near.Port, "0\n")
		must(t, f.Heal(ctx, link))
		if link == "leaf01:spine01" {
			must(t, f.SetLink(ctx, "spine01", "swp1", true)) // a port that was pulled comes back down
		}
		carrier(near.Node, near.Port, "1\n")
	}
	must(t, f.Pull(ctx, "leaf01", "swp2"))
	if out := run(t, ctx, f, "leaf01", "ls", "/sys/class/net"); strings.Contains(out, "swp2") {
		t.Errorf("a pulled port is there: %s", out)
	}
	if err := f.Pull(ctx, "leaf01", "swp2"); err == nil || !strings.Contains(err.Error(), "pulled already") {
		t.Errorf("a port was pulled twice: %v", err)
	}
	if err := f.Pull(ctx, "leaf01", "swp77"); err == nil || !strings.Contains(err.Error(), "swp49") {
		t.Errorf("a port that is not there: %v", err)
	}

	must(t, f.Freeze(ctx, "leaf01", "bgpd"))
	state := []string{"sh", "-c", "cut -d' ' -f3 /proc/$(pgrep -x bgpd)/stat"}
	soon(t, ctx, func() error { return want("T\n", run(t, ctx, f, "leaf01", state...)) })
	must(t, f.Thaw(ctx, "leaf01", "bgpd"))
	soon(t, ctx, func() error { return want("S\n", run(t, ctx, f, "leaf01", state...)) })

	run(t, ctx, f, "leaf01", "ip", "address", "add", "198.51.100.1/24", "dev", "swp1")
	run(t, ctx, f, "machine01", "ip", "address", "add", "198.51.100.2/24", "dev", "lan0")
	answers := func() int {
		r, err := f.Exec(ctx, "machine01", []string{"ping", "-c", "1", "-W", "1", "198.51.100.1"}, nil)
		must(t, err)
		return r.Exit
	}
	if answers() != 0 {
		t.Error("the control: the leaf answers a ping")
	}
	must(t, f.Blackhole(ctx, "leaf01", true))
	carrier("machine01", "lan0", "1\n")
	if answers() == 0 {
		t.Error("a black hole answers a ping")
	}
	must(t, f.Blackhole(ctx, "leaf01", false))
	must(t, f.Blackhole(ctx, "leaf01", false)) // again: it is none
	if answers() != 0 {
		t.Error("a node that is no black hole any more does not answer")
	}

	must(t, f.PowerOff(ctx, "leaf01"))
	carrier("machine01", "lan0", "0\n")
	if err := f.PowerOff(ctx, "leaf01"); err == nil {
		t.Error("a node was switched off twice")
	}
	if _, err := f.Run(ctx, "leaf01", "true"); err == nil || !strings.Contains(err.Error(), "is off") {
		t.Errorf("a program ran on a node that is off: %v", err)
	}
	must(t, f.PowerOn(ctx, "leaf01"))
	if out := run(t, ctx, f, "leaf01", "ls", "/sys/class/net"); strings.Contains(out, "swp2") || !strings.Contains(out, "swp1") {
		t.Errorf("a node that was switched on has other ports than before: %s", out)
	}
	must(t, f.Plug(ctx, "leaf01", "swp2"))
	run(t, ctx, f, "leaf01", "ip", "link", "show", "swp2")
}
