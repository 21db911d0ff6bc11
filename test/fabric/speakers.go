package fabric

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"text/template"

	apiv1 "github.com/pointsman/pointsman/pkg/api/v1"
	"github.com/pointsman/pointsman/test/lab"
)

// What an operator's installer makes of the machine file for machines that run another speaker: the file says all that it needs.

// speakerView is the machine file for a template.
type speakerView struct {
	ASN      uint32
	RouterID string
	V4, V6   []netip.Prefix
	Uplinks  []string
}

func viewOf(c *apiv1.MachineConfig) (speakerView, error) {
	v := speakerView{ASN: c.Asn}
	for _, text := range c.Addresses {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return speakerView{}, fmt.Errorf("address of machine %s: %w", c.Machine, err)
		}
		if p.Addr().Is4() {
			v.V4 = append(v.V4, p)
		} else {
			v.V6 = append(v.V6, p)
		}
	}
	// A machine without IPv4 takes any number that no other has.
	v.RouterID = netip.AddrFrom4([4]byte{byte(c.Asn>>24) & 0x7f, byte(c.Asn >> 16), byte(c.Asn >> 8), byte(c.Asn)}).String()
	if len(v.V4) > 0 {
		v.RouterID = v.V4[0].Addr().String()
	}
	for _, u := range c.Uplinks {
		v.Uplinks = append(v.Uplinks, u.Name)
	}
	return v, nil
}

// birdConfig is for BIRD 2, with BFD. The leaf opens the session once it has heard a router advertisement, hence radv and passive. By
// default BIRD refuses a leaf that went down for a minute and more (error wait time), so that it would be alone on the other that long.
var birdConfig = template.Must(template.New("bird.conf").Parse(`router id {{.RouterID}};
protocol device {}
protocol static own4 { ipv4; {{range .V4}}route {{.}} via "lo"; {{end}}}
protocol static own6 { ipv6; {{range .V6}}route {{.}} via "lo"; {{end}}}
protocol kernel kernel4 { merge paths on; ipv4 { import none; export filter { if source != RTS_BGP then reject; {{range .V4}}krt_prefsrc = {{.Addr}}; {{end}}accept; }; }; }
protocol kernel kernel6 { merge paths on; ipv6 { import none; export filter { if source != RTS_BGP then reject; {{range .V6}}krt_prefsrc = {{.Addr}}; {{end}}accept; }; }; }
protocol radv { {{range .Uplinks}}interface "{{.}}" { min ra interval 3; max ra interval 10; default lifetime 0; }; {{end}}}
protocol bfd { {{range .Uplinks}}interface "{{.}}" { interval 200 ms; multiplier 3; }; {{end}}}
{{range .Uplinks}}
protocol bgp {{.}} {
	local as {{$.ASN}};
	neighbor range fe80::/64 external;
	interface "{{.}}";
	passive on;
	hold time 9;
	error wait time 1, 5;
	bfd on;
	ipv4 { import all; export where source = RTS_STATIC; extended next hop on; };
	ipv6 { import all; export where source = RTS_STATIC; };
}
{{end}}`))

// frrConfig is for FRR 8, with BFD. Without its first line, zebra 8.4.4 leaves a next hop out of its group for good when its link went
// and came back; on a switch, the agent sets that right.
var frrConfig = template.Must(template.New("frr.conf").Parse(`no zebra nexthop kernel enable
interface lo
{{range .V4}} ip address {{.}}
{{end}}{{range .V6}} ipv6 address {{.}}
{{end}}exit
{{range .Uplinks}}interface {{.}}
 no ipv6 nd suppress-ra
 ipv6 nd ra-interval 10
 ipv6 nd ra-lifetime 0
exit
{{end}}{{range .V4}}route-map SOURCE4 permit 10
 set src {{.Addr}}
exit
ip protocol bgp route-map SOURCE4
{{end}}{{range .V6}}route-map SOURCE6 permit 10
 set src {{.Addr}}
exit
ipv6 protocol bgp route-map SOURCE6
{{end}}router bgp {{.ASN}}
 bgp router-id {{.RouterID}}
 no bgp ebgp-requires-policy
 bgp bestpath as-path multipath-relax
{{range .Uplinks}} neighbor {{.}} interface remote-as external
 neighbor {{.}} timers 3 9
 neighbor {{.}} bfd 3 200 200
{{end}} address-family ipv4 unicast
{{range .V4}}  network {{.}}
{{end}} exit-address-family
 address-family ipv6 unicast
{{range .Uplinks}}  neighbor {{.}} activate
{{end}}{{range .V6}}  network {{.}}
{{end}} exit-address-family
exit
`))

// foreignSpeaker is how a machine with another speaker is installed and wiped.
type foreignSpeaker struct {
	config *template.Template
	file   string
	// install runs with the file in place, the first time and after each change of it. It says its addresses itself where
	// the speaker does not set them.
	install, wipe string
}

var foreignSpeakers = map[string]foreignSpeaker{
	lab.BIRD: {
		config: birdConfig, file: "/etc/bird/bird.conf",
		install: `ip address flush dev lo scope global; for a; do ip address add $a dev lo; done
if [ -S /run/bird/bird.ctl ] && birdc -s /run/bird/bird.ctl show status >/dev/null 2>&1; then birdc -s /run/bird/bird.ctl configure; else bird -c /etc/bird/bird.conf -s /run/bird/bird.ctl -P /run/bird/bird.pid; fi`,
		wipe: `[ ! -S /run/bird/bird.ctl ] || birdc -s /run/bird/bird.ctl down >/dev/null || true; rm -f /etc/bird/bird.conf; ip address flush dev lo scope global; true`,
	},
	lab.FRR: {
		config: frrConfig, file: "/etc/frr/frr.conf",
		install: frrWipe + `for d in zebra bgpd bfdd; do /usr/lib/frr/$d -d -u frr -g frr -f /dev/null -A 127.0.0.1 -P 0; done
vtysh -f /etc/frr/frr.conf`,
		wipe: frrWipe + `rm -f /etc/frr/frr.conf`,
	},
}

// frrWipe ends FRR with its routes and addresses; bgpd goes first, and says goodbye to the leaves.
const frrWipe = `for d in bgpd bfdd zebra; do p=$(cat /run/frr/$d.pid 2>/dev/null) && kill $p && while kill -0 $p 2>/dev/null; do sleep 0.05; done; done
for f in -4 -6; do ip $f route flush proto bgp; done; ip address flush dev lo scope global
`

// writeMachine installs a machine: our speaker by its file, another by what is made of it.
func (f *Fabric) writeMachine(ctx context.Context, machine string, file []byte, config *apiv1.MachineConfig) error {
	speaker, foreign := foreignSpeakers[f.speaker(machine)]
	if !foreign {
		return f.Lab.WriteFile(ctx, machine, machineFile, file, 0o644)
	}
	view, err := viewOf(config)
	if err != nil {
		return err
	}
	var text strings.Builder
	if err := speaker.config.Execute(&text, view); err != nil {
		return err
	}
	if err := f.Lab.WriteFile(ctx, machine, speaker.file, []byte(text.String()), 0o644); err != nil {
		return err
	}
	_, err = f.Lab.Run(ctx, machine, append([]string{"sh", "-c", speaker.install, "install"}, config.Addresses...)...)
	return err
}

// clearMachine takes off a machine what writeMachine has put there.
func (f *Fabric) clearMachine(ctx context.Context, machine string) error {
	wipe := "rm -f " + machineFile
	if speaker, foreign := foreignSpeakers[f.speaker(machine)]; foreign {
		wipe = speaker.wipe
	}
	_, err := f.Lab.Run(ctx, machine, "sh", "-c", wipe)
	return err
}

func (f *Fabric) speaker(machine string) string {
	for _, m := range f.Inventory.Machines {
		if m.Name == machine {
			return m.Kind.Speaker
		}
	}
	return lab.Pointsman
}
