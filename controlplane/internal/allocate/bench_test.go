package allocate_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/pointsman/pointsman/controlplane/internal/allocate"
	"github.com/pointsman/pointsman/controlplane/internal/etcdtest"
)

// BenchmarkAllocate measures allocations over a real etcd without fsync, while simulated switches answer each, eight callers at
// once. What a choice costs must not grow with the fleet.
func BenchmarkAllocate(b *testing.B) {
	for _, size := range []struct{ racks, perRack int }{{2, 24}, {20, 48}} {
		b.Run(fmt.Sprintf("machines=%d", size.racks*size.perRack), func(b *testing.B) {
			f := build(b, start(b, etcdtest.Start(b), 0), size.racks, size.perRack)
			f.network(b, "blue", "10.64.0.0/12")
			b.ResetTimer()
			taken := time.Duration(0)
			for done := 0; done < b.N; {
				batch := min(b.N-done, f.machines)
				began := time.Now()
				ids := allocateAll(b, f, batch)
				taken += time.Since(began)
				b.StopTimer()
				for _, id := range ids {
					if _, err := f.allocations.Release(b.Context(), call, "default", id); err != nil {
						b.Fatal(err)
					}
				}
				f.allFree(b)
				b.StartTimer()
				done += batch
			}
			b.ReportMetric(float64(b.N)/taken.Seconds(), "allocations/s")
		})
	}
}

func allocateAll(b *testing.B, f *fabric, n int) []string {
	ids := make([]string, n)
	next := make(chan int)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range next {
				a, err := f.allocations.Create(b.Context(), call, allocate.Request{Project: "default", Attachments: in("blue")})
				if err != nil {
					b.Error(err)
					continue
				}
				ids[i] = a.ID
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	wg.Wait()
	return ids
}
