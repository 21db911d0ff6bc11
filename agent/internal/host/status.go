package host

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"text/tabwriter"

	"github.com/google/renameio/v2"

	"github.com/pointsman/pointsman/pkg/speaker"
)

// Status is what the status file tells, for people and scripts on the machine.
type Status struct {
	Machine    string            `json:"machine"`
	Allocation string            `json:"allocation"`
	ASN        uint32            `json:"asn"`
	Addresses  []netip.Prefix    `json:"addresses"`
	Sessions   []speaker.Session `json:"sessions"`
	Routes     []StatusRoute     `json:"routes"`
}

// StatusRoute is a learned route.
type StatusRoute struct {
	Prefix   netip.Prefix `json:"prefix"`
	NextHops []string     `json:"next_hops"`
}

// status must be called with h.mu held.
func (h *host) status() Status {
	s := Status{Machine: h.machine.Machine, Allocation: h.machine.Allocation, ASN: h.machine.ASN, Addresses: h.owned, Sessions: h.sessions}
	for _, p := range slices.SortedFunc(maps.Keys(h.routes), netip.Prefix.Compare) {
		r := StatusRoute{Prefix: p}
		for _, hop := range h.routes[p] {
			r.NextHops = append(r.NextHops, hop.Gateway.String()+"%"+hop.Interface)
		}
		s.Routes = append(s.Routes, r)
	}
	return s
}

// writeStatus writes the status file if the status is another. Safe for concurrent use.
func (h *host) writeStatus() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	text, err := json.Marshal(h.status())
	if err != nil {
		return err
	}
	if bytes.Equal(text, h.told) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(h.c.StatusFile), 0o755); err != nil {
		return fmt.Errorf("write status: %w", err)
	}
	if err := renameio.WriteFile(h.c.StatusFile, append(text, '\n'), 0o644); err != nil {
		return fmt.Errorf("write status: %w", err)
	}
	h.told = text
	return nil
}

// print shows a status as a table.
func (s Status) print(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "machine\t%s\nallocation\t%s\nASN\t%d\naddresses\t%v\n\nUPLINK\tPEER\tASN\tSTATE\n", s.Machine, s.Allocation, s.ASN, s.Addresses)
	for _, session := range s.Sessions {
		fmt.Fprintf(t, "%s\t%s\t%d\t%s\n", session.Interface, session.Peer, session.PeerASN, session.State)
	}
	fmt.Fprintln(t, "\nROUTE\tNEXT HOPS")
	for _, r := range s.Routes {
		fmt.Fprintf(t, "%s\t%v\n", r.Prefix, r.NextHops)
	}
	return t.Flush()
}
