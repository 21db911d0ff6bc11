package intent

import (
	"context"
	"log/slog"
	"slices"
	"strconv"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/pointsman/pointsman/agent/internal/etcdtest"
	"github.com/pointsman/pointsman/pkg/etcdaccess"
	"github.com/pointsman/pointsman/pkg/keys"
	"github.com/pointsman/pointsman/pkg/netmodel"
	"github.com/pointsman/pointsman/pkg/wire"
)

// BenchmarkFollow measures, of the same puts, when a raw watch tells of a port's intent and when the follower has emitted it, on a
// switch with 5,000 probes. Reported are medians and 99th percentiles in microseconds.
func BenchmarkFollow(b *testing.B) {
	server := etcdtest.Start(b, etcdtest.FreeAddress(b), b.TempDir())
	etcd := server.Client(b)
	put := func(key string, raw []byte, err error) {
		if err != nil {
			b.Fatal(err)
		}
		etcdtest.Put(b, etcd, key, raw)
	}
	raw, err := wire.SwitchConfigCodec.Encode(config("store-1", "swp1"))
	put(keys.SwitchConfig(leaf), raw, err)
	for i := range 5000 {
		name := "a" + strconv.Itoa(i)
		raw, err := wire.ProbeCodec.Encode(netmodel.Probe{Allocation: name, VRF: "Vrf1"})
		put(keys.Probe(leaf, name), raw, err)
	}
	client, err := Dial(etcdaccess.Access{Endpoints: []string{server.Endpoint}}, "", slog.Default())
	if err != nil {
		b.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithCancel(b.Context())
	emitted, watched := make(chan time.Time, 100), make(chan time.Time, 100)
	f := Open(leaf, b.TempDir(), client, slog.New(slog.DiscardHandler))
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx, func(Snapshot) { emitted <- time.Now() }) }()
	<-emitted
	watch := server.Client(b).Watch(clientv3.WithRequireLeader(ctx), keys.SwitchIntents(leaf), clientv3.WithPrefix(), clientv3.WithCreatedNotify())
	<-watch
	go func() {
		for range watch {
			watched <- time.Now()
		}
	}()
	var followed, rawly []float64
	generation := uint64(0)
	for b.Loop() {
		generation++
		raw, err := wire.PortIntentCodec.Encode(intentOf("swp1", generation, netmodel.ModeVRF))
		began := time.Now()
		put(keys.PortIntent(leaf, "swp1"), raw, err)
		followed = append(followed, float64((<-emitted).Sub(began).Microseconds()))
		rawly = append(rawly, float64((<-watched).Sub(began).Microseconds()))
	}
	cancel()
	if err := <-done; err != nil {
		b.Error(err)
	}
	for name, sample := range map[string][]float64{"follow": followed, "raw": rawly} {
		slices.Sort(sample)
		b.ReportMetric(sample[len(sample)/2], name+"-p50-µs")
		b.ReportMetric(sample[len(sample)*99/100], name+"-p99-µs")
	}
}
