package command

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"

	apiv1 "github.com/pointsman/pointsman/pkg/api/v1"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// transcript is a session as a reader of a manual sees it: each command, what it printed, and its exit code if it failed.
type transcript struct {
	t    *testing.T
	s    *server
	text strings.Builder
}

// run adds a command to the transcript. Words with spaces are quoted with ”.
func (tr *transcript) run(line string) result {
	tr.t.Helper()
	r := tr.s.ctl(tr.t.Context(), words(line)...)
	fmt.Fprintf(&tr.text, "$ pointsmanctl %s\n%s", line, steady(r.out))
	if r.code != 0 {
		fmt.Fprintf(&tr.text, "%s[exit code %d]\n", steady(r.err), r.code)
	}
	tr.text.WriteByte('\n')
	return r
}

func words(line string) []string {
	var out []string
	for i, quoted := range strings.Split(line, "'") {
		if i%2 == 1 {
			out = append(out, quoted)
			continue
		}
		out = append(out, strings.Fields(quoted)...)
	}
	return out
}

var unsteady = []struct {
	is *regexp.Regexp
	as string
}{
	{regexp.MustCompile(`(?m)^(allocated|configured|connected|reachable) .*$`), "$1 …"},
	{regexp.MustCompile(`(?m)^took .*$`), "took …"},
	{regexp.MustCompile(`\d+\.\d ms`), "… ms"},
	{regexp.MustCompile(`\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`), "TIME"},
	{regexp.MustCompile(`\b\d+s\b`), "…s"},
	{regexp.MustCompile(`127\.0\.0\.1:\d+`), "SERVER"},
	{regexp.MustCompile(`\bVrf\d+\b`), "VRF"},
	{regexp.MustCompile(`\b\d{6,8}\b`), "VNI"},
	// Machines' ASNs are 4201000000 and above; those of switches, below, are handed out in order.
	{regexp.MustCompile(`\b42(0[1-9]|[1-9]\d)\d{6}\b`), "ASN"},
	// Addresses are chosen at random in their prefix; what is followed by a slash is a prefix.
	{regexp.MustCompile(`\b10\.64\.\d+\.\d+($|[^/\d])`), "IPV4$1"},
	{regexp.MustCompile(`\bfd64:[0-9a-f:]+($|[^/0-9a-f:])`), "IPV6$1"},
	{regexp.MustCompile(` {2,}`), "  "},
	{regexp.MustCompile(`(?m) +$`), ""},
}

// steady replaces what differs between two runs: times, what is chosen at random, and the width of columns that hold them.
func steady(s string) string {
	for _, u := range unsteady {
		s = u.is.ReplaceAllString(s, u.as)
	}
	return s
}

func (tr *transcript) compare(name string) {
	tr.t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(tr.text.String()), 0o644); err != nil {
			tr.t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		tr.t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), tr.text.String()); diff != "" {
		tr.t.Errorf("%s differs (-want +got):\n%s", path, diff)
	}
}

// TestSession walks through an operator's day against a real control plane with simulated switches.
func TestSession(t *testing.T) {
	s := startServer(t)
	tr := &transcript{t: t, s: s}

	tr.run("machine list")
	tr.run("switch register -f testdata/switches.yaml")
	tr.run("switch register -f testdata/switches.yaml")
	tr.run("switch register leaf01 --role leaf --rack rack2 --loopback 10.255.0.11 --provisioning-vlan 4000 --provisioning-address 10.250.1.1/24 --port swp1=machine")
	tr.run("switch register leaf09 --role leaf --rack rack1 --loopback 10.255.0.11 --provisioning-vlan 4000 --provisioning-address 10.250.9.1/24 --port swp1=machine")
	s.switchesUp(t)
	s.cable(t, 1)
	s.cable(t, 2)
	s.eventually(t, func(r result) bool {
		return strings.Count(r.out, "leaf01:swp") == 2 && strings.Count(r.out, "leaf02:swp") == 2
	}, "machine", "list")
	tr.run("switch list")
	tr.run("machine list --state discovered -o wide")
	tr.run("machine adopt 02:00:5E:10:01:00 --id machine01")
	tr.run("machine adopt 02:00:5e:10:02:02 --id machine02 --description 'the second'")
	tr.run("machine adopt 02:00:5e:10:09:00")
	s.eventually(t, func(r result) bool { return strings.Count(r.out, "free") == 2 }, "machine", "list", "--state", "free")
	tr.run("machine list")
	tr.run("machine list --filter 'state = free AND description : SECOND'")
	tr.run("machine list --filter 'bogus = 1'")
	tr.run("switch list --filter 'role = spine'")

	tr.run("network create tenants --kind pool --prefix 10.64.0.0/12 --prefix fd64::/48 --default-ipv4-length 22 --default-ipv6-length 64")
	tr.run("network create blue --pool tenants")
	tr.run("network create green --prefix 10.1.0.0/22 --announceable 10.244.0.0/16:26 --description 'with pods'")
	tr.run("network create blue --pool tenants")
	tr.run("network create red --prefix 10.1.0.1/22")
	tr.run("network create Red --prefix 10.2.0.0/22")
	tr.run("network create red --prefix 10.2.0.0/22 --pool tenants")
	tr.run("network list -o wide")
	tr.run("network list --filter 'pool = tenants'")
	tr.run("ip allocate --network green --address 10.1.0.5 --description 'the mail server'")
	tr.run("ip get 10.1.0.5 --network green")

	tr.run("allocate --network blue --machine machine01 --id web1 --hostname web1 --wait")
	tr.run("allocate --network blue --machine machine01 --id web2")
	tr.run("allocate --network nowhere")
	tr.run("allocation list")
	tr.run("allocation list --filter 'machine = machine02'")
	tr.run("ip list --filter 'allocation = web1' --network blue")
	tr.run("receipt web1")
	tr.run("machine get machine01")
	tr.run("switch get leaf01 -o wide")
	tr.run("network delete blue")
	tr.run("move web1 --network green --address 10.1.0.5 --wait")
	tr.run("ip list -o wide")
	tr.run("machine config machine02")

	s.switches["leaf02"].Silence()
	tr.run("release web1 --wait --wait-timeout 900ms")
	tr.run("machine list")
	tr.run("machine override-release machine01 --reason 'leaf02 is on my desk'")
	tr.run("allocation get web1")
	tr.run("ip release 10.1.0.5 --network green")
	tr.run("network delete green")
	tr.run("network delete blue")
	tr.run("machine delete machine02")
	tr.compare("session.txt")
}

func machineIDs(t *testing.T, list string) []string {
	t.Helper()
	r := &apiv1.ListMachinesResponse{}
	if err := protojson.Unmarshal([]byte(list), r); err != nil {
		t.Fatalf("%v\n%s", err, list)
	}
	return idsOf(r.GetMachines())
}

// TestStructuredOutput: -o json prints JSON and nothing else, with and without --wait, and the machine file can be written.
func TestStructuredOutput(t *testing.T) {
	s := startServer(t)
	for _, line := range []string{"switch register -f testdata/switches.yaml", "network create blue --prefix 10.1.0.0/24", "network create green --prefix 10.2.0.0/24"} {
		if r := s.ctl(t.Context(), words(line)...); r.code != 0 {
			t.Fatalf("%s: %s", line, r.err)
		}
	}
	s.switchesUp(t)
	s.cable(t, 1)
	s.eventually(t, func(r result) bool { return len(machineIDs(t, r.out)) == 1 }, "machine", "list", "-o", "json")
	for _, line := range []string{
		"machine adopt 02:00:5e:10:01:00 --id machine01 -o json", "switch list -o json", "network get blue -o json",
		"ip allocate --network blue -o json", "ip list -o json",
	} {
		parsed(t, line, s.ctl(t.Context(), words(line)...))
	}
	s.eventually(t, func(r result) bool { return strings.Contains(r.out, "free") }, "machine", "list")
	r := s.ctl(t.Context(), words("allocate --network blue --id web1 --wait -o json")...)
	parsed(t, "allocate", r)
	allocation := &apiv1.Allocation{}
	if err := protojson.Unmarshal([]byte(r.out), allocation); err != nil {
		t.Fatal(err)
	}
	if n := len(allocation.GetReceipt().GetPhases()); n != 4 {
		t.Errorf("the receipt of a reachable allocation has %d phases:\n%s", n, r.out)
	}
	if !strings.Contains(r.err, "reachable") {
		t.Errorf("progress says %q", r.err)
	}
	for _, line := range []string{"receipt web1 -o json", "receipt web1 --wait -o json", "move web1 --network green --wait -o json", "machine config machine01"} {
		parsed(t, line, s.ctl(t.Context(), words(line)...))
	}
	file := filepath.Join(t.TempDir(), "machine.json")
	if r := s.ctl(t.Context(), "machine", "config", "machine01", "--output-file", file); r.code != 0 || r.out != "" {
		t.Errorf("%+v", r)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	parsed(t, "machine file", result{out: string(b)})
	parsed(t, "release", s.ctl(t.Context(), words("release web1 --wait -o json")...))
}

func parsed(t *testing.T, what string, r result) {
	t.Helper()
	if r.code != 0 {
		t.Errorf("%s: exit code %d: %s", what, r.code, r.err)
	}
	if !json.Valid([]byte(r.out)) {
		t.Errorf("%s prints no JSON:\n%s", what, r.out)
	}
}

// TestCompletion asks as a shell does after Tab.
func TestCompletion(t *testing.T) {
	s := startServer(t)
	for _, line := range []string{
		"switch register -f testdata/switches.yaml", "network create tenants --kind pool --prefix 10.64.0.0/12 --default-ipv4-length 22",
		"network create blue --pool tenants", "network create green --pool tenants", "ip allocate --network blue --address 10.64.0.9",
		"machine adopt --id machine01 --chassis-mac 02:00:5e:10:01:00",
	} {
		if r := s.ctl(t.Context(), words(line)...); r.code != 0 {
			t.Fatalf("%s: %s", line, r.err)
		}
	}
	for _, c := range []struct{ typed, offers string }{
		{"network get ''", "blue green tenants"},
		{"network get b", "blue"},
		{"network get blue ''", ""},
		{"network create x --pool ''", "tenants"},
		{"network list --kind ''", "private shared external underlay pool"},
		{"allocate --network g", "green"},
		{"allocate --rack ''", "rack1"},
		{"switch get leaf", "leaf01 leaf02"},
		{"describe port leaf01:", "leaf01:swp1 leaf01:swp2 leaf01:swp51"},
		{"describe switch s", "spine01"},
		{"machine update ''", "machine01"},
		{"history switches/l", "switches/leaf01 switches/leaf02"},
		{"network update blue --label ''", ""},
		{"machine get ''", "machine01"},
		{"ip release --network blue ''", "10.64.0.9"},
		{"switch list -o ''", "table wide json yaml"},
		{"describe machine ''", "machine01"},
		{"describe network g", "green"},
		{"describe port leaf02:", "leaf02:swp1 leaf02:swp2 leaf02:swp51"},
		{"describe port leaf02:swp1 ''", ""},
		{"changes list m", "machines/machine01"},
		{"history networks/", "networks/blue networks/green networks/tenants"},
	} {
		r := s.ctl(t.Context(), append([]string{"__complete"}, words(c.typed)...)...)
		lines := strings.Split(strings.TrimSpace(r.out), "\n")
		offers := strings.Join(lines[:len(lines)-1], " ")
		if offers != c.offers || lines[len(lines)-1] != ":4" {
			t.Errorf("after %q come %q and %s, want %q and no file names", c.typed, offers, lines[len(lines)-1], c.offers)
		}
	}
}
