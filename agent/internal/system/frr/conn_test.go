package frr

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/pointsman/pointsman/pkg/frr"
)

func TestReadAnswer(t *testing.T) {
	tests := map[string]struct {
		bytes, text string
		status      byte
		err         error
	}{
		"success":              {"\x00\x00\x00\x00", "", 0, nil},
		"text":                 {"two\nlines\n\x00\x00\x00\x00", "two\nlines\n", 0, nil},
		"refusal":              {"% Unknown command\n\x00\x00\x00\x02", "% Unknown command\n", 2, nil},
		"the next one stays":   {"a\x00\x00\x00\x01b\x00\x00\x00\x00", "a", 1, nil},
		"long":                 {strings.Repeat("x", 200<<10) + "\x00\x00\x00\x0d", strings.Repeat("x", 200<<10), 13, nil},
		"closed":               {"", "", statusMalformed, io.ErrUnexpectedEOF},
		"closed in the text":   {"half an ans", "", statusMalformed, io.ErrUnexpectedEOF},
		"closed before status": {"a\x00\x00\x00", "a", 0, io.ErrUnexpectedEOF},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			for _, whole := range []bool{true, false} { // in one piece, and byte by byte
				var source io.Reader = strings.NewReader(test.bytes)
				if !whole {
					source = iotest.OneByteReader(source)
				}
				text, status, err := readAnswer(bufio.NewReaderSize(source, 64<<10))
				if text != test.text || status != test.status || !errors.Is(err, test.err) {
					t.Errorf("%.40q, %d, %v", text, status, err)
				}
			}
		})
	}
}

func FuzzReadAnswer(f *testing.F) {
	f.Add([]byte("text\x00\x00\x00\x02"))
	f.Add([]byte("\x00\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		text, status, err := readAnswer(bufio.NewReader(bytes.NewReader(b)))
		if err == nil && !bytes.HasPrefix(b, append([]byte(text), 0, 0, 0, status)) {
			t.Errorf("%q, %d is not what begins %q", text, status, b)
		}
	})
}

// TestDeaf: a daemon that takes a connection and never answers holds nobody longer than the caller allows, and is named.
func TestDeaf(t *testing.T) {
	dir := t.TempDir()
	listener, err := net.Listen("unix", filepath.Join(dir, "bgpd.vty"))
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	client := New(Options{Dir: dir})
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	begin := time.Now()
	_, err = client.Sessions(ctx)
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "bgpd") {
		t.Errorf("error is %v", err)
	}
	if errs := client.Apply(ctx, []frr.Change{{Line: "bgp route-map delay-timer 1"}}); errs[0] == nil {
		t.Error("a change was accepted by nobody")
	}
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("waited %v", took)
	}
}

func TestRoutes(t *testing.T) {
	for want, changes := range map[string][]frr.Change{
		"where zebra left it": {{Context: []string{"vrf Vrf1"}, Line: "no vni 1"}, {Line: "no vrf Vrf1"}, {Context: []string{"interface swp1"}, Line: "ipv6 nd ra-lifetime 0"}},
		bfdd:                  {{Context: []string{"bfd"}, Line: "no profile PM-A"}, {Context: []string{"bfd", "profile PM-A"}, Line: "transmit-interval 300"}},
		bgpd: {
			{Line: "no router bgp 1 vrf Vrf1"}, {Line: "ip prefix-list PM-A seq 5 permit any"}, {Context: []string{"route-map PM-A permit 10"}, Line: "set community none"},
			{Line: "bgp route-map delay-timer 1"}, {Context: []string{"router bgp 1"}, Line: "neighbor FABRIC bfd"},
		},
	} {
		for _, change := range changes {
			for _, by := range []string{zebra, mgmtd} {
				wantNow := want
				if want != bgpd && want != bfdd {
					wantNow = by
				}
				if got := (routes{by, by}).of(change); got != wantNow {
					t.Errorf("%v is for %s, want %s", change, got, wantNow)
				}
			}
		}
	}
}

func TestTakes(t *testing.T) {
	const old = "  (interface)  ipv6 nd ra-interval <(1-1800)|msec (70-1800000)>\n  (interface)  no ipv6 nd ra-interval\n"
	if !takes(old, "(interface)") || takes(old, "(vrf)") || takes("", "(interface)") || takes("  (view)  show vrf [<NAME|all>] vni [json]\n", "(vrf)") {
		t.Error("the answer to find is read wrongly")
	}
}

func TestLeaves(t *testing.T) {
	bgp := []string{"router bgp 1 vrf Vrf1"}
	if port, vrf, ok := leaves(frr.Change{Context: bgp, Line: "no neighbor swp1 interface"}); port != "swp1" || vrf != "Vrf1" || !ok {
		t.Error(port, vrf, ok)
	}
	for _, other := range []frr.Change{
		{Context: []string{"router bgp 1"}, Line: "no neighbor swp1 interface"}, {Context: bgp, Line: "no neighbor MACHINE peer-group"},
		{Context: bgp, Line: "neighbor swp1 interface peer-group MACHINE"}, {Line: "no vrf Vrf1"},
	} {
		if port, _, ok := leaves(other); ok {
			t.Errorf("%v: %s leaves", other, port)
		}
	}
}

func TestShownVRFs(t *testing.T) {
	const shown = "vrf Vrf1 id 12 table 1001 (configured)\nvrf Vrf2 inactive (configured)\nvrf Vrf3 id 4 table 1003\n"
	active := activeVRFs(shown)
	if len(active) != 2 || !active["Vrf1"] || !active["Vrf3"] {
		t.Errorf("active are %v", active)
	}
	if !hasVRF(shown, "Vrf1", 12) || !hasVRF(shown, "Vrf3", 4) || hasVRF(shown, "Vrf1", 1) || hasVRF(shown, "Vrf2", 12) || hasVRF(shown, "f3", 4) {
		t.Error("a VRF of another index is taken for it, or not itself")
	}
}
