package lldp

import (
	"bytes"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/pointsman/pointsman/pkg/netmodel"
)

// frameOf puts TLVs, given as type and value, into a frame that ends properly.
func frameOf(tlvs ...[]byte) []byte {
	frame := []byte("\x01\x80\xc2\x00\x00\x0e\x02\x00\x00\x00\x00\x01\x88\xcc")
	for _, t := range tlvs {
		n := len(t) - 1
		frame = append(frame, t[0]<<1|byte(n>>8), byte(n))
		frame = append(frame, t[1:]...)
	}
	return append(frame, 0, 0)
}

func tlv(kind byte, value string) []byte { return append([]byte{kind}, value...) }

const uuid = "6f1c2a52-0f0e-4c35-9d4e-0f9a6a8f1d11"

func TestParse(t *testing.T) {
	host := frameOf(tlv(1, "\x07"+uuid), tlv(2, "\x03\x02\x00\x00\x00\x00\x01"), tlv(3, "\x00\x08"), tlv(4, "lan0"), tlv(5, "m01"), tlv(6, "Linux"))
	want := Advert{TTL: 8 * time.Second, Neighbour: netmodel.Neighbour{
		ChassisID: uuid, ChassisIDSubtype: 7, PortID: "02:00:00:00:00:01", PortIDSubtype: 3, PortDescription: "lan0",
		SystemName: "m01", SystemDescription: "Linux", SourceMAC: "02:00:00:00:00:01",
	}}
	odd := want
	odd.Neighbour.ChassisID, odd.Neighbour.ChassisIDSubtype = "02:00:00:00:00:09", 4
	odd.Neighbour.PortID, odd.Neighbour.PortIDSubtype = "10.0.0.1", 4
	odd.Neighbour.PortDescription, odd.Neighbour.SystemName, odd.Neighbour.SystemDescription = "", "m 01", "fffe"
	for _, tt := range []struct {
		name  string
		frame []byte
		want  Advert
		err   string
	}{
		{name: "a machine", frame: host, want: want},
		{name: "padded to an odd length", frame: append(bytes.Clone(host), make([]byte, 7)...), want: want},
		{name: "bytes after the end are no TLVs", frame: append(bytes.Clone(host), 0xff, 0xff, 1), want: want},
		{name: "MAC, address, control characters and bytes that are no text",
			frame: frameOf(tlv(1, "\x04\x02\x00\x00\x00\x00\x09"), tlv(2, "\x04\x01\x0a\x00\x00\x01"), tlv(3, "\x00\x08"), tlv(5, "m\n01\x00"), tlv(6, "\xff\xfe")), want: odd},
		{name: "short", frame: host[:13], err: "not an LLDP frame"},
		{name: "another EtherType", frame: append(append(bytes.Clone(host[:12]), 8, 0), host[14:]...), err: "not an LLDP frame"},
		{name: "cut off", frame: host[:40], err: "no end"},
		{name: "TLVs out of order", frame: frameOf(tlv(2, "\x05a"), tlv(1, "\x07b"), tlv(3, "\x00\x08")), err: "invalid frame"},
		{name: "no TTL", frame: frameOf(tlv(1, "\x07b"), tlv(2, "\x05a")), err: "unexpected EOF"},
		{name: "empty chassis ID", frame: frameOf(tlv(1, "\x07"), tlv(2, "\x05a"), tlv(3, "\x00\x08")), err: "chassis ID: 0 bytes"},
		{name: "long port ID", frame: frameOf(tlv(1, "\x07a"), tlv(2, "\x05"+strings.Repeat("x", 256)), tlv(3, "\x00\x08")), err: "port ID: 256 bytes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Parse(tt.frame)
			if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Fatalf("error %v, want %q", err, tt.err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// What we send must be what we hear.
func TestParseReadsTheSender(t *testing.T) {
	s := NewSender(SenderConfig{ChassisID: LocalChassisID(uuid), PortIDFromMAC: true, SystemName: "m01"})
	frame, err := s.frame(Port{Name: "lan0", MAC: "02:00:00:00:00:01"})
	if err != nil {
		t.Fatal(err)
	}
	got, err := Parse(frame)
	if err != nil {
		t.Fatal(err)
	}
	want := Advert{TTL: DefaultTTL, Neighbour: netmodel.Neighbour{
		ChassisID: uuid, ChassisIDSubtype: 7, PortID: "02:00:00:00:00:01", PortIDSubtype: 3, PortDescription: "lan0", SystemName: "m01", SourceMAC: "02:00:00:00:00:01",
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(frameOf(tlv(1, "\x07"+uuid), tlv(2, "\x03\x02\x00\x00\x00\x00\x01"), tlv(3, "\x00\x08"), tlv(4, "lan0"), tlv(5, "m01"), tlv(6, "Linux")))
	f.Add(frameOf(tlv(1, "\x05\x01\x0a\x00\x00\x01"), tlv(2, "\x04\x02"), tlv(3, "\x00\x00"), tlv(127, "\x00\x12\x0f\x01")))
	f.Add([]byte("\x01\x80\xc2\x00\x00\x0e\x02\x00\x00\x00\x00\x01\x88\xcc\x00"))
	f.Fuzz(func(t *testing.T, frame []byte) {
		a, err := Parse(frame)
		if err != nil {
			return
		}
		n := a.Neighbour
		for _, s := range []string{n.ChassisID, n.PortID, n.PortDescription, n.SystemName, n.SystemDescription, n.SourceMAC} {
			if !utf8.ValidString(s) || len(s) > 2*maxID || strings.ContainsAny(s, "\x00\n\x1b") {
				t.Errorf("text that cannot be stored or printed: %q", s)
			}
		}
	})
}
