package kernel

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/pointsman/pointsman/test/lab/uml"
)

// feature is something that the lab needs of its kernel, with a command that works only where it is.
type feature struct{ name, command string }

// features are tried in order, in one guest; later ones use what earlier ones made.
var features = []feature{
	{"dummy", "ip link add d0 type dummy && ip link set d0 up"},
	{"veth and network namespaces", "ip netns add n0 && ip link add v0 type veth peer name v1 netns n0"},
	{"vrf", "ip link add red type vrf table 10 && ip link set d0 master red"},
	{"VLAN-filtering bridge", "ip link add br0 type bridge vlan_filtering 1 && ip link set v0 master br0 && bridge vlan add dev v0 vid 10"},
	{"802.1Q", "ip link add vlan10 link br0 type vlan id 10"},
	{"vxlan", "ip link add vni100 type vxlan id 100 dstport 4789 local 192.0.2.1 nolearning"},
	{"macvlan", "ip link add m0 link d0 type macvlan"},
	{"bonding", "ip link add b0 type bond"},
	{"tun", "ip tuntap add t0 mode tap"},
	{"nlmon", "ip link add mon0 type nlmon"},
	{"policy rules", "ip rule add pref 77 lookup 77 && ip -6 rule add pref 77 lookup 77"},
	{"multipath routes", "ip link set br0 up && ip addr add 192.0.2.9/24 dev br0 && ip route add 198.51.100.0/24 nexthop via 192.0.2.1 nexthop via 192.0.2.2"},
	{"netem", "tc qdisc add dev d0 root netem loss 100%"},
	{"flower and police", "tc qdisc add dev v0 clsact && tc filter add dev v0 ingress protocol ip flower dst_ip 192.0.2.1 action police rate 1mbit burst 10k drop"},
	{"overlay", "mkdir -p /tmp/o/{l,u,w,m} && mount -t tmpfs o /tmp/o/u && mkdir /tmp/o/u/{u,w} && mount -t overlay o -o lowerdir=/tmp/o/l,upperdir=/tmp/o/u/u,workdir=/tmp/o/u/w /tmp/o/m"},
	{"pid and mount namespaces", "unshare --fork --pid --mount --uts --ipc --user true"},
	{"nftables family ip", "nft add table ip t && nft 'add chain ip t c { type nat hook postrouting priority 100; }' && nft add rule ip t c masquerade"},
	{"nftables family ip6", "nft add table ip6 t && nft 'add chain ip6 t c { type route hook output priority 0; }'"},
	{"nftables family arp", "nft add table arp t && nft 'add chain arp t c { type filter hook input priority 0; }'"},
	{"nftables family bridge", "nft add table bridge t && nft 'add chain bridge t c { type filter hook input priority 0; }' && nft add rule bridge t c meta ibrname br0 accept"},
	{"nftables family netdev", "nft add table netdev t && nft 'add chain netdev t c { type filter hook ingress device d0 priority 0; }'"},
	{"nftables family inet", "nft add table inet t && nft 'add chain inet t c { type filter hook input priority 0; }'"},
	{"nftables ingress in inet", "nft 'add chain inet t i { type filter hook ingress device d0 priority 0; }' && nft add rule inet t i meta mark set 1"},
	{"conntrack", "nft add rule inet t c ct state established,related accept"},
	{"limit", "nft 'add set inet t s { type mark; size 10; flags dynamic; }' && nft 'add rule inet t c update @s { meta mark limit rate over 1/second } counter drop'"},
	{"fib", "nft 'add chain inet t p { type filter hook prerouting priority 0; }' && nft add rule inet t p fib daddr type local counter"},
	{"reject and log", "nft add rule inet t c log prefix x reject with icmpx admin-prohibited"},
	{"interface of a VRF's port", "nft add rule inet t c meta sdifname d0 accept"},
}

// probeScript prints a line for each feature: "ok" or "lacking", its name, and what the command said.
func probeScript() string {
	var script strings.Builder
	for _, f := range features {
		fmt.Fprintf(&script, "if said=$({ %s; } 2>&1); then echo \"ok\t%s\"; else echo \"lacking\t%s\t$(echo $said)\"; fi\n", f.command, f.name, f.name)
	}
	return script.String()
}

// probe boots the new kernel and tries every feature.
func (b *build) probe(ctx context.Context) error {
	b.step("boot it and try %d features", len(features))
	return probe(ctx, filepath.Join(b.out(), binary), b.root)
}

func probe(ctx context.Context, kernel, root string) error {
	return probeGuest(ctx, uml.Config{Root: root, Kernel: kernel, Memory: "256M"})
}

// Native tries every feature on the host's own kernel, in namespaces that are gone when it returns, and says in one line on log that a
// fabric can run there, or what is missing.
func Native(ctx context.Context, root string, log io.Writer) error {
	const remedy = "load its modules on this host (modprobe vrf vxlan, and so on) where the kernel was built with them, or leave --native out: a guest brings a kernel of its own"
	who, err := uml.NativeRights()
	if err != nil {
		return err
	}
	if err := probeGuest(ctx, uml.Config{Root: root, Memory: "64M", Native: true}); err != nil {
		return fmt.Errorf("run natively: %w\n%s", err, remedy)
	}
	fmt.Fprintf(log, "lab: kernel: this host's own (--native), in namespaces, %s\n", who)
	return nil
}

func probeGuest(ctx context.Context, config uml.Config) error {
	var out, complaints bytes.Buffer // each is written by a goroutine of its own
	exit, err := uml.Run(ctx, config,
		uml.Command{Argv: []string{"bash", "-c", probeScript()}, Stdout: &out, Stderr: &complaints, Timeout: 2 * time.Minute})
	if err != nil {
		return fmt.Errorf("boot a guest: %w", err)
	}
	if exit != 0 {
		return fmt.Errorf("try the kernel's features: exit code %d\n%s", exit, complaints.String())
	}
	return judge(out.String())
}

// judge wants every feature to have been said to be there.
func judge(output string) error {
	said := map[string]bool{}
	var lacking []string
	for line := range strings.Lines(output) {
		words := strings.SplitN(strings.TrimRight(line, "\n"), "\t", 3)
		if len(words) > 1 {
			said[words[1]] = true
		}
		if words[0] == "lacking" {
			lacking = append(lacking, strings.Join(words[1:], ": "))
		}
	}
	for _, f := range features {
		if !said[f.name] {
			lacking = append(lacking, f.name+": not tried")
		}
	}
	if len(lacking) > 0 {
		return fmt.Errorf("the kernel lacks\n  %s", strings.Join(lacking, "\n  "))
	}
	return nil
}
