package frr

import (
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/pointsman/pointsman/pkg/netmodel"
)

func sample(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestParseSession(t *testing.T) {
	const text = `{"swp1":{"remoteAs":65000,"bgpState":"Established","hostname":"m1"},"vrfId":3}`
	if s, err := parseSession(text, "Vrf1", "swp1"); err != nil || !s.Established || s.VRF != "Vrf1" || s.Interface != "swp1" || s.Hostname != "m1" {
		t.Errorf("%+v, %v", s, err)
	}
	for _, none := range []string{"", "{}", "% No such neighbor or address family\n", `{"bgpNoSuchNeighbor":true}`} {
		if s, err := parseSession(none, "Vrf1", "swp1"); err != nil || s != (Session{}) {
			t.Errorf("%q: %+v, %v", none, s, err)
		}
	}
	if _, err := parseSession(`{"swp1":[]}`, "", "swp1"); err == nil {
		t.Error("a list was taken for a neighbour")
	}
}

func TestParseSessions(t *testing.T) {
	waiting := func(vrf, port string, asn netmodel.ASN) Session {
		return Session{VRF: vrf, Interface: port, State: "Idle", RemoteAS: asn, LastResetReason: "Waiting for Peer IPv6 LLA", BFD: "Unknown"}
	}
	tests := map[string]struct {
		text string
		want []Session
	}{
		"FRR 8.4.4": {sample(t, "neighbors-8.4.4.json"), []Session{
			waiting("", "swp10", 0), waiting("", "swp9", 0), waiting("Vrf100001", "swp1", 4201000001),
			{
				VRF: "Vrf100001", Interface: "swp3", State: "Established", Established: true, RemoteAS: 4201000003, PrefixesReceived: 3,
				EstablishedTime: time.Unix(1795424176, 0).UTC(), LastResetReason: "No AFI/SAFI activated for peer", Hostname: "guest", BFD: "Down", Address: netip.MustParseAddr("fe80::2064:6aff:fefa:e5bb"),
			},
			waiting("Vrf100002", "swp2", 4201000002),
		}},
		"families by their long names": {
			`{"Vrf1":{"vrfId":3,"swp1":{"bgpState":"Established","remoteAs":65000,"addressFamilyInfo":{"IPv4 Unicast":{"acceptedPrefixCounter":2},"IPv6 Unicast":{"acceptedPrefixCounter":5}}}}}`,
			[]Session{{VRF: "Vrf1", Interface: "swp1", State: "Established", Established: true, RemoteAS: 65000, PrefixesReceived: 7}},
		},
		"AS numbers with dots": {`{"default":{"swp1":{"bgpState":"Active","remoteAs":"64086.59904"}}}`, []Session{{Interface: "swp1", State: "Active", RemoteAS: 4200000000}}},
		"too many prefixes": {
			`{"default":{"swp1":{"bgpState":"Idle","remoteAs":65000,"prefixesConfigExceedMax":"Peer had exceeded the max. no. of prefixes configured."}}}`,
			[]Session{{Interface: "swp1", State: "Idle (PfxCt)", RemoteAS: 65000}},
		},
		"no instance": {"{\n}\n", nil},
		"a sentence":  {"% BGP instance not found\n", nil},
		"nothing":     {"", nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := parseSessions(test.text)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got, cmpopts.EquateComparable(netip.Addr{})); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestParseLostNextHops(t *testing.T) {
	const old = `Current BGP nexthop cache:
 10.255.1.3 valid [IGP metric 0], #paths 8
  gate fe80::1:ff:fe01:1, if swp49
  Last update: Fri Nov 27 17:45:47 2026

 10.255.1.2 invalid, #paths 8
  Last update: Fri Nov 27 17:45:47 2026

 fe80::1:ff:fe01:1 invalid, #paths 4
  Must be Connected
  Last update: Fri Nov 27 17:45:30 2026

 fe80::1:ff:fe02:1 valid [IGP metric 0], #paths 4
  if swp49
  Last update: Fri Nov 27 17:44:54 2026

 fe80::1:ff:fe03:1 invalid, #paths 0, peer swp50
  Must be Connected
  Last update: Fri Nov 27 17:44:54 2026
`
	const recent = `Current BGP nexthop cache:
 fe80::1:ff:fe01:2 invalid, #paths 12, peer swp49
  Resolved prefix UNK prefix
  Must be Connected
  Last update: Fri Nov 27 17:33:24 2026
 fe80::1:ff:fe02:2 valid [IGP metric 0], #paths 4, peer swp50
  Resolved prefix UNK prefix
  Last update: Fri Nov 27 17:33:24 2026
`
	for name, test := range map[string]struct {
		text string
		want []string
	}{
		"8.4.4":  {old, []string{"10.255.1.2", "fe80::1:ff:fe01:1"}},
		"10.3":   {recent, []string{"fe80::1:ff:fe01:2"}},
		"none":   {"Current BGP nexthop cache:\n", nil},
		"no BGP": {"% No BGP process is configured\n", nil},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for a := range parseLostNextHops(test.text) {
				got = append(got, a.String())
			}
			slices.Sort(got)
			if !slices.Equal(got, test.want) {
				t.Errorf("lost %v, want %v", got, test.want)
			}
		})
	}
}

func TestParseOrigins(t *testing.T) {
	const twice = `{"10.0.0.1:2":{"routeType":5,"ipLen":32,"ip":"10.1.0.1","paths":[
  {"valid":true,"extendedCommunity":{"string":"RT:64512:100001 ET:8"},"nexthops":[{"ip":"10.0.0.1"}]},
  {"valid":true,"extendedCommunity":{"string":"RT:64512:100001 ET:8"},"nexthops":[{"ip":"10.0.0.1"}]}]},
"10.0.0.2:2":{"routeType":5,"ipLen":32,"ip":"10.1.0.1","paths":[
  {"valid":true,"extendedCommunity":{"string":"RT:64512:100001 RT:64512:7"},"nexthops":[{"ip":"10.0.0.2"}]}]},
"10.0.0.3:2":{"routeType":5,"ipLen":32,"ip":"10.1.0.1","paths":[
  {"valid":false,"extendedCommunity":{"string":"RT:64512:100001"},"nexthops":[{"ip":"10.0.0.3"}]}]},
"10.0.0.4:2":{"routeType":5,"ipLen":16,"ip":"10.1.0.0","paths":[
  {"valid":true,"extendedCommunity":{"string":"RT:64512:100001"},"nexthops":[{"ip":"10.0.0.4"}]}]},
"10.0.0.5:2":{"routeType":5,"ipLen":32,"ip":"10.1.0.1","paths":[
  {"valid":true,"extendedCommunity":{"string":"RT:64512:1000011"},"nexthops":[{"ip":"10.0.0.5"}]}]},
"numPaths":5}`
	tests := map[string]struct {
		text, prefix string
		vni          netmodel.VNI
		want         []netip.Addr
	}{
		"FRR 8.4.4":               {sample(t, "evpn-8.4.4.json"), "10.1.0.3/32", 100001, addrs("10.0.0.1")},
		"another VNI":             {sample(t, "evpn-8.4.4.json"), "10.1.0.3/32", 100002, nil},
		"another prefix":          {sample(t, "evpn-8.4.4.json"), "10.1.0.2/32", 100001, nil},
		"two leaves, two spines":  {twice, "10.1.0.1/32", 100001, addrs("10.0.0.1", "10.0.0.2")},
		"only one has the target": {twice, "10.1.0.1/32", 7, addrs("10.0.0.2")},
		"nobody":                  {"{\n}\n", "10.1.0.1/32", 7, nil},
		"a sentence":              {"% Network not in table\n", "10.1.0.1/32", 7, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := parseOrigins(test.text, test.vni, netip.MustParsePrefix(test.prefix))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestParseRouterMACs(t *testing.T) {
	const imported = `{"10.0.0.1:2":{"routeType":5,"ipLen":0,"ip":"0.0.0.0","paths":[
  {"valid":true,"extendedCommunity":{"string":"RT:64512:7 ET:8 Rmac:02:00:00:00:00:07"},"nexthops":[{"ip":"10.0.0.1"}]}]},
"10.0.0.1:3":{"routeType":5,"ipLen":0,"ip":"0.0.0.0","paths":[
  {"valid":true,"extendedCommunity":{"string":"RT:64512:8 ET:8 Rmac:02:00:00:00:00:08"},"nexthops":[{"ip":"10.0.0.1"}]},
  {"valid":false,"extendedCommunity":{"string":"RT:64512:8 ET:8 Rmac:02:00:00:00:00:09"},"nexthops":[{"ip":"10.0.0.2"}]},
  {"valid":true,"extendedCommunity":{"string":"RT:64512:8 ET:8 Rmac:nonsense"},"nexthops":[{"ip":"10.0.0.3"}]},
  {"valid":true,"extendedCommunity":{"string":"RT:64512:9 ET:8 Rmac:02:00:00:00:00:0a"},"nexthops":[{"ip":"10.0.0.4"}]}]}}`
	tests := map[string]struct {
		text, prefix string
		vni          netmodel.VNI
		want         map[string]string
	}{
		"FRR 8.4.4":            {sample(t, "evpn-8.4.4.json"), "10.1.0.3/32", 100001, map[string]string{"10.0.0.1": "6e:c9:19:e0:37:a9"}},
		"another prefix":       {sample(t, "evpn-8.4.4.json"), "10.1.0.2/32", 100001, map[string]string{}},
		"from two VRFs":        {imported, "0.0.0.0/0", 8, map[string]string{"10.0.0.1": "02:00:00:00:00:08", "10.0.0.4": "02:00:00:00:00:0a"}},
		"from the other first": {imported, "0.0.0.0/0", 7, map[string]string{"10.0.0.1": "02:00:00:00:00:07", "10.0.0.4": "02:00:00:00:00:0a"}},
		"a sentence":           {"% Network not in table\n", "10.1.0.1/32", 7, map[string]string{}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			macs, err := parseRouterMACs(test.text, test.vni, netip.MustParsePrefix(test.prefix))
			if err != nil {
				t.Fatal(err)
			}
			got := map[string]string{}
			for vtep, mac := range macs {
				got[vtep.String()] = mac.String()
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func addrs(texts ...string) []netip.Addr {
	var out []netip.Addr
	for _, text := range texts {
		out = append(out, netip.MustParseAddr(text))
	}
	return out
}

func TestParseVersion(t *testing.T) {
	got, err := parseVersion("FRRouting 8.4.4 (leaf1) on Linux(6.1.176).\nCopyright 1996-2005 Kunihiro Ishiguro, et al.\n")
	if err != nil || got != "8.4.4" {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := parseVersion("% Unknown command"); err == nil {
		t.Errorf("%q", got)
	}
}

func FuzzParseSessions(f *testing.F) {
	f.Add(sample(f, "neighbors-8.4.4.json"))
	f.Add(`{"default":{"vrfName":"default","swp1":{"bgpState":"Active","remoteAs":"1.1","addressFamilyInfo":{"x":{"acceptedPrefixCounter":1}}}}}`)
	f.Fuzz(func(t *testing.T, text string) {
		sessions, err := parseSessions(text)
		if err != nil && sessions != nil {
			t.Errorf("sessions %v beside error %v", sessions, err)
		}
		for _, s := range sessions {
			if s.Established != (s.State == "Established") || !s.Established && !s.EstablishedTime.IsZero() {
				t.Errorf("%+v contradicts itself", s)
			}
		}
	})
}

func FuzzParseOrigins(f *testing.F) {
	f.Add(sample(f, "evpn-8.4.4.json"), uint32(100001))
	f.Add(`{"1:1":{"routeType":5,"ipLen":32,"ip":"10.1.0.3","paths":[{"valid":true,"extendedCommunity":{"string":"RT:64512:7"},"nexthops":[{"ip":"x"}]}]}}`, uint32(7))
	f.Fuzz(func(t *testing.T, text string, vni uint32) {
		origins, err := parseOrigins(text, netmodel.VNI(vni), netip.MustParsePrefix("10.1.0.3/32"))
		if err != nil && origins != nil {
			t.Errorf("origins %v beside error %v", origins, err)
		}
		for _, o := range origins {
			if !o.IsValid() {
				t.Error("an origin that is no address")
			}
		}
	})
}
