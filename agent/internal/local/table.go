package local

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/pointsman/pointsman/pkg/netmodel"
	"github.com/pointsman/pointsman/pkg/wire"
)

// none is what is not there.
const none = "-"

type table struct{ *tabwriter.Writer }

func newTable(w io.Writer, columns ...string) table {
	t := table{tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)}
	if len(columns) > 0 {
		t.row(columns...)
	}
	return t
}

func (t table) row(cells ...string) {
	for i, cell := range cells {
		cells[i] = cmp.Or(oneLine(cell), none)
	}
	fmt.Fprintln(t, strings.Join(cells, "\t"))
}

// fact is a line of a page; what is not there is left out.
func (t table) fact(name, value string) {
	if value != "" {
		fmt.Fprintf(t, "%s\t%s\n", name, oneLine(value))
	}
}

// oneLine keeps what others wrote from breaking a table.
func oneLine(s string) string { return strings.NewReplacer("\n", "; ", "\t", " ").Replace(s) }

func number[N ~uint16 | ~uint32 | ~uint64](n N) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatUint(uint64(n), 10)
}

func since(now time.Time, t *time.Time) string {
	if t == nil {
		return ""
	}
	return fmt.Sprintf("%s (%s ago)", t.Format(time.RFC3339), now.Sub(*t).Round(time.Second))
}

// Table prints the page.
func (s Status) Table(w io.Writer, now time.Time) error {
	t := newTable(w)
	t.fact("switch", s.Switch)
	t.fact("agent", s.agent())
	for _, note := range s.Notes {
		t.fact("note", note)
	}
	t.fact("since", since(now, s.Since))
	t.fact("last pass", since(now, s.LastPass))
	t.fact("version", s.AgentVersion)
	t.fact("frr", s.FRRVersion)
	t.fact("templates", s.Templates)
	t.fact("system", strings.TrimSpace(s.NetworkOS+" "+s.Kernel))
	t.fact("etcd", s.Etcd.String())
	t.fact("configuration", generations(s.WantedGeneration, s.AppliedGeneration, 0))
	t.fact("error", s.LastError)
	for _, line := range s.Drift {
		t.fact("drift", line)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(w)
	t = newTable(w, "PORT", "ROLE", "LINK", "MODE", "VRF", "VNI", "GENERATION", "SESSION", "ALLOCATION", "ERROR")
	for _, p := range s.Ports {
		t.row(p.Name, p.Role, p.link(), p.mode(), p.vrf(), number(p.VNI), generations(p.WantedGeneration, p.AppliedGeneration, p.RevertedGeneration), p.session(), p.Allocation, p.Error)
	}
	return t.Flush()
}

func (s Status) agent() string {
	switch {
	case !s.Running:
		return "not running"
	case s.State == string(netmodel.AgentHolding):
		return "holding the last intent: " + s.Reason
	}
	return s.State
}

func (e Etcd) String() string {
	at := strings.Join(e.Endpoints, ", ")
	switch {
	case e.Connected == nil:
		return at
	case *e.Connected:
		return strings.TrimSpace("connected " + at)
	}
	return strings.TrimSpace("away " + at)
}

// generations reads 7 when all is as wanted, 6 -> 7 while it is not.
func generations(wanted, applied, reverted uint64) string {
	switch {
	case wanted == 0 && applied == 0:
		return ""
	case reverted != 0:
		return fmt.Sprintf("%d (%d reverted)", applied, reverted)
	case wanted == applied:
		return number(applied)
	case applied == 0:
		return "? -> " + number(wanted)
	}
	return number(applied) + " -> " + number(wanted)
}

func (p Port) link() string {
	switch {
	case p.Missing:
		return "missing"
	case p.Role == string(netmodel.PortUplink):
		return ""
	case p.OperUp:
		return "up"
	}
	return "down"
}

func (p Port) mode() string { return towards(p.Mode, p.WantedMode) }
func (p Port) vrf() string  { return towards(p.VRF, p.WantedVRF) }

// towards is what is, and what it must become if that is something else.
func towards(is, wanted string) string {
	if is == wanted {
		return is
	}
	return cmp.Or(is, none) + " -> " + cmp.Or(wanted, none)
}

func (p Port) session() string {
	if p.Session == nil {
		return ""
	}
	if p.Session.Established && p.Session.PeerASN != 0 {
		return fmt.Sprintf("%s AS%d", p.Session.State, p.Session.PeerASN)
	}
	return p.Session.State
}

// Table prints the ports' intents.
func (i Intent) Table(w io.Writer) error {
	config, err := wire.SwitchConfigCodec.Decode(i.Config)
	if err != nil {
		return fmt.Errorf("read switch configuration: %w", err)
	}
	t := newTable(w)
	t.fact("switch", config.Switch)
	t.fact("from", i.origin())
	t.fact("store", config.StoreUUID)
	t.fact("role", string(config.Role))
	t.fact("rack", config.Rack)
	t.fact("loopback", config.Loopback.String())
	t.fact("asn", number(config.ASN))
	t.fact("mtu", strconv.Itoa(config.LinkMTU()))
	t.fact("provisioning vlan", number(config.Provisioning.VLAN))
	t.fact("generation", number(config.Generation))
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(w)
	t = newTable(w, "PORT", "ROLE", "MODE", "VRF", "VNI", "PEER ASN", "MAY ANNOUNCE", "ALLOCATION", "GENERATION", "PROBLEM")
	for _, p := range config.Ports {
		in, err := i.port(p.Name)
		if err != nil {
			return err
		}
		t.row(p.Name, string(p.Role), string(in.Mode), in.VRF, number(in.VNI), number(in.PeerASN), grants(in.Grants), in.Allocation, number(in.Generation), i.Problems[p.Name])
	}
	return t.Flush()
}

func (i Intent) origin() string {
	switch {
	case !i.Running:
		return "disk; no agent is running"
	case i.FromDisk:
		return "disk; the store has not been reached yet"
	case i.State == string(netmodel.AgentHolding):
		return "disk; holding: " + i.Reason
	}
	return "the store"
}

func (i Intent) port(name string) (netmodel.PortIntent, error) {
	raw, ok := i.Ports[name]
	if !ok {
		return netmodel.PortIntent{}, nil
	}
	in, err := wire.PortIntentCodec.Decode(raw)
	if err != nil {
		return in, fmt.Errorf("read intent of port %q: %w", name, err)
	}
	return in, nil
}

func grants(in []netmodel.Grant) string {
	var out []string
	for _, g := range in {
		text := g.Prefix.String()
		if g.MaxLength > g.Prefix.Bits() {
			text += fmt.Sprintf(" le %d", g.MaxLength)
		}
		out = append(out, text)
	}
	return strings.Join(out, ", ")
}

// Table prints a line for each step, and comments for what stands in the way.
func (s Steps) Table(w io.Writer) error {
	for _, step := range s.Steps {
		if _, err := fmt.Fprintln(w, step.Op); err != nil {
			return err
		}
	}
	for _, p := range s.Problems {
		if _, err := fmt.Fprintf(w, "# port %q: %s\n", p.Port, p.Error); err != nil {
			return err
		}
	}
	return nil
}

// Table prints a line for each neighbour, and for each port that hears none.
func (n Neighbours) Table(w io.Writer, now time.Time) error {
	byPort := map[string][]Neighbour{}
	for _, port := range n.Listening {
		byPort[port] = nil
	}
	for _, one := range n.Neighbours {
		byPort[one.Port] = append(byPort[one.Port], one)
	}
	t := newTable(w, "PORT", "SYSTEM", "CHASSIS", "THEIR PORT", "DESCRIPTION", "EXPIRES IN", "HEARD SINCE")
	for _, port := range slices.SortedFunc(maps.Keys(byPort), comparePorts) {
		if len(byPort[port]) == 0 {
			t.row(port, "", "", "", "silent", "", "")
		}
		for _, one := range byPort[port] {
			t.row(port, one.SystemName, one.ChassisID, one.theirPort(), one.Description, max(0, one.Expires.Sub(now)).Round(time.Second).String(), one.FirstSeen.Format(time.RFC3339))
		}
	}
	return t.Flush()
}

func (n Neighbour) theirPort() string {
	if n.PortDescription == "" || n.PortDescription == n.PortID {
		return n.PortID
	}
	return n.PortID + " (" + n.PortDescription + ")"
}

// comparePorts puts swp2 before swp10.
func comparePorts(a, b string) int {
	return cmp.Or(cmp.Compare(strings.TrimRight(a, digits), strings.TrimRight(b, digits)), cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
}

const digits = "0123456789"
