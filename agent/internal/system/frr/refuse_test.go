package frr

import (
	"bufio"
	"errors"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pointsman/pointsman/pkg/frr"
)

// answering is a directory with the sockets of daemons that answer these commands. To any other they say what daemons say of a YANG path
// that they do not have.
func answering(t *testing.T, daemons map[string]map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, answers := range daemons {
		listener, err := net.Listen("unix", filepath.Join(dir, name+".vty"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { listener.Close() })
		go func() {
			for {
				socket, err := listener.Accept()
				if err != nil {
					return
				}
				go answerAll(socket, answers)
			}
		}()
	}
	return dir
}

func answerAll(socket net.Conn, answers map[string]string) {
	defer socket.Close()
	for commands := bufio.NewReader(socket); ; {
		command, err := commands.ReadString(0)
		if err != nil {
			return
		}
		command = strings.TrimSuffix(command, "\x00")
		text, status := answers[command], byte(statusSuccess)
		if text == "" && command != "enable" {
			text, status = "{}\n", statusWarning
		}
		if _, err := socket.Write(append([]byte(text), 0, 0, 0, status)); err != nil {
			return
		}
	}
}

func TestRefuse(t *testing.T) {
	idOf := func(vrf string) string {
		return "show yang operational-data /frr-vrf:lib/vrf[name='" + vrf + "']/state"
	}
	client := New(Options{Dir: answering(t, map[string]map[string]string{
		zebra: {
			"show vrf":          "vrf Vrf1 id 12 table 1001 (configured)\nvrf Vrf2 inactive (configured)\nvrf Vrf3 inactive (configured)\n",
			"show vrf vni json": `{"vrfs":[{"vrf":"Vrf1","vni":1,"vxlanIntf":"None","state":"Down"},{"vrf":"Vrf2","vni":2}]}`,
		},
		staticd: {
			idOf("Vrf2"): `{"frr-vrf:lib":{"vrf":[{"name":"Vrf2","state":{"id":4294967295}}]}}`,
			idOf("Vrf3"): `{"frr-vrf:lib":{"vrf":[{"name":"Vrf3","state":{"id":13}}]}}`,
		},
	})})
	defer client.Close()
	in := func(vrf, line string) frr.Change { return frr.Change{Context: []string{"vrf " + vrf}, Line: line} }
	for name, test := range map[string]struct {
		changes []frr.Change
		refused []string // what the refusal of each says, "" of one that is sent
	}{
		"another's":               {[]frr.Change{in("Vrf3", "vni 1")}, []string{"Vrf1"}},
		"another's, with more":    {[]frr.Change{in("Vrf3", "vni 1 prefix-routes-only")}, []string{"Vrf1"}},
		"its own":                 {[]frr.Change{in("Vrf1", "vni 1")}, []string{""}},
		"nobody's":                {[]frr.Change{in("Vrf3", "vni 3"), in("Vrf1", "vni 10")}, []string{"", ""}},
		"handed over":             {[]frr.Change{in("Vrf1", "no vni 1"), in("Vrf3", "vni 1"), in("Vrf4", "vni 1")}, []string{"", "", "Vrf3"}},
		"handed over by another":  {[]frr.Change{in("Vrf1", "vni 10"), in("Vrf3", "vni 1")}, []string{"", ""}},
		"in the wrong order":      {[]frr.Change{in("Vrf3", "vni 1"), in("Vrf1", "no vni 1")}, []string{"Vrf1", ""}},
		"with its VRF":            {[]frr.Change{{Line: "no vrf Vrf2"}, in("Vrf3", "vni 2")}, []string{"", ""}},
		"with a VRF that stays":   {[]frr.Change{{Line: "no vrf Vrf1"}, in("Vrf3", "vni 1")}, []string{"zebra", "Vrf1"}},
		"zebra has the device":    {[]frr.Change{{Line: "no vrf Vrf1"}}, []string{"zebra"}},
		"staticd has the device":  {[]frr.Change{{Line: "no vrf Vrf3"}, {Line: "no vrf Vrf2"}}, []string{"staticd", ""}},
		"nobody knows the device": {[]frr.Change{{Line: "no vrf Vrf4"}}, []string{""}},
		"what nobody refuses":     {[]frr.Change{{Context: []string{"interface swp1"}, Line: "ipv6 nd ra-interval 1"}}, []string{""}},
	} {
		t.Run(name, func(t *testing.T) {
			errs := make([]error, len(test.changes))
			left, places := client.refuse(t.Context(), test.changes, errs)
			var sent []frr.Change
			for i, says := range test.refused {
				refusal := new(RefusedError)
				switch {
				case says == "":
					sent = append(sent, test.changes[i])
					if errs[i] != nil || !slices.Contains(places, i) {
						t.Errorf("%v: %v, sent are %v", test.changes[i], errs[i], places)
					}
				case !errors.As(errs[i], &refusal) || isUnknown(errs[i]) || !strings.Contains(errs[i].Error(), says):
					t.Errorf("%v: %v", test.changes[i], errs[i])
				}
			}
			if len(left) != len(sent) || len(places) != len(sent) {
				t.Errorf("sent are %v", left)
			}
		})
	}
}

// TestRefuseUnknown: what zebra cannot be asked about is not sent.
func TestRefuseUnknown(t *testing.T) {
	client := New(Options{Dir: t.TempDir()})
	defer client.Close()
	changes := []frr.Change{{Line: "no vrf Vrf1"}, {Context: []string{"vrf Vrf2"}, Line: "vni 2"}}
	errs := make([]error, len(changes))
	if left, _ := client.refuse(t.Context(), changes, errs); len(left) > 0 || errs[0] == nil || errs[1] == nil {
		t.Errorf("sent are %v: %v", left, errs)
	}
}
