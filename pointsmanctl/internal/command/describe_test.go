package command

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/pointsman/pointsman/test/simswitch"
)

// ready is a server with two free machines in a rack of two leaves, and network blue.
func ready(t *testing.T) *server {
	t.Helper()
	s := startServer(t)
	s.must(t, "switch register -f testdata/switches.yaml")
	s.switchesUp(t)
	s.cable(t, 1)
	s.cable(t, 2)
	s.must(t, "machine adopt --id machine01 --chassis-mac 02:00:5e:10:01:00")
	s.must(t, "machine adopt --id machine02 --chassis-mac 02:00:5e:10:02:00")
	s.must(t, "network create blue --prefix 10.64.0.0/22 --prefix fd64::/64")
	s.eventually(t, func(r result) bool { return strings.Count(r.out, "machine") == 2 }, "machine", "list", "--state", "free")
	return s
}

func (s *server) must(t *testing.T, line string) result {
	t.Helper()
	r := s.ctl(t.Context(), words(line)...)
	if r.code != exitOK {
		t.Fatalf("%s: code %d, %s", line, r.code, r.err)
	}
	return r
}

// TestDescribe: one page has what each thing shall be, what is reported, what is wrong, and who changed what.
func TestDescribe(t *testing.T) {
	s := ready(t)
	s.must(t, "allocate --network blue --machine machine01 --id web1 --hostname web1 --wait")
	tr := &transcript{t: t, s: s}
	tr.run("describe machine machine01")
	tr.run("describe allocation web1 --history 0")
	tr.run("describe switch leaf01")
	tr.run("describe network blue --history 1")

	// A second machine on the port of the first, on one leaf: named where it happens, and the tenant keeps what it has.
	foreign := simswitch.Machine("machine09", "02:00:5e:10:09:00", "02:00:5e:10:09:02")
	own := simswitch.Machine("machine01", "02:00:5e:10:01:00", "02:00:5e:10:01:02")
	if err := s.switches["leaf02"].Hear(t.Context(), "swp1", own, foreign); err != nil {
		t.Fatal(err)
	}
	s.eventually(t, func(r result) bool { return strings.Contains(r.out, "trouble") }, "describe", "port", "leaf02:swp1")
	tr.run("describe port leaf02:swp1")
	s.must(t, "release web1 --wait")
	s.eventually(t, func(r result) bool { return !strings.Contains(r.out, "sessions") }, "describe", "port", "leaf01:swp1")
	tr.run("describe port leaf01 swp1 --history 1")
	tr.run("describe port leaf01:swp99")
	tr.run("describe port leaf01")
	tr.run("describe port leaf09 swp1")
	tr.run("describe machine bogus")
	tr.run("describe switch bogus")
	tr.run("describe network bogus")
	tr.run("describe allocation bogus")
	tr.run("describe machine machine01 --history -1")
	tr.run("history machines/machine01 --limit 2")
	tr.run("changes switches/leaf01/ports/swp1 --limit 1")
	tr.run("changes list --filter 'method : CreateNetwork'")
	tr.run("history machine01")
	tr.compare("describe.txt")
}

// TestDescribeAsJSON: the joined object has the API's messages as its parts.
func TestDescribeAsJSON(t *testing.T) {
	s := ready(t)
	s.must(t, "allocate --network blue --machine machine01 --id web1 --wait")
	var d struct {
		Machine    struct{ ID, Allocation string }
		Allocation struct {
			Receipt struct{ Phases []struct{ Phase string } }
		}
		Ports []struct {
			Switch string
			Alive  bool
			Port   struct {
				Name            string
				Intent, Session struct{ Generation string }
				Status          struct{ AppliedGeneration string }
			}
		}
		Probes []struct {
			Switch string
			Status struct{ Satisfied bool }
		}
		Changes []struct{ Method string }
	}
	r := s.must(t, "describe machine machine01 -o json")
	if err := json.Unmarshal([]byte(r.out), &d); err != nil {
		t.Fatalf("%v\n%s", err, r.out)
	}
	if d.Machine.Allocation != "web1" || len(d.Allocation.Receipt.Phases) != 4 || len(d.Ports) != 2 || len(d.Probes) != 1 || len(d.Changes) != 2 {
		t.Fatalf("%s", r.out)
	}
	for _, p := range d.Ports {
		if !p.Alive || p.Port.Intent.Generation == "" || p.Port.Status.AppliedGeneration != p.Port.Intent.Generation || p.Port.Session.Generation != p.Port.Intent.Generation {
			t.Errorf("%+v", p)
		}
	}
	if !d.Probes[0].Status.Satisfied || d.Changes[0].Method != "/pointsman.v1.AllocationService/CreateAllocation" {
		t.Errorf("%+v", d)
	}
	if r := s.must(t, "describe allocation web1 -o yaml"); !strings.Contains(r.out, "\nprobes:\n") {
		t.Error(r.out)
	}
	parsed(t, "describe switch", s.must(t, "describe switch leaf01 -o json"))
	parsed(t, "describe network", s.must(t, "describe network blue -o json"))
}
