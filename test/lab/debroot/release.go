package debroot

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
)

// Release is a release of Debian as the lab unpacks it.
type Release struct {
	// Name begins the name of the root in the cache.
	Name string
	// Suites are where its packages come from. One that ends in "-security" is fetched from the archive of that name.
	Suites []string
	// Packages are what the root holds besides their dependencies.
	Packages []string
}

// tools are what people, and tests, look at a node with.
var tools = []string{
	"bash", "coreutils", "util-linux", "mount", "findutils", "grep", "sed", "gawk", "diffutils", "less", "hostname",
	"procps", "psmisc", "lsof", "strace", "jq", "curl", "ca-certificates",
	"iproute2", "iputils-ping", "iputils-arping", "traceroute", "ethtool", "tcpdump", "socat", "netcat-openbsd", "iperf3", "bridge-utils",
}

// ofSwitches are FRR, what vtysh and frr-reload.py need, and what Cumulus Linux and SONiC configure a switch by.
var ofSwitches = slices.Concat(tools, []string{"frr", "frr-pythontools", "ifupdown2", "redis-server", "nftables", "conntrack"})

// Debian12 is the root that the guest boots: all programs of switches and machines, FRR 8.4.4 among them.
var Debian12 = Release{
	Name: "debian12", Suites: []string{"bookworm", "bookworm-security"}, Packages: slices.Concat(ofSwitches, []string{"user-mode-linux", "kmod", "bird2", "lldpd", "conntrackd"}),
}

// Debian13 has FRR 10.3 with mgmtd, which SONiC 202505 carries too. It is the root of switches, not of the guest: no kernel, no speakers.
var Debian13 = Release{Name: "debian13", Suites: []string{"trixie", "trixie-security"}, Packages: ofSwitches}

// Unstable has whatever FRR is newest. Its root is kept as it was first made.
var Unstable = Release{Name: "unstable", Suites: []string{"sid"}, Packages: ofSwitches}

// layout is raised when the way a root is made changes, so that older caches are not taken for it.
const layout = "4"

// Key is part of the root's name in the cache: the same packages, the same key.
func (r Release) Key() string {
	sum := sha256.Sum256([]byte(layout + "\n" + strings.Join(r.Packages, "\n")))
	return hex.EncodeToString(sum[:6])
}
