// Package metrics is what Prometheus reads of an agent: counters of what the reconcile loop did, and gauges of how the switch is, taken
// from the same status that `pointsman-agent status` prints. It decides nothing and keeps nothing over a restart. The agent wires it.
package metrics

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/pointsman/pointsman/agent/internal/local"
	"github.com/pointsman/pointsman/agent/internal/plan"
	"github.com/pointsman/pointsman/agent/internal/reconcile"
)

const prefix = "pointsman_agent_"

// Metrics counts, and asks its source when it is read.
type Metrics struct {
	registry   *prometheus.Registry
	passes     *prometheus.CounterVec
	passTook   prometheus.Histogram
	operations *prometheus.CounterVec
	opTook     *prometheus.HistogramVec
	reverts    prometheus.Counter
}

var _ reconcile.Meter = (*Metrics)(nil)

// New makes Metrics of a source, which is asked at each read.
func New(source local.Source) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		passes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: prefix + "passes_total", Help: "Passes of the reconcile loop, by outcome: converged, changed or failed.",
		}, []string{"outcome"}),
		passTook: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: prefix + "pass_duration_seconds", Help: "How long passes took.", Buckets: prometheus.ExponentialBuckets(0.002, 2.5, 10),
		}),
		operations: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: prefix + "operations_total", Help: "Steps of plans, by kind and result: ok, failed, or skipped because of another that failed.",
		}, []string{"kind", "result"}),
		opTook: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: prefix + "operation_duration_seconds", Help: "How long steps took.", Buckets: prometheus.ExponentialBuckets(0.0001, 5, 8),
		}, []string{"kind"}),
		reverts: prometheus.NewCounter(prometheus.CounterOpts{
			Name: prefix + "reverts_total", Help: "Changes that were taken back because they did harm.",
		}),
	}
	for _, o := range []string{"converged", "changed", "failed"} { // a rate needs a zero to begin with
		m.passes.WithLabelValues(o)
	}
	m.registry.MustRegister(m.passes, m.passTook, m.operations, m.opTook, m.reverts, gauges{source},
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Passed implements reconcile.Meter.
func (m *Metrics) Passed(p reconcile.Passed) {
	m.passes.WithLabelValues(p.Outcome).Inc()
	m.passTook.Observe(p.Took.Seconds())
	for _, r := range p.Results {
		kind := kindOf(r.Op)
		m.operations.WithLabelValues(kind, resultOf(r.Err)).Inc()
		if r.Err == nil {
			m.opTook.WithLabelValues(kind).Observe(r.Took.Seconds())
		}
	}
}

// Reverted implements reconcile.Meter.
func (m *Metrics) Reverted() { m.reverts.Inc() }

// kindOf is the planner's own name of a step, such as AddVRF.
func kindOf(op plan.Op) string {
	name := fmt.Sprintf("%T", op)
	for i := len(name) - 1; i >= 0; i-- {
		if name[i] == '.' {
			return name[i+1:]
		}
	}
	return name
}

func resultOf(err error) string {
	switch {
	case err == nil:
		return "ok"
	case errors.Is(err, plan.ErrSkipped):
		return "skipped"
	}
	return "failed"
}

// Handler is what Prometheus reads.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// Serve answers /metrics on an address until ctx ends. In a VRF, device is the VRF's; "" is none.
func (m *Metrics) Serve(ctx context.Context, address, device string) error {
	listener, err := (&net.ListenConfig{Control: boundTo(device)}).Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("answer Prometheus on %s: %w", address, err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", m.Handler())
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.Serve(listener); ctx.Err() == nil {
		return fmt.Errorf("answer Prometheus on %s: %w", address, err)
	}
	return nil
}
