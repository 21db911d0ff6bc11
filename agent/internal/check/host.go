package check

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/pointsman/pointsman/agent/internal/config"
	"github.com/pointsman/pointsman/agent/internal/lldp"
	"github.com/pointsman/pointsman/agent/internal/plan"
)

// needed capabilities, and what each is for.
var needed = []struct {
	bit       int
	name, why string
}{
	{unix.CAP_NET_ADMIN, "CAP_NET_ADMIN", "ports, VRFs, routes, sysctls, nftables"},
	{unix.CAP_NET_RAW, "CAP_NET_RAW", "LLDP, and connections that leave by a device"},
	{unix.CAP_DAC_OVERRIDE, "CAP_DAC_OVERRIDE", "FRR's sockets and files"},
	{unix.CAP_CHOWN, "CAP_CHOWN", "FRR's configuration file stays FRR's"},
}

func capabilities() []Result {
	const name, remedy = "permissions", "run the agent as root, or give its service the capabilities (AmbientCapabilities= in systemd)"
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var have [2]unix.CapUserData
	if err := unix.Capget(&header, &have[0]); err != nil {
		return []Result{fail(name, remedy, "read capabilities: %v", err)}
	}
	var missing []string
	for _, c := range needed {
		if have[c.bit/32].Effective&(1<<(c.bit%32)) == 0 {
			missing = append(missing, c.name+" ("+c.why+")")
		}
	}
	if len(missing) > 0 {
		return []Result{fail(name, remedy, "missing: %s", strings.Join(missing, ", "))}
	}
	return []Result{ok(name, "all capabilities are there")}
}

// sysctls must be there and be writable; their values are the agent's to set.
func sysctls() []Result {
	var missing, locked []string
	for _, path := range plan.SwitchSysctls() {
		file := filepath.Join("/proc/sys", path)
		switch err := unix.Access(file, unix.W_OK); {
		case errors.Is(err, fs.ErrNotExist):
			missing = append(missing, path)
		case err != nil:
			locked = append(locked, path)
		}
	}
	switch {
	case len(missing) > 0:
		return []Result{fail("sysctls", "a kernel with IPv6, VRFs and multipath (CONFIG_IPV6, CONFIG_NET_L3_MASTER_DEV, CONFIG_IP_ROUTE_MULTIPATH), not disabled by ipv6.disable=1", "not there: %s", strings.Join(missing, ", "))}
	case len(locked) > 0:
		return []Result{fail("sysctls", "run as root; in a container, mount /proc/sys writable", "not writable: %s", strings.Join(locked, ", "))}
	}
	return []Result{ok("sysctls", "%d are there and writable", len(plan.SwitchSysctls()))}
}

// ports tries an LLDP socket on each port that is ours.
func ports(cfg config.Config) []Result {
	const name = "lldp sockets"
	tried, err := lldp.Try(func(port string) bool { return !slices.Contains(cfg.Management, port) })
	if err != nil {
		return []Result{fail(name, "the agent needs netlink", "%v", err)}
	}
	var bad []string
	for _, t := range tried {
		if t.Err != nil {
			bad = append(bad, fmt.Sprintf("%s: %v", t.Port, t.Err))
		}
	}
	switch {
	case len(tried) == 0:
		return []Result{warn(name, "check management-ports in the configuration, and that the ports' driver is loaded; ports that come later are found without a restart", "there is no front-panel port")}
	case len(bad) > 0:
		return []Result{fail(name, "CAP_NET_RAW, and a kernel with CONFIG_PACKET", "%s", strings.Join(bad, "; "))}
	}
	return []Result{ok(name, "opened on %d ports", len(tried))}
}

// minFree is what the last intent, the assignments and two journals take at most, with room to spare.
const minFree = 16 << 20

func stateDir(dir string) []Result {
	const name = "state directory"
	remedy := fmt.Sprintf("make %s a directory on a disk that survives a reboot, writable by the agent; or set state-dir", dir)
	// An agent that runs keeps its files there; what does not exist yet is tried in the nearest directory above it that does.
	at := dir
	for {
		info, err := os.Stat(at)
		if err == nil && !info.IsDir() {
			return []Result{fail(name, remedy, "%s is no directory", at)}
		}
		if err == nil {
			break
		}
		if !errors.Is(err, fs.ErrNotExist) || at == filepath.Dir(at) {
			return []Result{fail(name, remedy, "%v", err)}
		}
		at = filepath.Dir(at)
	}
	if err := tryWrite(at); err != nil {
		return []Result{fail(name, remedy, "%v", err)}
	}
	var disk unix.Statfs_t
	if err := unix.Statfs(at, &disk); err != nil {
		return []Result{fail(name, remedy, "read free space of %s: %v", at, err)}
	}
	if disk.Type == unix.TMPFS_MAGIC || disk.Type == unix.RAMFS_MAGIC {
		return []Result{warn(name, "put state-dir on a disk: without its last intent a switch that boots while etcd is away forwards nothing", "%s is in memory and gone after a reboot", dir)}
	}
	if free := disk.Bavail * uint64(disk.Bsize); free < minFree {
		return []Result{fail(name, "make room: the agent keeps its last intent and a journal there", "%d MiB are free on the disk of %s, %d are needed", free>>20, dir, minFree>>20)}
	}
	return []Result{ok(name, "%s is writable", dir)}
}

// tryWrite writes and syncs a file, and takes it away.
func tryWrite(dir string) error {
	file, err := os.CreateTemp(dir, ".pointsman-check-*")
	if err != nil {
		return fmt.Errorf("write to %s: %w", dir, err)
	}
	defer func() { _ = os.Remove(file.Name()) }()
	_, err = file.WriteString("check")
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return fmt.Errorf("write to %s: %w", dir, err)
	}
	return nil
}
