// Package kernelbench is a switch on the conformance bench whose kernel and FRR are real: network namespaces with veth pairs for
// ports, and FRR's daemons. Tests of backends that configure a kernel run on it, in the lab's guest. It knows no backend.
package kernelbench

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Devices are a leaf's ports in a network namespace of the test's own, and the machines on them. The test keeps to one thread, whose
// namespace it is.
type Devices struct {
	*testing.T
	// Machines are the processes of each port's machine.
	Machines []int
}

const ports = 4

// Management are the ports that are nobody's to configure.
var Management = []string{"eth0", "up0"}

// NewDevices makes ports swp1 to swp4, down, and eth0.
func NewDevices(t *testing.T) *Devices {
	t.Helper()
	runtime.LockOSThread() // never unlocked: the thread goes with the goroutine, and the namespace with it
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Fatal(err)
	}
	d := &Devices{T: t}
	for i := 1; i <= ports; i++ {
		d.Machines = append(d.Machines, d.machine())
		d.plug(i, fmt.Sprintf("swp%d", i), d.Machines[i-1])
	}
	d.IP("link add eth0 type veth peer name up0")
	return d
}

// PlugNew makes a port with a machine of its own on it.
func (d *Devices) PlugNew(number int, port string) {
	d.Helper()
	d.plug(number, port, d.machine())
}

// plug: where both ends happen to have one index, the kernel takes the link for no pair, and notices its carrier up to a second late.
func (d *Devices) plug(number int, port string, machine int) {
	d.Helper()
	d.IP("link add %s index %d type veth peer name m%d netns %d", port, 100+number, number, machine)
	d.Command(fmt.Sprintf("nsenter -t %d -n ip link set m%d mtu 9216 up", machine, number))
}

// machine starts a process in a namespace of its own, which is the machine on a port.
func (d *Devices) machine() int {
	d.Helper()
	cmd := exec.Command("unshare", "-n", "sleep", "infinity")
	if err := cmd.Start(); err != nil {
		d.Fatal(err)
	}
	d.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	// Until it has left our namespace, it is no other.
	own, err := os.Readlink("/proc/thread-self/ns/net")
	if err != nil {
		d.Fatal(err)
	}
	for {
		other, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/net", cmd.Process.Pid))
		if err != nil {
			d.Fatal(err)
		}
		if other != own {
			return cmd.Process.Pid
		}
		runtime.Gosched()
	}
}

// IP runs ip(8).
func (d *Devices) IP(format string, args ...any) string {
	d.Helper()
	return d.Command("ip " + fmt.Sprintf(format, args...))
}

// Command runs a command of plain words, and returns what it prints.
func (d *Devices) Command(command string) string {
	d.Helper()
	words := strings.Fields(command)
	out, err := exec.Command(words[0], words[1:]...).CombinedOutput()
	if err != nil {
		d.Fatalf("%s: %v: %s", command, err, out)
	}
	return string(out)
}

// Here runs something in another goroutine, in this thread's namespace: sockets and programs belong to that of the thread that
// opens them. What it returns goes to done.
func Here(t *testing.T, done chan<- error, do func() error) {
	t.Helper()
	ns, err := unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		defer unix.Close(ns)
		runtime.LockOSThread() // never unlocked, as above
		if err := unix.Setns(ns, unix.CLONE_NEWNET); err != nil {
			done <- err
			return
		}
		done <- do()
	}()
}
