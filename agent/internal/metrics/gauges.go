package metrics

import (
	"cmp"
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/pointsman/pointsman/agent/internal/local"
	"github.com/pointsman/pointsman/pkg/netmodel"
)

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(prefix+name, help, labels, nil)
}

var (
	connectedDesc  = desc("etcd_connected", "1 while there is a connection to etcd.")
	holdingDesc    = desc("holding", "1 while the last intent is held because the store is not believed.")
	sessionsDesc   = desc("sessions", "BGP sessions that this switch must have, by state.", "state")
	portsDesc      = desc("ports", "Ports of the switch's configuration, by the mode that was read back; missing are those that do not exist.", "mode")
	faultyDesc     = desc("ports_faulty", "Ports that are not what their intent asks.")
	revertedDesc   = desc("ports_reverted", "Ports that are held at an earlier intent because a newer one did harm.")
	driftDesc      = desc("drift_steps", "Steps that were left to do after the last pass, 51 at most.")
	neighboursDesc = desc("lldp_neighbours", "LLDP neighbours that are heard now.")
	generationDesc = desc("configuration_generation", "Generation of the switch's configuration that was read back.")
	buildDesc      = desc("build_info", "1, with the versions of what runs.", "version", "frr", "network_os", "kernel")
)

// gauges asks how the switch is, each time that it is read.
type gauges struct{ source local.Source }

// Describe implements prometheus.Collector.
func (g gauges) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		connectedDesc, holdingDesc, sessionsDesc, portsDesc, faultyDesc, revertedDesc, driftDesc, neighboursDesc, generationDesc, buildDesc,
	} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (g gauges) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	status, err := g.source.Status(ctx)
	if err != nil {
		out <- prometheus.NewInvalidMetric(buildDesc, err)
		return
	}
	neighbours, err := g.source.Neighbours(ctx)
	if err != nil {
		out <- prometheus.NewInvalidMetric(neighboursDesc, err)
		return
	}
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	gauge(connectedDesc, truth(status.Etcd.Connected != nil && *status.Etcd.Connected))
	gauge(holdingDesc, truth(status.State == string(netmodel.AgentHolding)))
	gauge(driftDesc, float64(len(status.Drift)))
	gauge(neighboursDesc, float64(len(neighbours.Neighbours)))
	gauge(generationDesc, float64(status.AppliedGeneration))
	gauge(buildDesc, 1, status.AgentVersion, status.FRRVersion, status.NetworkOS, status.Kernel)
	c := countPorts(status.Ports)
	gauge(faultyDesc, float64(c.faulty))
	gauge(revertedDesc, float64(c.reverted))
	for mode, n := range c.modes {
		gauge(portsDesc, float64(n), mode)
	}
	for state, n := range c.sessions {
		gauge(sessionsDesc, float64(n), state)
	}
}

type counts struct {
	modes, sessions  map[string]int
	faulty, reverted int
}

func countPorts(ports []local.Port) counts {
	c := counts{modes: map[string]int{}, sessions: map[string]int{"Established": 0}}
	for _, p := range ports {
		c.modes[modeOf(p)]++
		if p.Error != "" {
			c.faulty++
		}
		if p.RevertedGeneration != 0 {
			c.reverted++
		}
		if p.Session != nil {
			c.sessions[p.Session.State]++
		}
	}
	return c
}

func modeOf(p local.Port) string {
	switch {
	case p.Missing:
		return "missing"
	case p.Role == string(netmodel.PortUplink):
		return "uplink"
	}
	return cmp.Or(p.Mode, "other")
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
