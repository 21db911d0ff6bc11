package host

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var comparable = cmpopts.EquateComparable(netip.Prefix{}, netip.Addr{})

const goodMachine = `{"machine":"m1","allocation":"a1","project":"default","hostname":"web","asn":4201000001,
"addresses":["fd00:1::5/128","10.1.0.5/32","10.1.0.5"],"mtu":9000,"generation":"7",
"uplinks":[{"mac":"02:00:5E:10:00:01","switch":"leaf01","port":"swp1","switchAsn":4200000001},{"name":"lan1"}]}`

func TestParseMachine(t *testing.T) {
	have, err := parseMachine([]byte(goodMachine))
	if err != nil {
		t.Fatal(err)
	}
	want := Machine{
		Machine: "m1", Allocation: "a1", Hostname: "web", ASN: 4201000001, MTU: 9000,
		Addresses: []netip.Prefix{netip.MustParsePrefix("10.1.0.5/32"), netip.MustParsePrefix("fd00:1::5/128")},
		Uplinks:   []Uplink{{MAC: "02:00:5E:10:00:01", PeerASN: 4200000001}, {Name: "lan1"}},
	}
	if diff := cmp.Diff(want, have, comparable); diff != "" {
		t.Error("-want +have:\n", diff)
	}
	if id := have.routerID(); id != netip.MustParseAddr("10.1.0.5") {
		t.Errorf("router ID %v", id)
	}
}

// TestParseMachineRefuses: every error names its field, and all of them are told.
func TestParseMachineRefuses(t *testing.T) {
	for text, wants := range map[string][]string{
		`{`:                            {"unexpected EOF"},
		`[]`:                           {"unexpected token"},
		`{"asn":-1}`:                   {"asn"},
		`{"asn":"x"}`:                  {"asn"},
		`{}`:                           {"asn: is missing"},
		`{"asn":1,"mtu":500}`:          {"mtu: 500"},
		`{"asn":1,"mtu":10000}`:        {"mtu: 10000"},
		`{"asn":1,"addresses":["x"]}`:  {`addresses[0]: "x"`},
		`{"asn":1,"addresses":[""]}`:   {`addresses[0]: ""`},
		`{"addresses":["10.0.0.0/8"]}`: {"asn: is missing", "addresses[0]: 10.0.0.0/8 is not a host address; write 10.0.0.0/32"},
		`{"asn":1,"addresses":["10.0.0.1","127.0.0.1"]}`:              {"addresses[1]: 127.0.0.1 is not"},
		`{"asn":1,"addresses":["fe80::1"]}`:                           {"addresses[0]: fe80::1 is not"},
		`{"asn":1,"addresses":["fe80::1%lan0"]}`:                      {"addresses[0]"},
		`{"asn":1,"addresses":["ff02::1"]}`:                           {"addresses[0]"},
		`{"asn":1,"addresses":["::ffff:10.0.0.1"]}`:                   {"addresses[0]"},
		`{"asn":1,"addresses":["0.0.0.0"]}`:                           {"addresses[0]"},
		`{"asn":1,"uplinks":[{"switch":"leaf01"}]}`:                   {"uplinks[0]: name or mac"},
		`{"asn":1,"uplinks":[{"name":"lan0"},{"mac":"lan1"}]}`:        {`uplinks[1].mac: "lan1"`},
		`{"asn":1,"uplinks":[{"name":"a-name-that-is-too-long"}]}`:    {"uplinks[0].name"},
		`{"asn":1,"uplinks":[{"name":"lan0","switchAsn":1}],"mtu":1}`: {"uplinks[0].switchAsn: 1", "mtu: 1"},
	} {
		_, err := parseMachine([]byte(text))
		for _, want := range wants {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: error %v, want %q", text, err, want)
			}
		}
	}
}

// TestNewerMachineFile: a field of a newer control plane is no error.
func TestNewerMachineFile(t *testing.T) {
	if _, err := parseMachine([]byte(`{"asn":1,"colour":"blue"}`)); err != nil {
		t.Error(err)
	}
}

func TestReadMachine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "machine.json")
	if _, err := readMachine(path); !errors.Is(err, errNoMachine) {
		t.Errorf("an absent file: %v", err)
	}
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := readMachine(path); err == nil || errors.Is(err, errNoMachine) {
		t.Errorf("an empty file must not be an absent one, it may be half written: %v", err)
	}
	if err := os.WriteFile(path, []byte(goodMachine), 0o644); err != nil {
		t.Fatal(err)
	}
	if m, err := readMachine(path); err != nil || m.ASN != 4201000001 {
		t.Errorf("%+v, %v", m, err)
	}
}

// TestRouterIDWithoutIPv4: it is stable, an IPv4 address, and another for another machine.
func TestRouterIDWithoutIPv4(t *testing.T) {
	one, again, two := Machine{Machine: "m1", ASN: 1}, Machine{Machine: "m1", ASN: 1}, Machine{Machine: "m2", ASN: 1}
	if one.routerID() != again.routerID() || one.routerID() == two.routerID() || !one.routerID().Is4() || one.routerID().IsUnspecified() {
		t.Errorf("router IDs %v and %v", one.routerID(), two.routerID())
	}
}

// FuzzParseMachine: whatever the file holds, what is accepted can be configured.
func FuzzParseMachine(f *testing.F) {
	f.Add(goodMachine)
	f.Add(`{"asn":1,"addresses":["10.0.0.1"],"uplinks":[{"name":"lan0"}]}`)
	f.Add(`{"asn":4294967295,"mtu":1280}`)
	f.Fuzz(func(t *testing.T, text string) {
		m, err := parseMachine([]byte(text))
		if err != nil {
			return
		}
		if m.ASN == 0 || !m.routerID().Is4() {
			t.Errorf("%q: ASN %d, router ID %v", text, m.ASN, m.routerID())
		}
		for _, p := range m.Addresses {
			if !p.IsSingleIP() || !p.Addr().IsGlobalUnicast() || p.Addr().Zone() != "" {
				t.Errorf("%q: address %v", text, p)
			}
		}
		for _, u := range m.Uplinks {
			if u.Name == "" && u.MAC == "" {
				t.Errorf("%q: an uplink of nothing", text)
			}
		}
	})
}
