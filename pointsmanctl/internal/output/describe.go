package output

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	apiv1 "github.com/pointsman/pointsman/pkg/api/v1"
)

// Description is all that is known of one thing: what it shall be, what it is, and how it became so. What does not belong to it is
// nil.
type Description struct {
	Machine    *apiv1.Machine
	Switch     *apiv1.Switch
	Network    *apiv1.Network
	Allocation *apiv1.Allocation
	// Ports are those that the thing is cabled to or has.
	Ports []Port
	// Allocations and IPs are those in a network or on a switch.
	Allocations []*apiv1.Allocation
	IPs         []*apiv1.IP
	Probes      []*apiv1.Probe
	Changes     []*apiv1.ChangeRecord
	// Older says that there are changes before these.
	Older bool
}

// Port is a port beside its switch.
type Port struct {
	Switch string
	Alive  bool
	View   *apiv1.SwitchPortView
}

// Describe writes a description: as one JSON object, or as a page.
func (p Printer) Describe(d Description) error {
	if p.Structured() {
		joined, err := d.joined()
		if err != nil {
			return err
		}
		return p.value(joined)
	}
	pg := page{Printer: p}
	pg.heads(d)
	pg.ports(d)
	pg.probes(d.Probes)
	if d.Allocation.GetReceipt() != nil {
		pg.section("receipt")
		pg.note(p.Receipt(d.Allocation.GetReceipt()))
	}
	if len(d.Allocations) > 0 {
		pg.section("allocations")
		pg.note(writeTable(p.Out, p.Format == Wide, d.Allocations, p.allocationColumns()))
	}
	if len(d.IPs) > 0 {
		pg.section("addresses")
		pg.note(writeTable(p.Out, p.Format == Wide, d.IPs, p.ipColumns()))
	}
	pg.history(d)
	return pg.err
}

// page is a description as it is being written: sections with an empty line between them. It keeps the first error.
type page struct {
	Printer
	begun bool
	err   error
}

func (g *page) note(err error) {
	if g.err == nil {
		g.err = err
	}
}

func (g *page) section(title string) {
	if g.begun {
		_, err := fmt.Fprintln(g.Out)
		g.note(err)
	}
	g.begun = true
	_, err := fmt.Fprintln(g.Out, title)
	g.note(err)
}

// heads are the facts of the thing itself, and of what it belongs to.
func (g *page) heads(d Description) {
	if d.Machine != nil {
		facts(g, "machine", d.Machine, g.machineColumns())
	}
	if d.Switch != nil {
		facts(g, "switch", d.Switch, g.switchColumns(), "PORTS")
	}
	if d.Network != nil {
		facts(g, "network", d.Network, g.networkColumns())
	}
	if d.Allocation != nil {
		facts(g, "allocation", d.Allocation, g.allocationColumns(), "TOOK", "WAITING FOR", "PORTS")
	}
}

// facts writes what is set of a thing, one fact a line, without those that stand elsewhere on the page.
func facts[M any](g *page, kind string, m M, columns []column[M], elsewhere ...string) {
	g.section(kind)
	t := tabwriter.NewWriter(g.Out, 0, 0, 3, ' ', 0)
	for _, c := range columns {
		if value := c.value(m); value != none && !slices.Contains(elsewhere, c.name) {
			fmt.Fprintf(t, "  %s\t%s\n", strings.ToLower(c.name), value)
		}
	}
	g.note(t.Flush())
}

var describedPortColumns = []column[Port]{
	{"SWITCH", false, func(p Port) string { return p.Switch }},
	{"PORT", false, func(p Port) string { return p.View.GetName() }},
	{"ROLE", false, func(p Port) string { return Word(p.View.GetRole()) }},
	{"ALIVE", false, func(p Port) string { return yes(p.Alive) }},
	{"LINK", false, func(p Port) string { return link(p.View) }},
	{"WANTED", false, func(p Port) string { return wanted(p.View) }},
	{"APPLIED", false, func(p Port) string { return applied(p.View) }},
	{"GENERATION", false, func(p Port) string { return generations(p.View) }},
	{"ALLOCATION", false, func(p Port) string { return text(p.View.GetIntent().GetAllocation()) }},
	{"NEIGHBOUR", false, func(p Port) string { return neighbours(p.View) }},
	{"GRANTS", true, func(p Port) string { return grants(p.View) }},
}

var sessionColumns = []column[Port]{
	{"SWITCH", false, func(p Port) string { return p.Switch }},
	{"PORT", false, func(p Port) string { return p.View.GetName() }},
	{"STATE", false, func(p Port) string { return text(p.View.GetSession().GetState()) }},
	{"VRF", false, func(p Port) string { return text(p.View.GetSession().GetVrf()) }},
	{"PEER ASN", false, func(p Port) string { return number(p.View.GetSession().GetPeerAsn()) }},
	{"GENERATION", false, func(p Port) string { return number(p.View.GetSession().GetGeneration()) }},
	{"PREFIXES", false, func(p Port) string { return fmt.Sprint(p.View.GetSession().GetPrefixesReceived()) }},
	{"LAST RESET", false, func(p Port) string { return text(p.View.GetSession().GetLastResetReason()) }},
}

func grants(v *apiv1.SwitchPortView) string {
	var out []string
	for _, g := range v.GetIntent().GetGrants() {
		s := g.GetPrefix()
		if g.GetMaxLength() != 0 {
			s += fmt.Sprintf(":%d", g.GetMaxLength())
		}
		out = append(out, s)
	}
	return joined(out)
}

// ports writes ports as wanted and as reported, their sessions, and what is wrong with them.
func (g *page) ports(d Description) {
	if len(d.Ports) > 0 {
		g.section("ports")
		g.note(writeTable(g.Out, g.Format == Wide, d.Ports, describedPortColumns))
	}
	var sessions []Port
	var wrong []string
	for _, p := range d.Ports {
		if p.View.GetSession() != nil {
			sessions = append(sessions, p)
		}
		wrong = append(wrong, troubles(p)...)
	}
	if len(sessions) > 0 {
		g.section("sessions")
		g.note(writeTable(g.Out, g.Format == Wide, sessions, sessionColumns))
	}
	wrong = append(wrong, d.Machine.GetFaults()...)
	g.lines("trouble", wrong)
}

// troubles are what is wrong with a port, cabling included.
func troubles(p Port) []string {
	at := p.Switch + ":" + p.View.GetName()
	out := slices.Clone(p.View.GetFaults())
	status := p.View.GetStatus()
	if status.GetError() != "" {
		out = append(out, at+": "+status.GetError())
	}
	if r := status.GetRevertedGeneration(); r != 0 && r == p.View.GetIntent().GetGeneration() {
		out = append(out, fmt.Sprintf("%s: generation %d made things worse and was reverted", at, r))
	}
	return out
}

// lines writes each line once.
func (g *page) lines(title string, all []string) {
	if len(all) == 0 {
		return
	}
	g.section(title)
	var told []string
	for _, l := range all {
		if !slices.Contains(told, l) {
			told = append(told, l)
			fmt.Fprintln(g.Out, "  "+l)
		}
	}
}

var probeColumns = []column[*apiv1.Probe]{
	{"SWITCH", false, (*apiv1.Probe).GetSwitch},
	{"ALIVE", false, func(p *apiv1.Probe) string { return yes(p.GetAlive()) }},
	{"GENERATION", false, func(p *apiv1.Probe) string {
		if want, have := p.GetIntent().GetGeneration(), p.GetStatus().GetGeneration(); want != have {
			return fmt.Sprintf("%s of %s", number(have), number(want))
		}
		return number(p.GetIntent().GetGeneration())
	}},
	{"HOLDS THE ROUTES", false, func(p *apiv1.Probe) string {
		switch {
		case p.GetStatus() == nil:
			return "no answer"
		case p.GetStatus().GetSatisfied():
			return "yes"
		case !p.GetStatus().GetVrfPresent():
			return "no VRF"
		default:
			return "no"
		}
	}},
	{"MISSING", false, missingRoutes},
}

// missingRoutes are the routes that a switch was asked for and does not hold, with the leaves that they are missing from.
func missingRoutes(p *apiv1.Probe) string {
	if p.GetStatus() == nil || p.GetStatus().GetSatisfied() {
		return none
	}
	held := map[string][]string{}
	for _, r := range p.GetStatus().GetResults() {
		held[r.GetPrefix()] = r.GetOrigins()
	}
	var out []string
	for _, prefix := range p.GetIntent().GetPrefixes() {
		var from []string
		for _, o := range p.GetIntent().GetOrigins() {
			if !slices.Contains(held[prefix], o.GetLoopback()) {
				from = append(from, o.GetSwitch())
			}
		}
		if len(from) > 0 {
			out = append(out, prefix+" from "+strings.Join(from, " and "))
		}
	}
	return text(strings.Join(out, "; "))
}

func (g *page) probes(all []*apiv1.Probe) {
	if len(all) > 0 {
		g.section("probes")
		g.note(writeTable(g.Out, g.Format == Wide, all, probeColumns))
	}
}

// joined is a description as one object. Messages keep the API's own JSON.
func (d Description) joined() (map[string]any, error) {
	out := map[string]any{}
	var err error
	add := func(name string, m proto.Message) {
		if m.ProtoReflect().IsValid() {
			out[name] = raw(m, &err)
		}
	}
	add("machine", d.Machine)
	add("switch", d.Switch)
	add("network", d.Network)
	add("allocation", d.Allocation)
	if d.Ports != nil {
		var ports []any
		for _, p := range d.Ports {
			ports = append(ports, map[string]any{"switch": p.Switch, "alive": p.Alive, "port": raw(p.View, &err)})
		}
		out["ports"] = ports
	}
	addAll(out, "allocations", d.Allocations, &err)
	addAll(out, "ips", d.IPs, &err)
	addAll(out, "probes", d.Probes, &err)
	addAll(out, "changes", d.Changes, &err)
	if d.Older {
		out["olderChanges"] = true
	}
	return out, err
}

func addAll[M proto.Message](to map[string]any, name string, all []M, err *error) {
	var list []any
	for _, m := range all {
		list = append(list, raw(m, err))
	}
	if list != nil {
		to[name] = list
	}
}

func raw(m proto.Message, err *error) json.RawMessage {
	b, failed := protojson.Marshal(m)
	if failed != nil && *err == nil {
		*err = fmt.Errorf("encode %s: %w", m.ProtoReflect().Descriptor().Name(), failed)
	}
	return b
}
