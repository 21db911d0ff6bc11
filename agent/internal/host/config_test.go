package host

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pointsman/pointsman/pkg/speaker"
)

// TestParse: the file that the lab writes, with the defaults behind it.
func TestParse(t *testing.T) {
	have, err := parse([]byte("machine-file: /etc/pointsman/machine.json\nsystem-uuid: 11111111-2222-3333-4444-555555555555\nuplinks: [lan0, lan1]\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := Config{
		MachineFile: "/etc/pointsman/machine.json", SystemUUID: "11111111-2222-3333-4444-555555555555", Uplinks: []string{"lan0", "lan1"},
		StatusFile: DefaultStatusFile, LogLevel: "info",
	}
	if diff := cmp.Diff(want, have); diff != "" {
		t.Error("-want +have:\n", diff)
	}
	if !have.lldp() {
		t.Error("LLDP must be on by default")
	}
}

func TestParseExtra(t *testing.T) {
	c, err := parse([]byte(`uplinks: [lan0]
lldp: false
extra-announcements:
  - prefix: 10.200.0.0/24
    communities: ["64512:1"]
    extended-communities: ["rt:64512:100002"]
    as-path: [64513]
  - prefix: fd00:200::/64
`))
	if err != nil {
		t.Fatal(err)
	}
	if c.lldp() {
		t.Error("LLDP must be off")
	}
	have, err := c.extra()
	if err != nil || len(have) != 2 {
		t.Fatalf("%+v, %v", have, err)
	}
	first := have[0]
	want := speaker.Route{Prefix: first.Prefix, Communities: []string{"64512:1"}, ExtendedCommunities: []string{"rt:64512:100002"}, ASPath: []uint32{64513}}
	if first.Prefix.String() != "10.200.0.0/24" || !first.Equal(want) {
		t.Errorf("%+v, want %+v", first, want)
	}
}

func TestParseRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"":                                  "EOF",
		"uplinks: []":                       "uplinks: name at least one",
		"uplinks: [lan0, lan0]":             "uplinks[1]",
		"uplinks: ['']":                     "uplinks[0]",
		"uplinks: [an-interface-too-long]":  "uplinks[0]",
		"uplink: [lan0]":                    "uplink",
		"uplinks: [lan0]\nlog-level: loud":  "log-level",
		"uplinks: [lan0]\nlldp: perhaps":    "line 2",
		"uplinks: [lan0]\nsystem-uuid: [1]": "line 2",
		extraText("prefix: x"):              "extra-announcements[0].prefix",
		extraText("prefix: 10.200.0.1/24"):  "did you mean 10.200.0.0/24?",
		extraText("prefix: 10.0.0.0/8\n    communities: [x]"):              "extra-announcements[0].communities",
		extraText("prefix: 10.0.0.0/8\n    extended-communities: ['1:1']"): "extra-announcements[0].extended-communities",
		extraText("prefix: 10.0.0.0/8\n    large-communities: ['1:1']"):    "extra-announcements[0].large-communities",
	} {
		if _, err := parse([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %q", text, err, want)
		}
	}
}

func extraText(entry string) string {
	return "uplinks: [lan0]\nextra-announcements:\n  - " + entry + "\n"
}
