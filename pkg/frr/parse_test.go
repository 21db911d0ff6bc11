package frr

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func mustParse(t testing.TB, text string) Config {
	t.Helper()
	c, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestParse(t *testing.T) {
	tests := map[string]struct {
		text string
		want Config
	}{
		"empty":          {"", Config{}},
		"only noise":     {"Building configuration...\n\nCurrent configuration:\n!\nend\n", Config{}},
		"carriage":       {"hostname a\r\n", Config{[]Line{{Text: "hostname a"}}}},
		"spaces":         {"interface  swp1 \n", Config{[]Line{{Text: "interface swp1"}}}},
		"free text":      {"interface swp1\n description two  spaces\n", Config{[]Line{{Text: "interface swp1", Lines: []Line{{Text: "description two  spaces"}}}}}},
		"empty context":  {"route-map A permit 10\nexit\n!\nroute-map B permit 10\nexit\n", Config{[]Line{{Text: "route-map A permit 10"}, {Text: "route-map B permit 10"}}}},
		"no exit at all": {"interface a\n ip address 10.0.0.1/24\n!\ninterface b\n", Config{[]Line{{Text: "interface a", Lines: []Line{{Text: "ip address 10.0.0.1/24"}}}, {Text: "interface b"}}}},
		"nested": {"router bgp 1\n bgp router-id 1.1.1.1\n !\n address-family ipv4 unicast\n  maximum-paths 64\n exit-address-family\n!\nexit\n!\nbfd\n profile a\n exit\n !\nexit\n", Config{[]Line{
			{Text: "router bgp 1", Lines: []Line{{Text: "bgp router-id 1.1.1.1"}, {Text: "address-family ipv4 unicast", Lines: []Line{{Text: "maximum-paths 64"}}}}},
			{Text: "bfd", Lines: []Line{{Text: "profile a"}}},
		}}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, mustParse(t, test.text)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"an error of FRR's": "% Unknown command: show running-config\n",
		"a NUL":             "hostname a\x00b\n",
		"an escape":         "hostname \x1b[31m\n",
	} {
		t.Run(name, func(t *testing.T) {
			if c, err := Parse(text); err == nil {
				t.Errorf("parsed as %+v", c)
			}
		})
	}
}

func TestEqual(t *testing.T) {
	const base = "router bgp 1\n bgp router-id 1.1.1.1\n address-family ipv4 unicast\n  maximum-paths 64\n"
	tests := map[string]struct {
		a, b string
		want bool
	}{
		"order":                  {"interface b\n ip address 10.0.0.1/24\ninterface a\n ipv6 nd ra-interval 1\n", "interface a\n ipv6 nd ra-interval 1\ninterface b\n ip address 10.0.0.1/24\n", true},
		"context twice":          {"interface a\n x\n!\ninterface a\n y\n", "interface a\n y\n x\n", true},
		"default shown":          {base + " bgp ebgp-requires-policy\n", base, true},
		"other default":          {base + " no bgp ebgp-requires-policy\n", base, false},
		"profile hides":          {"frr defaults datacenter\n" + base, base + " no bgp ebgp-requires-policy\n bgp log-neighbor-changes\n", true},
		"profile does not":       {"frr defaults datacenter\n" + base, base, false},
		"platform":               {"frr version 8.4.4\nhostname x\nno ip forwarding\nlog syslog\nservice integrated-vtysh-config\nline vty\n exec-timeout 0 0\n" + base, base, true},
		"empty contexts":         {"vrf Vrf1\nexit-vrf\ninterface a\nexit\nbfd\nexit\n" + base, base, true},
		"empty route-map counts": {"route-map PM-A permit 10\nexit\n", "", false},
		"value":                  {base, "router bgp 1\n bgp router-id 1.1.1.2\n address-family ipv4 unicast\n  maximum-paths 64\n", false},
		"bfd timers":             {"bfd\n profile PM-A\n  transmit-interval 300\n", "bfd\n profile PM-A\n exit\n", true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			a, b := mustParse(t, test.a), mustParse(t, test.b)
			if a.Equal(b) != test.want || b.Equal(a) != test.want {
				t.Errorf("equal is not %v:\n%s\n---\n%s", test.want, a, b)
			}
		})
	}
}

// TestCarry: what is saved keeps the platform's lines and those of other people.
func TestCarry(t *testing.T) {
	have := mustParse(t, `frr version 8.5
frr defaults datacenter
hostname sonic
zebra nexthop-group keep 1
no ip nht resolve-via-default
vrf mgmt
 ip route 0.0.0.0/0 192.0.2.1
exit-vrf
interface swp1
 description spine
 ipv6 nd ra-interval 9
router bgp 65000
 bgp router-id 9.9.9.9
router bgp 65001 vrf mgmt
ip prefix-list OPERATOR seq 5 permit any
ip prefix-list PM-OLD seq 5 permit any
`)
	want := mustParse(t, "frr defaults traditional\nhostname leaf1\ninterface swp1\n ipv6 nd ra-interval 1\nrouter bgp 65000\n bgp router-id 1.1.1.1\n")
	const expected = `frr version 8.5
frr defaults datacenter
hostname sonic
no ip nht resolve-via-default
zebra nexthop-group keep 1
vrf mgmt
 ip route 0.0.0.0/0 192.0.2.1
exit-vrf
!
interface swp1
 description spine
 ipv6 nd ra-interval 1
exit
!
router bgp 65000
 bgp default ipv4-unicast
 bgp ebgp-requires-policy
 bgp router-id 1.1.1.1
 no bgp log-neighbor-changes
exit
!
router bgp 65001 vrf mgmt
 bgp default ipv4-unicast
 bgp log-neighbor-changes
 no bgp ebgp-requires-policy
exit
!
ip prefix-list OPERATOR seq 5 permit any
`
	if diff := cmp.Diff(expected, Carry(have, want).String()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func FuzzParse(f *testing.F) {
	goldens, _ := filepath.Glob("../../frr-templates/testdata/*.conf")
	corpus, _ := filepath.Glob("testdata/corpus/*.conf")
	goldens = append(goldens, corpus...)
	if len(goldens) == 0 {
		f.Fatal("no goldens to begin with")
	}
	for _, file := range goldens {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Add("router bgp 1 vrf Vrf1\n  x\n y\n")
	f.Add(" a\nb\n  c\n d")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := Parse(text)
		if err != nil {
			return
		}
		again, err := Parse(c.String())
		if err != nil {
			t.Fatalf("canonical form does not parse: %v\n%s", err, c)
		}
		if !again.Equal(c) {
			t.Fatalf("canonical form means something else:\n%s\n---\n%s", c, again)
		}
		if changes := Diff(c, c); len(changes) > 0 {
			t.Fatalf("differs from itself: %v", changes)
		}
		Diff(c, Config{})
		Diff(Config{}, c)
	})
}
