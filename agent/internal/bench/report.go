package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// Row is one measurement: medians, in milliseconds.
type Row struct {
	Name  string  `json:"name"`
	VRFs  int     `json:"vrfs"`
	Ours  float64 `json:"ours_ms"`
	Peer  float64 `json:"peer_ms"`
	Ratio float64 `json:"ratio"` // the peer's median by ours
	Runs  int     `json:"runs"`
	With  string  `json:"peer"` // what the peer is
	// FileSync is how long it takes until what the switch starts with says the same, where it keeps that in a file.
	FileSync float64 `json:"file_sync_ms,omitempty"`
}

// Measured is a row with all that was seen.
type Measured struct {
	Row
	Mode        string               `json:"mode"`
	FRR         string               `json:"frr,omitempty"`
	Kernel      string               `json:"kernel"`
	OursSamples []float64            `json:"ours_samples_ms"`
	PeerSamples []float64            `json:"peer_samples_ms"`
	Also        map[string][]float64 `json:"also_ms,omitempty"` // measured beside it
}

// Host is where it was measured.
type Host struct {
	Kernel string `json:"kernel"`
	CPU    string `json:"cpu"`
	CPUs   int    `json:"cpus"`
	Load   string `json:"load_before"` // averages over 1, 5 and 15 minutes
}

// Report is all that was measured.
type Report struct {
	Host  Host       `json:"host"`
	Pairs int        `json:"pairs"`
	Rows  []Measured `json:"rows"`
}

// newRow makes a row of samples.
func newRow(name string, vrfs int, with string, ours, peer []time.Duration) Measured {
	m := Measured{Row: Row{Name: name, VRFs: vrfs, With: with, Runs: len(ours)}, OursSamples: milliseconds(ours), PeerSamples: milliseconds(peer)}
	m.Ours, m.Peer = median(m.OursSamples), median(m.PeerSamples)
	if m.Ours > 0 {
		m.Ratio = m.Peer / m.Ours
	}
	if text, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m.Kernel = strings.TrimSpace(string(text))
	}
	return m
}

func milliseconds(d []time.Duration) []float64 {
	out := make([]float64, len(d))
	for i := range d {
		out[i] = float64(d[i].Microseconds()) / 1000
	}
	return out
}

func median(samples []float64) float64 {
	if len(samples) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(samples))
	return sorted[len(sorted)/2]
}

// save writes apply.json and, with all samples, apply-raw.json.
func (r Report) save(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("save the report: %w", err)
	}
	var plain []Row
	for _, row := range r.Rows {
		plain = append(plain, row.Row)
	}
	for name, v := range map[string]any{"apply.json": plain, "apply-raw.json": r} {
		text, err := json.MarshalIndent(v, "", "  ")
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), append(text, '\n'), 0o644)
		}
		if err != nil {
			return fmt.Errorf("save the report: %w", err)
		}
	}
	return nil
}

func (r Report) print(w io.Writer) {
	fmt.Fprintf(w, "host: kernel %s, %d × %s, load before %s\n\n", r.Host.Kernel, r.Host.CPUs, r.Host.CPU, r.Host.Load)
	table := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	fmt.Fprintln(table, "ROW\tVRFS\tOURS\tRANGE\tPEER\tRANGE\tRATIO\tPAIRS\tAGAINST\tWHERE")
	for _, row := range r.Rows {
		where := row.Mode + ", kernel " + row.Kernel
		if row.FRR != "" {
			where += ", FRR " + row.FRR
		}
		fmt.Fprintf(table, "%s\t%s\t%.2f ms\t%s\t%.1f ms\t%s\t%.1f ×\t%d\t%s\t%s\n", row.Name, count(row.VRFs),
			row.Ours, between(row.OursSamples), row.Peer, between(row.PeerSamples), row.Ratio, row.Runs, row.With, where)
		for _, name := range sortedKeys(row.Also) {
			fmt.Fprintf(table, "  %s\t\t%.2f ms\t%s\n", name, median(row.Also[name]), between(row.Also[name]))
		}
	}
	table.Flush()
}

func count(n int) string {
	if n == 0 {
		return "-"
	}
	return strconv.Itoa(n)
}

func between(samples []float64) string {
	if len(samples) == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f–%.1f", slices.Min(samples), slices.Max(samples))
}

func sortedKeys[V any](m map[string]V) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
